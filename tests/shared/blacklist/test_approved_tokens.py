"""A second institution's word is for the tokens it was shown, of one key epoch. Each attack beside
its success where the word is for less.
"""

from dataclasses import replace
from typing import Any

import pytest

from shared.blacklist.approval import approved_digest, filing_digest, refiling_digest, rest_of
from shared.blacklist.entry import SubjectRole
from shared.blacklist.events import File, Refile, stripped
from shared.blacklist.lifecycle import RefusedError
from shared.blacklist.transitions import IllegalTransitionError, Status
from shared.blacklist.waiting import WaitingEntry, waiting_entry, waits
from shared.secure_sum.encoding import text_of
from tests.blacklist_members import hashed, token
from tests.list_in_memory import Exchange


@pytest.fixture
def exchange() -> Exchange:
    """A list with an open key epoch."""
    return Exchange()


def refiled(exchange: Exchange, name: bytes, subject: str = "another", epoch: int = 2) -> Refile:
    """The contributor's re-filing, taken: of whatever subject it likes."""
    again: Refile = exchange.a.refile(exchange.entry(name), (token(subject, epoch=epoch),))
    exchange.take(again)
    return again


def test_a_word_for_one_epoch_is_none_for_the_tokens_of_the_next(exchange: Exchange) -> None:
    """After a re-filing about another subject the new rows are vouched for by nobody, and the old
    approval, sent again, changes nothing. Were the word the entry's, they would be vouched for.
    """
    name = exchange.active(severity=3)
    exchange.open(2)
    refiled(exchange, name)
    entry = exchange.entry(name)
    assert (entry.epochs, entry.corroborated) == ((1, 2), (1,))
    assert entry.second == "L02"  # the control: by entry, not by epoch
    exchange.refused(exchange.b.approve(exchange.filing(name)), "approved")
    exchange.refused(exchange.c.approve(exchange.filing(name)), "approved")
    assert exchange.entry(name).corroborated == (1,)


def test_tokens_re_filed_before_the_word_is_given_are_not_in_it(exchange: Exchange) -> None:
    """A waiting entry is re-filed at once; the word for its filing makes it answer, and vouches for
    the first epoch's rows alone.
    """
    filed = exchange.a.file(exchange.a.entry(severity=3))
    exchange.take(filed)
    exchange.take(exchange.a.approve(filed))
    exchange.open(2)
    refiled(exchange, filed.entry.entry_id)
    exchange.take(exchange.b.approve(filed))
    entry = exchange.entry(filed.entry.entry_id)
    assert (entry.status, entry.epochs, entry.corroborated) == (Status.ACTIVE, (1, 2), (1,))


def test_who_approves_re_filed_tokens_is_heard(exchange: Exchange) -> None:
    """Once, by any institution but the contributor, for what was re-filed: in every status in which
    the entry is live, and `second` stays the first.
    """
    name = exchange.active(severity=3)
    exchange.open(2)
    entry = exchange.entry(name)
    again = refiled(exchange, name)
    with pytest.raises(IllegalTransitionError):
        exchange.take(exchange.a.approve_refiled(again, entry))
    other = exchange.a.refile(entry, (token("third", epoch=2),))
    exchange.refused(exchange.c.approve_refiled(other, entry), "digest")
    exchange.take(exchange.c.approve_refiled(again, entry))
    exchange.refused(exchange.b.approve_refiled(again, entry), "approved")
    exchange.open(3)
    exchange.take(exchange.b.dispute(again))
    third = refiled(exchange, name, epoch=3)
    exchange.take(exchange.c.approve_refiled(third, exchange.entry(name)))
    entry = exchange.entry(name)
    assert (entry.status, entry.second) == (Status.DISPUTED, "L02")
    assert entry.corroborated == entry.epochs == (1, 2, 3)


def test_an_entry_that_needs_no_second_institution_takes_no_word(exchange: Exchange) -> None:
    """Neither for its filing nor for a re-filing; the own checker approves the filing only."""
    name = exchange.active()
    exchange.open(2)
    entry = exchange.entry(name)
    again = refiled(exchange, name)
    exchange.refused(exchange.b.approve_refiled(again, entry), "approved")
    exchange.refused(exchange.b.approve(exchange.filing(name)), "approved")
    pending = exchange.a.file(exchange.a.entry("p", tokens=(token("p"),)))
    exchange.take(pending)
    state = exchange.entry(pending.entry.entry_id)
    moved = refiled(exchange, pending.entry.entry_id)
    exchange.refused(exchange.a.approve_refiled(moved, state), "digest")
    exchange.take(exchange.a.approve(pending))


def test_what_waits_is_the_newest_epoch_until_it_has_a_word(exchange: Exchange) -> None:
    """From the filing on, over the rotation; an entry of one institution never waits."""
    filed = exchange.a.file(exchange.a.entry(severity=3))
    name = filed.entry.entry_id
    exchange.take(filed)
    assert waits(exchange.entry(name))
    exchange.take(exchange.b.approve(filed))
    assert not waits(exchange.entry(name))
    exchange.take(exchange.a.approve(filed))
    exchange.open(2)
    again = refiled(exchange, name)
    assert waits(exchange.entry(name))
    exchange.take(exchange.c.approve_refiled(again, exchange.entry(name)))
    assert not waits(exchange.entry(name))
    light = exchange.active()
    refiled(exchange, light)
    assert not waits(exchange.entry(light))
    assert not waits(replace(exchange.entry(name), status=Status.REMOVED, corroborated=()))


def test_a_superseding_entry_waits_after_its_own_checker(exchange: Exchange) -> None:
    """Where it ends sooner than what it supersedes: before, it might still answer alone."""
    for _ in range(10):
        exchange.take(exchange.a.withdraw(exchange.active()))
    name = exchange.active()
    filed = exchange.a.file(
        exchange.a.entry(supersedes=name, tokens=exchange.tokens(name))  # the eleventh removal
    )
    exchange.take(filed)
    assert not waits(exchange.entry(filed.entry.entry_id))
    exchange.take(exchange.a.approve(filed))
    assert waits(exchange.entry(filed.entry.entry_id))


def shown_entry(exchange: Exchange) -> tuple[File, WaitingEntry]:
    """A filing of severity 3 with two tokens, and what an honest registry shows of it."""
    tokens = (token("s"), token("s", "bank_card", role=SubjectRole.PAYEE))
    filed = exchange.a.file(exchange.a.entry(tokens=tokens, severity=3))
    exchange.take(filed)
    return filed, waiting_entry(exchange.entry(filed.entry.entry_id), filed)


LIES: dict[str, Any] = {
    "name": hashed("name", 16),
    "rest": hashed("rest"),
    "reason_code": "F102",
    "severity": 2,
    "epoch": 2,
    "tags": (hashed("b's own customer"), hashed("another tag")),
    "sealed": (hashed("one record", 512), hashed("another", 512)),
}


@pytest.mark.parametrize("field", LIES)
def test_what_was_shown_falsely_is_approved_for_no_entry(exchange: Exchange, field: str) -> None:
    """Any field: the approval that was got by a lie is refused. Were the digest sent beside what is
    shown, it would go through.
    """
    filed, true = shown_entry(exchange)
    lie = replace(true, **{field: LIES[field]})
    name = filed.entry.entry_id
    exchange.refused(exchange.b.approve_digest(name, lie.digest), "digest")
    exchange.take(exchange.b.approve_digest(name, exchange.entry(name).digest))  # the control
    assert exchange.entry(name).second == "L02"


def test_the_order_of_what_is_shown_is_that_of_the_filing(exchange: Exchange) -> None:
    """Sorted another way it is another digest, so no row can be put under another record."""
    _, true = shown_entry(exchange)
    swapped = replace(true, tags=true.tags[::-1], sealed=true.sealed[::-1])
    crossed = replace(true, sealed=true.sealed[::-1])
    assert len({true.digest, swapped.digest, crossed.digest}) == 3


def test_what_is_shown_truly_is_what_is_kept(exchange: Exchange) -> None:
    """For a filing and a re-filing, stripped or not; the text of what waits names no lender."""
    filed, true = shown_entry(exchange)
    assert true.digest == filing_digest(filed) == filing_digest(stripped(filed))  # type: ignore[arg-type]
    assert true.digest == exchange.entry(true.name).digest
    assert b"L01" not in text_of(true)
    exchange.take(exchange.a.approve(filed))
    exchange.take(exchange.b.approve(filed))
    exchange.open(2)
    before = exchange.entry(true.name)
    tokens = (token("t", epoch=2), token("t", "bank_card", 2, SubjectRole.PAYEE))
    again = exchange.a.refile(before, tokens)
    exchange.take(again)
    entry = exchange.entry(true.name)
    shown = waiting_entry(entry, again)
    assert shown.digest == refiling_digest(again, before) == entry.refiled[0]
    assert shown.digest == refiling_digest(stripped(again), entry)  # type: ignore[arg-type]
    assert approved_digest(rest_of(again), shown.shown) == shown.digest


def test_the_rest_commits_to_all_else_that_was_filed(exchange: Exchange) -> None:
    """A field that is not shown changes the digest through it; who made the entry keeps it from
    being guessed.
    """
    filed = exchange.a.file(exchange.a.entry(severity=3))
    other = replace(filed, entry=replace(filed.entry, maker=hashed("somebody else")))
    assert rest_of(other) != rest_of(filed)
    exchange.take(filed)
    with pytest.raises(RefusedError, match="not what was filed"):
        exchange.take(exchange.b.approve(other))
