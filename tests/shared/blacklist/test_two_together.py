"""Two members that approve for each other, and entries too short-lived for an outcome: neither gets
round the limits of one. Each attack beside its success without the limit.
"""

from dataclasses import replace

import pytest

from shared.blacklist.legality import check_legal
from shared.blacklist.standing import Standing
from shared.blacklist.terms import Terms
from shared.blacklist.transitions import Status
from tests.list_in_memory import Exchange
from tests.shared.blacklist.test_limits import ending_soon

SMALL = Terms(filings_a_day=10, seconds_a_day=10**6)


def verified_at_once(self: Standing, day: int, base: int, terms: Terms) -> int:
    """The earlier rule: what two stand behind counts on the same day, all of it."""
    return self.since(day, terms.verified_days, "corroborated")


def filed_together(exchange: Exchange, most: int = 300) -> int:
    """How many of severity 3 A files today and B approves, one after the other."""
    for number in range(most):
        filed = exchange.a.file(
            exchange.a.entry(f"customer {number}", exchange.today(), severity=3)
        )
        if not (exchange.goes(filed) and exchange.goes(exchange.b.approve(filed))):
            return number
        exchange.take(exchange.a.approve(filed))
    return most


@pytest.mark.parametrize("limited", [True, False])
def test_two_members_have_a_quota(limited: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten on the first day, and never more than twice ten on the next; were they counted at once,
    as many as they like.
    """
    if not limited:
        monkeypatch.setattr(Standing, "verified", verified_at_once)
    exchange = Exchange(SMALL)
    days = []
    for _ in range(4 if limited else 1):
        days.append(filed_together(exchange))
        exchange.day += 1
    assert days == ([10, 20, 20, 20] if limited else [300])


@pytest.mark.parametrize(("most", "taken"), [(5, 5), (10**6, 30)])
def test_a_member_approves_so_many_of_others_a_day(most: int, taken: int) -> None:
    """The sixth is refused; without the limit none. Own entries do not count, others go on, and so
    does the member the next day.
    """
    exchange = Exchange(Terms(seconds_a_day=most))
    assert filed_together(exchange, 30) == taken
    exchange.active(exchange.b)
    check_legal(exchange.state, exchange.terms)
    filed = exchange.a.file(exchange.a.entry("one more", severity=3))
    exchange.take(filed)
    exchange.take(exchange.c.approve(filed))
    exchange.day += 1
    late = exchange.a.file(exchange.a.entry("late", exchange.today(), severity=3))
    exchange.take(late)
    exchange.take(exchange.b.approve(late))


@pytest.mark.parametrize("counted", [True, False])
def test_an_entry_that_ends_disputed_counts_as_reversed(
    counted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three that end tomorrow, each disputed today: the contributor files no more. Were the end of
    a dispute with the entry's no reversal, it would go on.
    """
    if not counted:
        monkeypatch.setattr("shared.blacklist.turn.Turn.reversed", lambda _, entry: entry)
    exchange = Exchange()
    names = [exchange.active(**ending_soon(exchange, 2)) for _ in range(3)]  # type: ignore[arg-type]
    for name in names:
        exchange.take(exchange.b.dispute(exchange.row(name)))
    exchange.day += 1
    exchange.take(exchange.expire(*names))
    reversals = exchange.state.standing("L01").since(10**7, 10**7, "reversed")
    assert reversals == (3 if counted else 0)
    filed = exchange.a.file(exchange.a.entry("next", exchange.today()))
    assert exchange.goes(filed) != counted


def test_an_entry_counts_once_and_an_undisputed_one_not_at_all() -> None:
    """Suspended, then expired: one reversal; ended in peace: none."""
    exchange = Exchange()
    name, calm = exchange.active(), exchange.active()
    exchange.take(exchange.b.dispute(exchange.row(name)))
    exchange.day += 21
    exchange.take(exchange.suspend(name))
    exchange.day += 10
    day = exchange.today().toordinal()
    for entry in (name, calm):
        kept = exchange.state.entries[entry]
        exchange.state.entries[entry] = replace(kept, expires=exchange.today())
    exchange.take(exchange.expire(name, calm))
    assert exchange.entry(name).status is exchange.entry(calm).status is Status.EXPIRED
    assert exchange.state.standing("L01").since(day, 365, "reversed") == 1
    assert (exchange.entry(name).reversed, exchange.entry(calm).reversed) == (True, False)
