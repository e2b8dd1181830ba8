"""What waits for approval is bounded and ends by itself. Each attack beside its success without the
limit.
"""

from dataclasses import replace

import pytest

from shared.blacklist.legality import check_legal
from shared.blacklist.terms import Terms
from shared.blacklist.transitions import Status
from tests.list_in_memory import TERMS, Exchange

FEW = replace(TERMS, pending=5)


def test_nobody_fills_the_registry_with_what_it_never_approves() -> None:
    """Of nine filings five wait; without the limit all do. Others go on."""
    for terms, waiting in ((FEW, 5), (TERMS, 9)):
        exchange = Exchange(terms)
        for number in range(9):
            exchange.goes(exchange.a.file(exchange.a.entry(f"customer {number}")))
        assert exchange.state.pending("L01") == waiting
        exchange.active(exchange.b)
        check_legal(exchange.state, terms)


def test_what_was_approved_or_ended_makes_room() -> None:
    """Approved, withdrawn or lapsed: one more each."""
    exchange = Exchange(FEW)
    names = [exchange.put(Status.PENDING_REVIEW) for _ in range(5)]
    exchange.refused(exchange.a.file(exchange.a.entry("sixth")), "pending")
    exchange.take(exchange.a.approve(exchange.filing(names[0])))
    exchange.put(Status.PENDING_REVIEW)
    exchange.refused(exchange.a.file(exchange.a.entry("seventh")), "pending")
    exchange.take(exchange.a.withdraw(names[1]))
    exchange.put(Status.PENDING_REVIEW)
    exchange.day += 31
    exchange.take(exchange.expire(*names[2:]))
    assert exchange.state.pending("L01") == 2


@pytest.mark.parametrize(("days", "ends"), [(30, True), (5000, False)])
def test_an_entry_that_nobody_approves_lapses(days: int, ends: bool) -> None:
    """After 30 days, not on the last of them, and it can be approved until it has; its contributor
    files it anew. With terms that let it wait it stays for years.
    """
    exchange = Exchange(replace(TERMS, consent_days=days))
    filed = exchange.a.file(exchange.a.entry(severity=3))
    exchange.take(filed)
    exchange.day += 30
    exchange.refused(exchange.expire(filed.entry.entry_id), "expired")
    exchange.day += 1
    if not ends:
        exchange.refused(exchange.expire(filed.entry.entry_id), "expired")
        return
    exchange.take(exchange.a.approve(filed))
    exchange.take(exchange.expire(filed.entry.entry_id))
    assert exchange.entry(filed.entry.entry_id).status is Status.EXPIRED
    assert exchange.state.standing("L01").days[-1].reversed == 0
    check_legal(exchange.state, exchange.terms)
    exchange.active(severity=3)


def test_an_entry_that_answers_does_not_lapse() -> None:
    """Only its own last day ends it."""
    exchange = Exchange()
    name = exchange.active()
    exchange.day += 31
    exchange.refused(exchange.expire(name), "expired")


def test_the_default_is_four_hundred() -> None:
    """As many as one event of the registry names."""
    assert (Terms().pending, Terms().consent_days) == (400, 30)
