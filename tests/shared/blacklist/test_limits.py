"""What bounds disputes, proposals and the growth of a quota; each attack beside its success without
the limit.
"""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.blacklist.events import Outcome
from shared.blacklist.standing import Standing
from shared.blacklist.terms import Terms
from shared.blacklist.transitions import Status
from tests.blacklist_members import TODAY
from tests.list_in_memory import Exchange

LIMITED = Terms(filings_a_day=1000)


@pytest.mark.parametrize(("days", "disputes"), [(90, 1), (0, 8)])
def test_an_upheld_entry_is_not_disputed_again_and_again(days: int, disputes: int) -> None:
    """One member, new evidence every time, an outcome every time: once in 90 days; without the
    limit as often as it likes.
    """
    exchange = Exchange(replace(LIMITED, redispute_days=days))
    row = exchange.row(name := exchange.active())
    taken = 0
    for place in range(8):
        if exchange.goes(exchange.b.dispute(row, f"letter {place}")):
            exchange.take(exchange.a.resolve(name, Outcome.UPHELD))
            taken += 1
        exchange.day += 1
    assert taken == disputes


def test_who_was_heard_waits_and_others_do_not() -> None:
    """Another member passes new facts on the same day, the same one about another entry; after 90
    days it may dispute the entry again, and is heard anew.
    """
    exchange = Exchange()
    name, other = exchange.active(), exchange.active()
    row = exchange.row(name)
    exchange.take(exchange.b.dispute(row))
    exchange.day += 5
    exchange.take(exchange.a.resolve(name, Outcome.ANNOTATED))
    exchange.refused(exchange.b.dispute(row, "more"), "heard")
    exchange.take(exchange.b.dispute(exchange.row(other)))
    exchange.take(exchange.c.dispute(row, "more"))
    exchange.take(exchange.a.resolve(name, Outcome.UPHELD))
    exchange.day += 89
    exchange.refused(exchange.b.dispute(row, "new"), "heard")
    exchange.day += 1
    exchange.take(exchange.b.dispute(row, "new"))
    exchange.take(exchange.a.resolve(name, Outcome.UPHELD))
    day = TODAY + timedelta(days=exchange.day)
    heard = {one.member: one.day for one in exchange.entry(name).heard}
    assert heard == {"L02": day, "L03": TODAY + timedelta(days=5)}


@pytest.mark.parametrize(("most", "reversals"), [(10, 10), (10**6, 40)])
def test_a_flood_of_disputes_does_not_silence(most: int, reversals: int) -> None:
    """A member disputes forty entries of a rival that has time for none: ten lapse, 2 % of its
    entries; without the limit forty lapse, and it is suspended from filing.
    """
    exchange = Exchange(replace(LIMITED, open_disputes=most))
    names = [exchange.active() for _ in range(500)]
    for name in names[:40]:
        exchange.goes(exchange.b.dispute(exchange.row(name)))
    exchange.day += 21
    lapsed = [name for name in names if exchange.entry(name).status is Status.DISPUTED]
    exchange.take(exchange.suspend(*lapsed))
    assert len(lapsed) == reversals
    assert exchange.goes(exchange.a.file(exchange.a.entry("next", exchange.today()))) == (
        reversals == 10
    )


def test_what_waits_in_time_is_bounded_for_each_pair() -> None:
    """Ten of one member against one contributor; another contributor, another member, and more when
    one has its outcome or is suspended.
    """
    exchange = Exchange()
    names = [exchange.active() for _ in range(13)]
    rows = [exchange.row(name) for name in names]
    for row in rows[:10]:
        exchange.take(exchange.b.dispute(row))
    assert exchange.state.open_disputes("L02", "L01") == 10
    exchange.refused(exchange.b.dispute(rows[10]), "open_disputes")
    exchange.take(exchange.b.dispute(exchange.row(exchange.active(exchange.c))))
    exchange.take(exchange.c.dispute(rows[10]))
    exchange.take(exchange.a.resolve(names[0], Outcome.UPHELD))
    exchange.take(exchange.b.dispute(rows[11]))
    exchange.refused(exchange.b.dispute(rows[12]), "open_disputes")
    exchange.day += 21
    exchange.take(exchange.suspend(names[1]))
    exchange.take(exchange.b.dispute(rows[12]))


def test_own_disputes_are_counted_as_removals_alone() -> None:
    """They silence nobody; what bounds them is the limit on removals."""
    exchange = Exchange(replace(LIMITED, bulk_entries=12))
    names = [exchange.active() for _ in range(12)]
    for name in names:
        exchange.take(exchange.a.dispute(exchange.row(name)))
    assert all(exchange.entry(name).status is Status.DISPUTED for name in names)


@pytest.mark.parametrize(("most", "taken"), [(20, 20), (10**6, 60)])
def test_proposals_do_not_fill_the_log(most: int, taken: int) -> None:
    """Sixty of one day, key epochs and bulk removals: twenty are taken; without the quota all are.
    Others go on, and so does the member the next day.
    """
    exchange = Exchange(replace(LIMITED, proposals_a_day=most))
    exchange.open(2)
    names = [exchange.active(exchange.c) for _ in range(11)]
    made = 0
    for _ in range(30):
        made += exchange.goes(exchange.c.open_epoch(3))
        made += exchange.goes(exchange.c.withdraw(*names))
    assert made == taken
    exchange.take(exchange.b.open_epoch(3))
    exchange.day += 1
    exchange.take(exchange.c.open_epoch(3))


def ending_soon(exchange: Exchange, severity: int) -> dict[str, object]:
    """Dates of an entry that ends tomorrow."""
    event = exchange.today().replace(year=exchange.today().year - 5) + timedelta(days=1)
    return {"event_date": event, "event_end_date": event, "severity": severity}


def grown(terms: Terms, severity: int, *, lasting: bool) -> tuple[Standing, int]:
    """The standing and the quota, base 5, after five entries; the day is 90 later, or the next if
    another institution stands behind them.
    """
    exchange = Exchange(terms)
    for _ in range(5):
        exchange.active(**({"severity": severity} if lasting else ending_soon(exchange, severity)))  # type: ignore[arg-type]
    day = TODAY.toordinal() + (1 if severity == 3 else terms.verified_days)
    standing = exchange.state.standing("L01")
    return standing, standing.quota(day, 5, terms)


@pytest.mark.parametrize("severity", [2, 3])
def test_entries_that_end_at_once_verify_nothing(severity: int) -> None:
    """Alone or with a friend that approves them: the quota stays 5; with lasting ones it is 10, and
    so it would be if every approval counted.
    """
    terms = Terms(filings_a_day=5)
    standing, quota = grown(terms, severity, lasting=False)
    assert quota == 5
    assert sum(one.approved for one in standing.days) == 5
    assert grown(terms, severity, lasting=True)[1] == 10
    counting_all = replace(
        standing,
        days=tuple(
            replace(one, lasting=one.approved, corroborated=one.approved) for one in standing.days
        ),
    )
    day = TODAY.toordinal() + (1 if severity == 3 else terms.verified_days)
    assert counting_all.quota(day, 5, terms) == 10


def test_an_entry_that_lasts_exactly_as_long_counts() -> None:
    """One day shorter it does not."""
    for days, counted in ((90, 1), (89, 0)):
        exchange = Exchange()
        end = exchange.today() + timedelta(days=days)
        event = end.replace(year=end.year - 5)
        exchange.active(event_date=event, event_end_date=event)
        assert exchange.state.standing("L01").days[-1].lasting == counted
