"""The rules of the list, one by one; every refusal beside what is allowed."""

from datetime import timedelta
from itertools import product

import pytest

from shared.blacklist.entry import SubjectToken
from shared.blacklist.events import Outcome
from shared.blacklist.legality import check_legal
from shared.blacklist.lifecycle import fold, is_overdue
from shared.blacklist.standing import Standing
from shared.blacklist.state import EntryState
from shared.blacklist.terms import Terms
from shared.blacklist.transitions import (
    LIVE,
    TRANSITIONS,
    IllegalTransitionError,
    Move,
    Status,
)
from shared.errors import InternalError
from tests.blacklist_members import TODAY, token
from tests.list_in_memory import FINAL, TERMS, Exchange


@pytest.fixture
def exchange() -> Exchange:
    """A list with an open key epoch."""
    return Exchange()


def test_the_table_names_every_status_and_ends_in_the_final_ones() -> None:
    """Every status has a row; final ones lead nowhere; every other is reached and left."""
    assert set(TRANSITIONS) == set(Status)
    assert {status for status in Status if not TRANSITIONS[status]} == FINAL
    reached = {after for row in TRANSITIONS.values() for goals in row.values() for after in goals}
    assert reached == set(Status) - {Status.DRAFT}
    assert LIVE | FINAL | {Status.DRAFT} == set(Status)


def attempt(exchange: Exchange, name: bytes, move: Move) -> None:
    """The event that makes this move on this entry."""
    entry = exchange.entry(name)
    filed = exchange.log[entry.seq - 1].event
    lender = exchange.a
    if move is Move.FILE:
        exchange.take(lender.file(lender.entry(entry_id=name)))
    elif move is Move.APPROVE:
        exchange.take(lender.approve(filed))  # type: ignore[arg-type]
    elif move is Move.CORROBORATE:
        exchange.open(2)
        again = lender.refile(entry, (token("moved", epoch=2),))
        if entry.is_live:
            exchange.take(again)
        exchange.take(exchange.c.approve_refiled(again, entry))
    elif move is Move.DISPUTE:
        exchange.take(exchange.b.dispute(exchange.row(name), "another"))
    elif move is Move.RESOLVE:
        exchange.take(lender.resolve(name, Outcome.UPHELD))
    elif move is Move.WITHDRAW:
        exchange.take(lender.withdraw(name))
    elif move is Move.REFILE:
        exchange.open(2)
        exchange.take(lender.refile(entry, (token("moved", epoch=2),)))
    elif move is Move.SUPERSEDE:
        day = TODAY + timedelta(days=exchange.day)
        tokens = filed.entry.tokens  # type: ignore[attr-defined]
        again = lender.entry("again", day=day, supersedes=name, tokens=tokens)
        exchange.take(lender.file(again))
    elif move is Move.EXPIRE:
        exchange.day = max(exchange.day, 5 * 366)
        exchange.take(exchange.expire(name))
    else:
        exchange.day = max(exchange.day, 21)
        exchange.take(exchange.suspend(name))


@pytest.mark.parametrize(("status", "move"), [*product(sorted({*Status} - {Status.DRAFT}), Move)])
def test_every_move_that_is_not_in_the_table_is_the_one_error(status: Status, move: Move) -> None:
    """All 70 pairs: legal ones go through, others raise IllegalTransitionError. But a dispute of
    what is off the list finds no row, and approving what waits is always the move APPROVE.
    """
    exchange = Exchange()
    name = exchange.put(status, severity=3 if move is Move.CORROBORATE else 2)
    if status in FINAL and move is Move.DISPUTE:
        exchange.refused(exchange.b.dispute(exchange.row(name), "another"), "unknown")
    elif (status, move) == (Status.PENDING_REVIEW, Move.CORROBORATE):
        exchange.refused(exchange.b.approve(exchange.filing(name)), "approved")
    elif move in TRANSITIONS[status]:
        attempt(exchange, name, move)
        if move is not Move.SUPERSEDE:  # takes effect with the successor's approval
            assert exchange.entry(name).status in TRANSITIONS[status][move]
    else:
        with pytest.raises(IllegalTransitionError):
            attempt(exchange, name, move)
        assert exchange.entry(name).status is status


def test_the_maker_cannot_approve(exchange: Exchange) -> None:
    """Another person of the same institution can (control)."""
    filed = exchange.a.file(exchange.a.entry())
    exchange.take(filed)
    exchange.refused(exchange.a.approve(filed, "maker"), "same_person")
    exchange.take(exchange.a.approve(filed))
    assert exchange.entry(filed.entry.entry_id).status is Status.ACTIVE


def test_severity_three_waits_for_a_second_institution(exchange: Exchange) -> None:
    """In either order; a second checker of the contributor does not count."""
    filed = exchange.a.file(exchange.a.entry(severity=3))
    exchange.take(filed)
    exchange.take(exchange.a.approve(filed))
    assert exchange.entry(filed.entry.entry_id).status is Status.PENDING_REVIEW
    exchange.refused(exchange.a.approve(filed, "another checker"), "approved")
    exchange.take(exchange.b.approve(filed))
    assert exchange.entry(filed.entry.entry_id).status is Status.ACTIVE
    light = exchange.a.file(exchange.a.entry("light"))
    exchange.take(light)
    exchange.refused(exchange.b.approve(light), "approved")


def test_what_is_approved_is_what_was_filed(exchange: Exchange) -> None:
    """An approval of another content is refused."""
    entry = exchange.a.entry()
    filed, other = exchange.a.file(entry), exchange.a.file(entry)
    exchange.take(filed)
    exchange.refused(exchange.a.approve(other), "digest")  # other records are sealed in it


def test_a_dispute_ends_in_writing_or_counts_against_the_contributor(exchange: Exchange) -> None:
    """After 20 days it is listed as overdue and may be suspended; not a day earlier."""
    name = exchange.active()
    exchange.take(exchange.b.dispute(exchange.row(name)))
    exchange.day += 20
    day = TODAY + timedelta(days=20)
    assert not is_overdue(exchange.entry(name), day, TERMS)
    exchange.refused(exchange.suspend(name), "overdue")
    exchange.day += 1
    assert is_overdue(exchange.entry(name), day + timedelta(days=1), TERMS)
    exchange.take(exchange.suspend(name))
    assert exchange.state.standing("L01").days[-1].reversed == 1
    exchange.take(exchange.a.resolve(name, Outcome.ANNOTATED))
    assert (exchange.entry(name).status, exchange.entry(name).annotated) == (Status.ACTIVE, True)


def test_a_dispute_is_not_repeated_with_the_same_evidence(exchange: Exchange) -> None:
    """After it was upheld, new evidence opens a new one (control)."""
    name = exchange.active()
    exchange.take(exchange.b.dispute(exchange.row(name)))
    exchange.take(exchange.a.resolve(name, Outcome.UPHELD))
    exchange.refused(exchange.c.dispute(exchange.row(name)), "evidence")
    exchange.take(exchange.c.dispute(exchange.row(name), "new"))


def test_only_the_contributor_decides_about_its_entry(exchange: Exchange) -> None:
    """Outcome and withdrawal by another are refused."""
    name = exchange.active()
    exchange.refused(exchange.b.withdraw(name), "not_yours")
    exchange.take(exchange.b.dispute(exchange.row(name)))
    exchange.refused(exchange.b.resolve(name, Outcome.CORRECTED), "not_yours")


def test_bulk_removal_waits_for_a_second_institution(exchange: Exchange) -> None:
    """Eleven at once, or ten and then one more within a week; never by its own consent."""
    names = [exchange.active() for _ in range(12)]
    many = exchange.a.withdraw(*names[:11])
    exchange.take(many)
    assert all(exchange.entry(name).is_live for name in names)
    exchange.refused(exchange.a.consent(many), "second_institution")
    exchange.take(exchange.b.consent(many))
    assert sum(exchange.entry(name).status is Status.REMOVED for name in names) == 11
    exchange.refused(exchange.b.consent(many), "proposal")
    names = [exchange.active() for _ in range(11)]
    for name in names[:10]:
        exchange.take(exchange.a.withdraw(name))
    one_more = exchange.a.withdraw(names[10])
    exchange.take(one_more)
    assert exchange.entry(names[10]).is_live
    exchange.day += 31
    exchange.refused(exchange.b.consent(one_more), "too_late")
    exchange.take(exchange.a.withdraw(names[10]))
    assert exchange.entry(names[10]).status is Status.REMOVED


def test_reversals_suspend_a_contributor_until_they_are_old(exchange: Exchange) -> None:
    """Three of a hundred are too many, two are not; a year later it may file again."""
    names = [exchange.active() for _ in range(100)]
    for name in names[:2]:
        exchange.take(exchange.b.dispute(exchange.row(name)))
        exchange.take(exchange.a.resolve(name, Outcome.CORRECTED))
    exchange.active()
    exchange.take(exchange.b.dispute(exchange.row(names[2])))
    exchange.take(exchange.a.withdraw(names[2]))  # giving in while disputed is a reversal too
    filed = exchange.a.file(exchange.a.entry("one more"))
    exchange.refused(filed, "suspended")
    exchange.active(exchange.b)
    exchange.day += 366
    exchange.active()


def test_a_small_lender_is_not_silenced_by_one_mistake(exchange: Exchange) -> None:
    """One of ten is over 2 %, but less than the least number."""
    names = [exchange.active() for _ in range(10)]
    exchange.take(exchange.b.dispute(exchange.row(names[0])))
    exchange.take(exchange.a.resolve(names[0], Outcome.CORRECTED))
    exchange.active()


def test_the_filing_quota_grows_with_verified_entries_times_accuracy() -> None:
    """base + verified × accuracy."""
    terms = Terms(filings_a_day=5)
    exchange = Exchange(terms)
    for _ in range(5):
        exchange.active()
    exchange.refused(exchange.a.file(exchange.a.entry("sixth")), "quota")
    standing, day = exchange.state.standing("L01"), TODAY.toordinal()
    assert standing.quota(day, 5, terms) == 5
    assert standing.quota(day + 90, 5, terms) == 10
    reversed_once = standing.count(day, "reversed", terms)
    assert reversed_once.quota(day + 90, 5, terms) == 5 + 4 * 4 // 5
    assert Standing("nobody").quota(day, 5, terms) == 5


def test_a_successor_replaces_when_it_becomes_active(exchange: Exchange) -> None:
    """Until then the old one answers; only its contributor can name it."""
    name = exchange.active()
    tokens = exchange.tokens(name)
    other = exchange.b.entry("x", supersedes=name, tokens=tokens)
    exchange.refused(exchange.b.file(other), "not_yours")
    filed = exchange.a.file(exchange.a.entry("x", supersedes=name, tokens=tokens))
    exchange.take(filed)
    assert exchange.entry(name).status is Status.ACTIVE
    exchange.take(exchange.a.approve(filed))
    assert exchange.entry(name).status is Status.CORRECTED


def test_nothing_expires_early_and_no_date_is_made_up(exchange: Exchange) -> None:
    """An entry cannot be listed in the future, long ago, or past its own end."""
    name = exchange.active()
    exchange.refused(exchange.expire(name), "expired")
    for days in (-40, 2):
        day = TODAY + timedelta(days=days)
        exchange.refused(exchange.a.file(exchange.a.entry("d", day=day)), "dates")
    old = TODAY - timedelta(days=400)
    phone = (token("d", "phone"),)
    exchange.refused(
        exchange.a.file(exchange.a.entry("d", tokens=phone, event_date=old, event_end_date=old)),
        "expired",
    )


def moved(entry: EntryState, epoch: int) -> tuple[SubjectToken, ...]:
    """Tokens of an entry's parts in another epoch."""
    return tuple(token(f"{entry.seq}", part.id_kind, epoch) for part in entry.parts)


def test_an_epoch_retires_only_when_every_live_entry_is_covered(exchange: Exchange) -> None:
    """Both epochs answer until then; a retired one takes no filings."""
    names = [exchange.active(), exchange.active(exchange.b), exchange.active()]
    exchange.refused(exchange.a.retire_epoch(1), "epoch")
    exchange.open(2)
    exchange.refused(exchange.a.retire_epoch(1), "uncovered")
    for name in names[:2]:
        entry = exchange.entry(name)
        lender = exchange.a if entry.contributor == "L01" else exchange.b
        exchange.refused(exchange.c.refile(entry, moved(entry, 2)), "not_yours")
        exchange.take(lender.refile(entry, moved(entry, 2)))
        exchange.refused(lender.refile(entry, moved(entry, 2)), "covered")
    exchange.refused(exchange.a.retire_epoch(1), "uncovered")
    exchange.take(exchange.a.withdraw(names[2]))
    retire = exchange.a.retire_epoch(1)
    exchange.take(retire)
    late = exchange.c.file(exchange.c.entry("late"))
    exchange.take(late)
    exchange.take(exchange.c.approve(late))  # between proposal and consent: it counts again
    exchange.refused(exchange.b.consent(retire), "uncovered")
    exchange.take(exchange.c.withdraw(late.entry.entry_id))
    exchange.take(exchange.b.consent(retire))
    exchange.refused(exchange.a.file(exchange.a.entry("old epoch")), "epoch")
    check_legal(exchange.state)


def test_a_refiling_covers_all_parts_in_force(exchange: Exchange) -> None:
    """A token left out is refused; one whose time is over may be left out."""
    day = TODAY - timedelta(days=30)
    both = (token("s"), token("s", "phone"))
    name = exchange.active(tokens=both, event_end_date=day)
    exchange.open(2)
    entry = exchange.entry(name)
    exchange.refused(exchange.a.refile(entry, (token("s", epoch=2),)), "parts")
    exchange.day += 366
    exchange.take(exchange.a.refile(entry, (token("s", epoch=2),)))
    assert exchange.entry(name).epochs == (1, 2)


def test_a_key_epoch_takes_two_institutions(exchange: Exchange) -> None:
    """And a number higher than all before."""
    exchange.refused(exchange.a.open_epoch(1), "epoch")
    proposal = exchange.a.open_epoch(2)
    exchange.take(proposal)
    exchange.refused(exchange.a.consent(proposal), "second_institution")
    filed = exchange.a.file(exchange.a.entry(tokens=(token("x", epoch=2),)))
    exchange.refused(filed, "epoch")


def test_a_gap_in_the_log_is_our_own_fault(exchange: Exchange) -> None:
    """The fold refuses a log with an event missing."""
    with pytest.raises(InternalError, match="comes after"):
        fold(exchange.log[1:])


def test_the_fold_of_a_prefix_goes_on_to_the_fold_of_all(exchange: Exchange) -> None:
    """At every place; and what was folded is not changed by going on."""
    name = exchange.active(severity=3)
    exchange.take(exchange.b.dispute(exchange.row(name)))
    whole = fold(exchange.log, TERMS)
    assert whole == exchange.state
    for place in range(len(exchange.log) + 1):
        start = fold(exchange.log[:place], TERMS)
        before = start.copy()
        assert fold(exchange.log[place:], TERMS, onto=start) == whole
        assert start == before
