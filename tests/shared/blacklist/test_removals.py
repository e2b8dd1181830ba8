"""No way around "bulk removal takes two institutions"; each attack beside its success without the
rule.
"""

from datetime import timedelta

import pytest

from shared.blacklist import filing_rules, lifecycle
from shared.blacklist.entry import SubjectToken
from shared.blacklist.events import File, Outcome
from shared.blacklist.terms import Terms
from shared.blacklist.transitions import Status
from tests.blacklist_members import TODAY, token
from tests.list_in_memory import Exchange

LISTED = 60
RULED, UNRULED = Terms(), Terms(bulk_entries=10**6)


@pytest.fixture
def exchange() -> Exchange:
    """A list with an open key epoch."""
    return Exchange()


def listed(terms: Terms) -> tuple[Exchange, list[bytes]]:
    """A list with 60 entries of one lender."""
    exchange = Exchange(terms)
    return exchange, [exchange.active() for _ in range(LISTED)]


def successor(
    exchange: Exchange,
    old: bytes,
    tokens: tuple[SubjectToken, ...] | None = None,
    *,
    ends_tomorrow: bool = False,
) -> File:
    """The filing of an entry that supersedes, by default about the same subject."""
    day = TODAY + timedelta(days=exchange.day)
    event = day.replace(year=day.year - 5) + timedelta(days=1)
    dates = {"event_date": event, "event_end_date": event} if ends_tomorrow else {}
    entry = exchange.a.entry(
        day=day, supersedes=old, tokens=tokens or exchange.tokens(old), **dates
    )
    return exchange.a.file(entry)


@pytest.mark.parametrize(("terms", "left"), [(RULED, LISTED - 10), (UNRULED, 0)])
def test_own_disputes_do_not_clear_a_list(terms: Terms, left: int) -> None:
    """Disputing and correcting one's own entries ends after ten a week; without the rule all go."""
    exchange, names = listed(terms)
    for place, name in enumerate(names):
        if exchange.goes(exchange.a.dispute(exchange.row(name), str(place))):
            exchange.take(exchange.a.resolve(name, Outcome.CORRECTED))
        if (place + 1) % 50 == 0:
            exchange.day += 1  # the quota of disputes is another rule
    assert exchange.answering() == left


@pytest.mark.parametrize(("terms", "left"), [(RULED, LISTED - 10), (UNRULED, 0)])
def test_own_disputes_left_to_lapse_do_not_clear_a_list(terms: Terms, left: int) -> None:
    """An own dispute counts when it is opened: the registry's suspension takes no more off."""
    exchange, names = listed(terms)
    disputed = []
    for place, name in enumerate(names):
        if exchange.goes(exchange.a.dispute(exchange.row(name), str(place))):
            disputed.append(name)
        if (place + 1) % 50 == 0:
            exchange.day += 1
    exchange.day += 21
    exchange.take(exchange.suspend(*disputed))
    assert exchange.answering() == left


def test_an_own_dispute_flags_at_once_and_another_member_may_go_on(exchange: Exchange) -> None:
    """A subject that comes to the contributor is flagged the same day; beyond ten a week another
    member passes it on, and what is corrected then counts as nobody's removal alone.
    """
    names = [exchange.active() for _ in range(22)]
    for name in names[:10]:
        exchange.take(exchange.a.dispute(exchange.row(name)))
        assert exchange.entry(name).status is Status.DISPUTED
    exchange.refused(exchange.a.dispute(exchange.row(names[10])), "bulk")
    for name in names[10:]:
        exchange.take(exchange.b.dispute(exchange.row(name)))
        exchange.take(exchange.a.resolve(name, Outcome.CORRECTED))
    exchange.take(exchange.a.withdraw(names[0]))  # counted when it was disputed
    assert exchange.entry(names[0]).status is Status.REMOVED


@pytest.mark.parametrize("ruled", [True, False])
def test_entries_about_others_supersede_nothing(
    ruled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixty entries that name one's own, are about others and end tomorrow change nothing; without
    the rules the list is empty two days later, and nobody is suspended.
    """
    if not ruled:
        monkeypatch.setattr(filing_rules, "is_about_another", lambda *_: False)
        monkeypatch.setattr(filing_rules, "wants_two", lambda _, entry, *__: entry.severity == 3)
    exchange, names = listed(RULED if ruled else UNRULED)
    for place, name in enumerate(names):
        filed = successor(exchange, name, (token(f"other {place}"),), ends_tomorrow=True)
        if exchange.goes(filed):
            exchange.take(exchange.a.approve(filed))
    exchange.day += 2
    over = [one for one in exchange.state.entries.values() if one.is_live and one.seq > 2]
    over = [one for one in over if one.expires <= TODAY + timedelta(days=exchange.day)]
    if over:
        exchange.take(exchange.expire(*[one.entry_id for one in over]))
    assert exchange.answering() == (LISTED if ruled else 0)
    exchange.active()


def test_superseding_is_removal_and_beyond_ten_a_second_institution_approves(
    exchange: Exchange,
) -> None:
    """The eleventh of a week waits, and answers once another approved it; a week later the
    contributor may go on alone.
    """
    names = [exchange.active() for _ in range(13)]
    for name in names[:10]:
        filed = successor(exchange, name)
        exchange.take(filed)
        exchange.take(exchange.a.approve(filed))
        assert exchange.entry(name).status is Status.CORRECTED
    exchange.refused(exchange.a.dispute(exchange.row(names[11])), "bulk")
    exchange.take(withdrawal := exchange.a.withdraw(names[12]))
    assert exchange.state.proposals[withdrawal.event_id].entries == (names[12],)
    filed = successor(exchange, names[10])
    exchange.take(filed)
    exchange.refused(exchange.b.approve(filed), "approved")  # its own checker comes first
    exchange.take(exchange.a.approve(filed))
    assert exchange.entry(filed.entry.entry_id).status is Status.PENDING_REVIEW
    assert exchange.entry(names[10]).status is Status.ACTIVE
    exchange.take(exchange.b.approve(filed))
    assert exchange.entry(names[10]).status is Status.CORRECTED
    exchange.day += 7
    filed = successor(exchange, names[11])
    exchange.take(filed)
    exchange.take(exchange.a.approve(filed))
    assert exchange.entry(names[11]).status is Status.CORRECTED


def test_an_entry_that_ends_sooner_needs_a_second_institution(exchange: Exchange) -> None:
    """Even the first; one that ends as late does not (control)."""
    name, other = exchange.active(), exchange.active()
    filed = successor(exchange, name, ends_tomorrow=True)
    exchange.take(filed)
    exchange.take(exchange.a.approve(filed))
    assert exchange.entry(name).status is Status.ACTIVE
    exchange.take(exchange.b.approve(filed))
    assert exchange.entry(name).status is Status.CORRECTED
    filed = successor(exchange, other)
    exchange.take(filed)
    exchange.take(exchange.a.approve(filed))
    assert exchange.entry(other).status is Status.CORRECTED


def test_a_successor_may_share_the_tokens_of_any_epoch(exchange: Exchange) -> None:
    """After a re-filing the old entry is known under both keys; a token of another kind or epoch
    is another token.
    """
    name = exchange.active()
    exchange.open(2)
    exchange.take(exchange.a.refile(exchange.entry(name), (token("s", epoch=2),)))
    for tokens in ((token("s", epoch=1),), (token("s", "passport", epoch=2),)):
        exchange.refused(successor(exchange, name, tokens), "another_subject")
    exchange.take(successor(exchange, name, (token("s", epoch=2), token("t", epoch=2))))
    exchange.take(successor(exchange, name))


def test_the_fold_agrees_after_tokens_were_erased(exchange: Exchange) -> None:
    """A successor is judged when it comes; a log without tokens gives the same state."""
    name = exchange.active()
    filed = successor(exchange, name)
    exchange.take(filed)
    exchange.take(exchange.a.approve(filed))
    bare = [
        lifecycle.Logged(one.seq, one.received, lifecycle.events.stripped(one.event))
        for one in exchange.log
    ]
    assert lifecycle.fold(bare, exchange.terms) == exchange.state
