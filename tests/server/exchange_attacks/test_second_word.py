"""A contributor that uses a second institution's word for another subject; on both databases."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

import pytest

from server.registry import listed
from shared.blacklist.answer import Hit, answer_of
from shared.blacklist.events import File, Refile
from shared.blacklist.record import read_record
from shared.blacklist.row_names import row_name
from shared.blacklist.rows import Flag, Row
from shared.blacklist.state import EntryState
from shared.blacklist.transitions import Status
from shared.tokens.tags import open_sealed
from tests.blacklist_members import TODAY, tag_of, token
from tests.list_registry import Served

VICTIM = tag_of("resident_id|victim", 2)
GUILTY = tag_of("resident_id|guilty")


@pytest.fixture
def served(list_url: str) -> Iterator[Served]:
    """A registry with two key epochs."""
    served = Served(list_url)
    served.found()
    yield served
    served.close()


def moved_to_the_victim(served: Served) -> tuple[File, Refile]:
    """L01's entry about somebody guilty, which L02 approved, is re-filed under the victim's token:
    the registry cannot see that it is another subject.
    """
    filed = served.active(served.a, "guilty", severity=3)[0]
    served.open_epoch(2)
    tokens = (token("victim", epoch=2),)
    moved = served.a.refile(filed.entry, tokens)
    sealed = served.a.sealed(filed.entry, tokens)  # records that lenders can open
    moved = served.a.sign(replace(moved, sealed=sealed))
    served.take(served.a, moved)
    served.publish()
    return filed, moved


def flags(served: Served) -> dict[bytes, Flag]:
    return {row.tag: row.flags for row in served.rows()}


def severity(served: Served, tag: bytes) -> int:
    """What a lender that knows the subject is told."""
    (row,) = [one for one in served.rows() if one.tag == tag]
    answer = answer_of([hit_of(row)], TODAY)
    assert answer is not None
    return answer.severity


def hit_of(row: Row) -> Hit:
    key = hashlib.sha256(b"seal" + row.tag).digest()
    record = read_record(open_sealed(key, row.sealed, row.tag))
    return Hit("resident_id", row.tag, row_name(row.tag, row.sealed), row.flags, record)


def test_the_word_stays_with_the_tokens_it_was_given_for(served: Served) -> None:
    """After the re-filing the guilty one's row has the flag and the victim's has not, so it reads
    as severity 2; also after a restart.
    """
    moved_to_the_victim(served)
    assert flags(served) == {GUILTY: Flag.CORROBORATED, VICTIM: Flag(0)}
    assert (severity(served, GUILTY), severity(served, VICTIM)) == (3, 2)
    served.restart()
    assert flags(served) == {GUILTY: Flag.CORROBORATED, VICTIM: Flag(0)}


def test_the_flag_comes_with_the_second_word(served: Served) -> None:
    """Once the other institution approves the new tokens too, for the same reasons as the first
    time; its word for the old ones does not do, nor does the contributor's own.
    """
    filed, moved = moved_to_the_victim(served)
    entry = served.own(served.a, filed.entry.entry_id)
    assert served.refused(served.b, served.b.approve(filed)) == "approved"
    own = served.answers(served.a, served.a.approve_refiled(moved, entry))
    assert not hasattr(own[0], "seq")
    served.take(served.b, served.b.approve_refiled(moved, entry))
    served.publish()
    assert flags(served) == {GUILTY: Flag.CORROBORATED, VICTIM: Flag.CORROBORATED}
    assert served.own(served.a, entry.entry_id).status is Status.ACTIVE
    again = served.c.approve_refiled(moved, entry)
    assert served.refused(served.c, again) == "approved"
    served.restart()


def test_with_a_word_for_the_whole_entry_the_victim_is_flagged(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Positive control: were the word the entry's, as it was, the victim would read as severity 3
    on the word of an institution that never heard of it.
    """

    def by_entry(entry: EntryState, epoch: int) -> Flag:
        return true(entry, epoch) | (Flag.CORROBORATED if entry.second else Flag(0))

    true = listed._word
    monkeypatch.setattr(listed, "_word", by_entry)
    moved_to_the_victim(served)
    assert flags(served)[VICTIM] == Flag.CORROBORATED
    assert severity(served, VICTIM) == 3
