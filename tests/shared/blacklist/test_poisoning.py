"""List poisoning as THREATS has it: one lender lists 1,000 good customers of a rival. Each defence
beside the same attack without it.
"""

import pytest

from shared.blacklist import filing_rules
from shared.blacklist.events import File
from shared.blacklist.terms import Terms
from tests.blacklist_members import Lender
from tests.list_in_memory import Exchange

CUSTOMERS = 1000


def entry(exchange: Exchange, number: int, severity: int = 2) -> File:
    """The attacker's filing about one customer."""
    day = exchange.today()
    return exchange.a.file(exchange.a.entry(f"customer {number}", day=day, severity=severity))


@pytest.mark.parametrize(
    ("terms", "listed"), [(Terms(), 200), (Terms(filings_a_day=CUSTOMERS), CUSTOMERS)]
)
def test_a_day_takes_no_more_than_the_quota(terms: Terms, listed: int) -> None:
    """Of 1,000 filings of one day 200 are taken; without the quota all are on the list."""
    exchange = Exchange(terms)
    for number in range(CUSTOMERS):
        if exchange.goes(filed := entry(exchange, number)):
            exchange.take(exchange.a.approve(filed))
    assert exchange.answering(exchange.a) == listed


@pytest.mark.parametrize(
    ("terms", "filed"), [(Terms(), 21 * 40), (Terms(least_reversals=10**6), CUSTOMERS)]
)
def test_disputes_end_a_patient_attack(terms: Terms, filed: int) -> None:
    """Forty a day, and those of the first day disputed, without an outcome: no filing from day 21,
    840 filed, the disputed ones off the list. Without the rule on reversals all 1,000 are filed.
    """
    exchange = Exchange(terms)
    others = [exchange.b, exchange.c, Lender.of("L04"), Lender.of("L05")]
    taken: list[File] = []
    for number in range(CUSTOMERS):
        if number and number % 40 == 0:
            exchange.day += 1
        if exchange.day == 21 and number % 40 == 0:
            exchange.take(exchange.suspend(*[one.entry.entry_id for one in taken[:40]]))
        if exchange.goes(one := entry(exchange, number)):
            exchange.take(exchange.a.approve(one))
            taken.append(one)
        if number == 39:
            for place, victim in enumerate(taken[:40]):  # ten of a member's wait at a time
                exchange.take(others[place // 10].dispute(victim))
    assert len(taken) == filed
    assert exchange.answering(exchange.a) == filed - 40
    exchange.active(exchange.b)  # others go on


@pytest.mark.parametrize(("two", "listed"), [(True, 0), (False, 200)])
def test_the_gravest_entries_need_another_lender(
    two: bool, listed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None of its entries of severity 3 is on the list; without the second institution they are."""
    if not two:
        monkeypatch.setattr(filing_rules, "wants_two", lambda *_: False)
    exchange = Exchange(Terms())
    for number in range(CUSTOMERS):
        if exchange.goes(filed := entry(exchange, number, severity=3)):
            exchange.take(exchange.a.approve(filed))
    assert exchange.answering(exchange.a) == listed
