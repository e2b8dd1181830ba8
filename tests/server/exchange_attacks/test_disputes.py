"""Disputes that a contributor turns away, and disputes that silence one; on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from shared.blacklist.events import Outcome
from shared.blacklist.row_names import row_name
from shared.blacklist.rows import Flag
from shared.blacklist.terms import Terms
from shared.blacklist.transitions import Status
from tests.blacklist_members import Lender, hashed, token
from tests.list_registry import TERMS, Served

UNLIMITED = replace(TERMS, redispute_days=0, open_disputes=10**6, disputes_a_day=10**6)


@pytest.fixture
def served(list_url: str) -> Iterator[Served]:
    """With the limits of every list."""
    yield from open_list(list_url, TERMS)


@pytest.fixture
def unlimited(list_url: str) -> Iterator[Served]:
    """Without them."""
    yield from open_list(list_url, UNLIMITED)


def open_list(url: str, terms: Terms) -> Iterator[Served]:
    served = Served(url, terms=terms)
    served.found()
    yield served
    served.close()


def test_a_dispute_meets_whoever_filed_the_row(served: Served) -> None:
    """A liar and a rival list the same subject. Who disputes the liar's row, by what the list shows
    alone, meets the liar's entry and not the rival's: flag and status are where they belong. A
    name that no row has meets nothing.

    Control: before, a dispute named what the liar had sealed into its record as entry number. It
    may seal any bytes, so the rival's number still goes into the record here, and a dispute that
    names it (all a member could do then) would have met the rival's entry: that is the entry under
    this number. As the name of a row it meets nothing.
    """
    rival = served.active(served.b, "subject")[0]
    number = rival.entry.entry_id
    liar = served.a.file(served.a.entry("subject"))
    forged = number + liar.sealed[0][16:]
    liar = served.a.sign(replace(liar, sealed=(forged,)))
    served.take(served.a, liar, served.a.approve(liar))
    served.publish()
    (row,) = [one for one in served.rows() if one.sealed == forged]
    assert served.own(served.b, number).entry_id == number  # whom the number points to
    padded = number + bytes(hashed("pad", 16))
    assert served.refused(served.c, served.c.dispute(padded)) == "unknown"
    served.take(served.c, served.c.dispute(row_name(row.tag, row.sealed)))
    assert served.own(served.a, liar.entry.entry_id).status is Status.DISPUTED
    assert served.own(served.b, number).status is Status.ACTIVE
    served.publish()
    assert {one.sealed: one.flags for one in served.rows()} == {
        forged: Flag.DISPUTED,
        rival.sealed[0]: Flag(0),
    }
    served.restart()


def test_every_row_of_an_entry_leads_to_it_as_long_as_it_lives(served: Served) -> None:
    """Each of its tokens, of each key epoch; when it has ended none does."""
    both = (token("s"), token("s", "phone"))
    filed = served.active(served.a, "s", tokens=both)[0]
    name = filed.entry.entry_id
    served.open_epoch(2)
    moved = served.a.refile(filed.entry, (token("s", epoch=2), token("s", "phone", epoch=2)))
    served.take(served.a, moved)
    rows = [
        row_name(one.token, sealed)
        for event in (filed, moved)
        for one, sealed in zip(event.tokens, event.sealed, strict=True)
    ]
    assert len({*rows}) == 4
    for turn, row in enumerate(rows):
        lender = (served.b, served.c)[turn % 2]
        served.clock.forward(days=served.terms.redispute_days)
        served.take(lender, lender.dispute(row, f"letter {turn}"))
        assert served.own(served.a, name).disputed_by == lender.code
        served.take(served.a, served.a.resolve(name, Outcome.UPHELD))
    served.take(served.a, served.a.withdraw(name))
    for row in rows:
        assert served.refused(served.b, served.b.dispute(row, "last")) == "unknown"
    served.restart()


def harass(served: Served, subjects: int, rounds: int) -> tuple[int, int]:
    """L02 disputes each of L01's entries in rounds, with another letter each time, and L01 upholds
    what it gets to; in the end it misses the rest. How many disputes were taken, and how many of
    L01's entries the registry suspended for it.
    """
    filed = served.active(served.a, *[f"s{number}" for number in range(subjects)])
    taken = 0
    for turn in range(rounds):
        for one in filed:
            taken += dispute(served, served.b, one, f"letter {turn}")
            if turn < rounds - 1:
                served.answers(served.a, served.a.resolve(one.entry.entry_id, Outcome.UPHELD))
    served.clock.forward(days=served.terms.dispute_days + 1)
    served.publish()
    statuses = [one.status for one in served.registry.own("L01")]
    return taken, statuses.count(Status.SUSPENDED)


def dispute(served: Served, lender: Lender, filed: object, letter: str) -> bool:
    (answer,) = served.answers(lender, lender.dispute(filed, letter))  # type: ignore[arg-type]
    return hasattr(answer, "seq")


def test_an_upheld_entry_is_not_disputed_again_by_the_same_member(served: Served) -> None:
    """Of four rounds of disputes the first is heard, the others are refused, and nobody is
    suspended for want of time. Another member is heard, and after the time so is the same.
    """
    taken, suspended = harass(served, subjects=4, rounds=4)
    assert (taken, suspended) == (4, 0)
    (entry, *_) = served.active(served.a, "other")
    served.take(served.b, served.b.dispute(entry))
    name = entry.entry.entry_id
    served.take(served.a, served.a.resolve(name, Outcome.UPHELD))
    assert served.refused(served.b, served.b.dispute(entry, "again")) == "heard"
    served.take(served.c, served.c.dispute(entry, "another member's"))
    served.take(served.a, served.a.resolve(name, Outcome.ANNOTATED))
    served.clock.forward(days=served.terms.redispute_days - 1)
    assert served.refused(served.b, served.b.dispute(entry, "soon")) == "heard"
    served.clock.forward(days=1)
    served.take(served.b, served.b.dispute(entry, "much later"))
    served.restart()


def test_without_the_limit_it_goes_on_until_the_contributor_is_silenced(unlimited: Served) -> None:
    """Positive control: every round is taken, and what L01 does not get to in time ends its
    filing.
    """
    taken, suspended = harass(unlimited, subjects=4, rounds=4)
    assert (taken, suspended) == (16, 4)
    filing = unlimited.a.file(unlimited.a.entry("next"))
    assert unlimited.refused(unlimited.a, filing) == "suspended"


def test_one_member_has_few_disputes_open_against_another(served: Served) -> None:
    """The eleventh is refused, of another member or against another it is not; when one has its
    outcome there is room again. The database counts as the rules do (restart).
    """
    most = served.terms.open_disputes
    filed = served.active(served.a, *[f"s{number}" for number in range(most + 1)])
    served.take(served.b, *[served.b.dispute(one) for one in filed[:most]])
    assert served.refused(served.b, served.b.dispute(filed[most])) == "open_disputes"
    (other,) = served.active(served.c, "of another")
    served.take(served.b, served.b.dispute(other))
    served.take(served.a, served.a.resolve(filed[0].entry.entry_id, Outcome.UPHELD))
    served.take(served.b, served.b.dispute(filed[most]))
    assert served.refused(served.b, served.b.dispute(filed[0], "again")) == "heard"
    served.restart()
    name = filed[1].entry.entry_id
    served.take(served.a, served.a.resolve(name, Outcome.CORRECTED))
    (more,) = served.active(served.a, "more")
    served.take(served.b, served.b.dispute(more))


def test_a_member_floods_nobody_with_proposals(served: Served) -> None:
    """The twenty-first of a day is refused; the next day it goes on, and others go on at once."""
    most = served.terms.proposals_a_day
    served.open_epoch(2)
    served.clock.forward(days=1)
    served.take(served.a, *[served.a.retire_epoch(1) for _ in range(most)])
    assert served.refused(served.a, served.a.retire_epoch(1)) == "quota"
    served.take(served.c, served.c.retire_epoch(1))
    served.clock.forward(days=1)
    served.take(served.a, served.a.retire_epoch(1))
