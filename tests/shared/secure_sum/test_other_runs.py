"""Two runs over the same rows are over the same lenders, or a person at the lenders allowed it.

A coordinator alone starts runs: what a second run over all lenders but one adds up, subtracted from
the first, is that lender's numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.secure_sum.differences import difference_of, nearest_of
from shared.secure_sum.floors import GUARDED, Floors
from shared.secure_sum.history import History, Record
from shared.secure_sum.statements import Kind, Survivors
from tests.shared.secure_sum.federation import payload
from tests.shared.secure_sum.malicious import Attacked, assert_refused

ROWS, FRESH = "5e" * 32, "6f" * 32


def run_of(
    attacked: Attacked, name: str, codes: Sequence[str], rows: str = ROWS
) -> tuple[str, ...]:
    """Another agreement, in nothing but its name; new processes, and a set-up of these lenders."""
    federation = attacked.federation
    federation.agreement, federation.rows = sha256(name.encode()).digest(), rows
    federation.sides = {code: federation.side(code) for code in federation.codes}
    federation.agreed = {}
    attacked.set_up = federation.set_up(codes)
    return tuple(codes)


def counted(attacked: Attacked, codes: Sequence[str], kind: Kind = "counts") -> NDArray[np.int64]:
    """The total of a run's first stage, opened by everybody on its roll."""
    opened = attacked.open(0, payload(0, 20, kind))
    own = {code: attacked.vectors[code] for code in codes}
    closed = attacked.federation.collected(attacked.set_up, opened, own)
    return attacked.federation.opened(attacked.set_up, closed).total()


def asked(attacked: Attacked, codes: Sequence[str], kind: Kind = "counts") -> Survivors:
    """Everybody on the roll has masked, and is told that all of them are in the sum."""
    name = attacked.mask(attacked.open(0, payload(0, 20, kind)), codes)
    return attacked.survivors(name, codes)


def allowed(attacked: Attacked, codes: Sequence[str], lenders: tuple[str, ...]) -> None:
    """A person's word at these lenders."""
    word = Record("allowed", "a test", "00", 0, "", lenders=lenders, rows=ROWS)
    for code in codes:
        attacked.federation.journals[code].append(word)


@pytest.mark.parametrize("first", ["counts", "losses"])
def test_a_second_run_over_all_but_one_is_refused_by_every_other(first: Kind) -> None:
    """The refusal is signed and names who is missing; the same lenders are counted again."""
    attacked = Attacked(5)
    counted(attacked, run_of(attacked, "with", attacked.codes), first)
    others = run_of(attacked, "without", attacked.all_but("L05"))
    told = asked(attacked, others)
    sides = attacked.federation.sides
    assert_refused(attacked.federation, lambda side: side.answer(told), told, "rows", others)
    with pytest.raises(Exception, match=r"expected with L05, came 4 lenders"):
        sides["L01"].answer(told)
    counted(attacked, run_of(attacked, "with again", attacked.codes))


def test_without_the_rule_the_difference_of_two_runs_is_one_lenders_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Control: a run with the victim, stopped after its first stage, and one without it."""
    monkeypatch.setattr(History, "counted_before", lambda *_, **__: set())
    attacked = Attacked(5)
    runs = {"with": attacked.codes, "without": attacked.all_but("L05")}
    totals = [counted(attacked, run_of(attacked, name, codes)) for name, codes in runs.items()]
    np.testing.assert_array_equal(totals[0] - totals[1], attacked.vectors["L05"])


def test_one_that_comes_in_is_refused_as_one_that_leaves_is() -> None:
    """By all that were counted before; too few are left to open it."""
    attacked = Attacked(5)
    before = run_of(attacked, "first", attacked.all_but("L05"))
    counted(attacked, before)
    run_of(attacked, "second", attacked.codes)
    told = asked(attacked, attacked.codes)
    assert_refused(attacked.federation, lambda side: side.answer(told), told, "rows", before)
    attacked.federation.sides["L05"].answer(told)


def test_fresh_rows_are_counted_over_whoever_is_there() -> None:
    """Only the same rows are guarded; and where an old journal does not name them, they may be."""
    attacked = Attacked(5)
    counted(attacked, run_of(attacked, "with", attacked.codes))
    counted(attacked, run_of(attacked, "next month", attacked.all_but("L05"), FRESH))
    unnamed = Attacked(5)
    counted(unnamed, run_of(unnamed, "with", unnamed.codes, ""))
    others = run_of(unnamed, "without", unnamed.all_but("L05"))
    told = asked(unnamed, others)
    assert_refused(unnamed.federation, lambda side: side.answer(told), told, "rows", others)


def test_what_people_allowed_is_opened_and_nothing_else() -> None:
    """For these lenders over these rows, in later runs too; the run asked is repeated, not lost."""
    attacked = Attacked(6)
    counted(attacked, run_of(attacked, "with", attacked.codes))
    others = run_of(attacked, "without", attacked.all_but("L06"))
    told = asked(attacked, others)
    allowed(attacked, others[:-1], others)
    for code in others[:-1]:
        attacked.federation.sides[code].answer(told)
    assert_refused(attacked.federation, lambda side: side.answer(told), told, "rows", others[-1:])
    allowed(attacked, others[-1:], others)
    counted(attacked, run_of(attacked, "later", others))
    counted(attacked, run_of(attacked, "all again", attacked.codes))
    fewer = run_of(attacked, "fewer", attacked.all_but("L05"))
    told = asked(attacked, fewer)
    knowing = attacked.all_but("L05", "L06")
    assert_refused(attacked.federation, lambda side: side.answer(told), told, "rows", knowing)


@pytest.mark.parametrize("kind", ["gradients", "weights"])
def test_in_production_all_sums_of_two_runs_are_over_the_same_lenders(kind: Kind) -> None:
    """In a demo gradients and weights may be over others, as within one run."""
    attacked = Attacked(7, floors=Floors.of("production"))
    counted(attacked, run_of(attacked, "with", attacked.codes), kind)
    others = run_of(attacked, "without", attacked.all_but("L07"))
    told = asked(attacked, others, kind)
    assert_refused(attacked.federation, lambda side: side.answer(told), told, "rows", others)
    demo = Attacked(7)
    counted(demo, run_of(demo, "with", demo.codes), kind)
    counted(demo, run_of(demo, "without", demo.all_but("L07")), kind)


def test_what_was_counted_before_is_by_rows_and_kind() -> None:
    """Sums under the agreement itself are left to the rule within one."""
    answer = Record("answer", "a test", "00", 1, "aa", payload="counts", rows=ROWS, round="r1",
                    lenders=("L01", "L02"))  # fmt: skip
    history = History()
    history.take(answer)
    assert history.counted_before(ROWS, GUARDED) == {("L01", "L02")}
    assert history.counted_before(ROWS, GUARDED, besides="aa") == set()
    assert history.counted_before(FRESH, GUARDED) == set()
    assert history.counted_before(ROWS, frozenset({"weights"})) == set()


def test_the_nearest_difference_is_told_in_few_words() -> None:
    """Of several earlier sets the one that shows the most; of many lenders five are named."""
    found = nearest_of([("L01", "L02", "L03"), ("L01", "L04")], ("L01", "L02"))
    assert (found.gone, found.new, found.size) == (("L03",), (), 1)
    both = difference_of(("L01", "L02"), ("L01", "L03"))
    assert both.in_words() == "with L02, without L03"
    many = difference_of([f"L{number:02d}" for number in range(50)], ())
    assert many.in_words() == "with L00 L01 L02 L03 L04 and 45 more"
