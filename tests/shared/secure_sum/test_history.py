"""What a lender knows of the past is the fold over its journal, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.secure_sum.floors import GUARDED
from shared.secure_sum.history import History, Record, update_of
from tests.shared.secure_sum.federation import MemoryJournal, payload
from tests.shared.secure_sum.malicious import Attacked

MASKED = Record(
    "masked", "a test", "00", 4, "aa", payload="counts", set_up="s1", slot=2, round="r1",
    run="u1", lenders=("L01", "L02", "L03"),
)  # fmt: skip
ANSWER = replace(MASKED, kind="answer", threshold=2, lenders=("L01", "L02"), released="")


def folded(*records: Record) -> History:
    history = History()
    for record in records:
        history.take(record)
    return history


def test_each_kind_of_record_is_folded_into_its_place() -> None:
    """Keys raise the counter; shares, ready, refusals and plain sums change nothing."""
    keys = Record("keys", "a test", "00", 4, "aa", counter=7)
    others = [replace(keys, kind=kind, counter=0) for kind in ("shares", "ready", "refusal", "sum")]
    assert folded(keys, *others) == History(counter=7)
    assert folded(keys, replace(keys, counter=3)).counter == 7
    history = folded(MASKED)
    assert history.masked == {"r1": MASKED}
    assert history.updates == {update_of("aa", MASKED.stage): "r1"}
    assert (history.slots, history.last_answers) == ({"s1": 2}, {})
    assert folded(MASKED, replace(MASKED, slot=1, round="r0")).slots == {"s1": 2}


def test_an_answer_given_again_is_not_the_last_one() -> None:
    """The round answered last is the one whose answer first left last."""
    later = replace(ANSWER, round="r2", slot=3)
    history = folded(MASKED, ANSWER, later, ANSWER)
    other = replace(later, round="r3", agreement="bb")
    assert folded(MASKED, ANSWER, later, ANSWER, other).last_answers == {
        later.agreement: later, "bb": other
    }  # fmt: skip
    assert history.last_answers == {later.agreement: later}
    assert list(history.answered) == ["r1", "r2"]


def test_guarded_sets_are_those_of_counts_and_losses_under_one_agreement() -> None:
    """Survivors, not members; each round once."""
    others = [
        replace(ANSWER, round="r2", payload="gradients"),
        replace(ANSWER, round="r3", payload="losses", lenders=("L02", "L03")),
        replace(ANSWER, round="r4", agreement="bb"),
        ANSWER,
    ]
    history = folded(MASKED, ANSWER, *others)
    assert history.survivors_of("aa", GUARDED) == [("L01", "L02"), ("L02", "L03")]
    assert history.survivors_of("bb", GUARDED) == [("L01", "L02")]
    assert history.survivors_of("cc", GUARDED) == []


def test_everything_that_leaves_is_in_the_journal_each_time() -> None:
    """One record a message, before it leaves; repeated messages are recorded again."""
    attacked = Attacked(3)
    opened = attacked.open()
    name = attacked.mask(opened)
    attacked.mask(opened)
    for _ in range(2):
        attacked.tell(name, dict.fromkeys(attacked.codes, attacked.codes))
    journal = attacked.federation.journals["L01"]
    kinds = [record.kind for record in journal.records]
    assert kinds == ["keys", "shares", "ready", "masked", "masked", "answer", "answer"]
    masked, answer = journal.records[3], journal.records[5]
    assert masked == journal.records[4]
    assert answer == journal.records[6]
    assert (masked.stage, masked.payload, masked.slot) == ("stage/0", "gradients", 0)
    assert (masked.size, masked.lenders) == (4 * 20, ("L01", "L02", "L03"))
    assert (answer.threshold, answer.size) == (3, 3 * 33)
    assert masked.run == payload(0, 20).run.hex()
    again = MemoryJournal()
    for record in journal.records:
        again.append(record)
    assert again.history == journal.history


def test_a_message_that_the_journal_does_not_take_does_not_leave() -> None:
    """And what follows is as if it had not been asked."""
    attacked = Attacked(3)
    opened, side = attacked.open(), attacked.federation.sides["L01"]
    journal, vector = attacked.federation.journals["L01"], attacked.vectors["L01"]
    append, journal.append = journal.append, full  # type: ignore[method-assign, assignment]
    for ask in (
        lambda: side.mask(opened, opened.payload, vector, purpose="a test"),
        lambda: side.keys(attacked.federation.under_way().opened),
    ):
        with pytest.raises(OSError, match="no space"):
            ask()
    assert not journal.history.masked
    journal.append = append  # type: ignore[method-assign]
    assert side.keys(attacked.federation.under_way(2).opened)
    assert journal.history.counter == 2


def full(_record: Record) -> None:
    raise OSError("no space")
