"""What is a ring, what is not, and what an attacker can do about it."""

from dataclasses import replace

import numpy as np
import pytest
from rings_worlds import (
    BUILDING,
    CARD,
    CONTACT,
    DEVICE,
    EMPLOYER,
    GUARANTOR,
    PAYEE,
    PHONE,
    UNIT,
    WIFI,
    Rows,
    family,
    ring,
)

from shared.errors import OperatorError, PeerError
from shared.rings import absorption
from shared.rings.candidates import Candidates
from shared.rings.columns import Ints
from shared.rings.detect import Detection, detect, flagged
from shared.rings.edges import Edges
from shared.rings.graph import Graph
from shared.rings.kinds import Terms
from shared.rings.motifs import Motif


def found(rows: Rows, week: int = 14, **more: object) -> Detection:
    return detect(Edges.of(rows), week=week, **more)  # type: ignore[arg-type]


def test_a_ring_is_found_whole_with_its_reasons() -> None:
    """Six subjects over devices, cards and phones: all of them, scored high, each kind named."""
    (one,) = found(ring()).rings
    assert one.members == tuple(range(6))
    assert one.score > 80
    assert {reason.name for reason in one.reasons} == {"device", "bank_card", "phone"}
    assert sorted(one.edges) == list(range(18))
    assert (one.first_week, one.last_week) == (10, 12)
    assert all(0 < strength <= 1 for strength in one.strength)


def dormitory() -> Rows:
    """Fifty people: one building, one network, rooms of five, one employer."""
    return [
        row
        for who in range(50)
        for row in (
            (who, 1, BUILDING, who % 20, 0),
            (who, 2, WIFI, who % 20, 0),
            (who, 10 + who // 5, UNIT, who % 20, 0),
            (who, 3, EMPLOYER, who % 20, 0),
        )
    ]


def factory() -> Rows:
    """Two hundred at one employer; every contact is a foreman named by ten."""
    return [
        row
        for who in range(200)
        for row in ((who, 1, EMPLOYER, who % 26, 0), (who, 10 + who // 10, CONTACT, who % 26, 0))
    ]


def call_centre() -> Rows:
    """Eighty on one office phone and network."""
    return [
        row
        for who in range(80)
        for row in ((who, 1, PHONE, who % 26, 0), (who, 2, WIFI, who % 26, 0))
    ]


def agent_tablet() -> Rows:
    """Forty customers through one device, with an agent's network."""
    return [
        row
        for who in range(40)
        for row in ((who, 1, DEVICE, who % 26, 0), (who, 2, WIFI, who % 26, 0))
    ]


def village() -> Rows:
    """Sixty who pay one cooperative over half a year; neighbours in one building each."""
    return [
        row
        for who in range(60)
        for row in ((who, 1, PAYEE, who % 26, 1 + who % 5), (who, 10 + who // 6, BUILDING, 3, 0))
    ]


def couples() -> Rows:
    """Two couples at a home each; husband and wife guarantee for each other and share a device."""
    return [
        row
        for who in range(4)
        for row in (
            (who, 1 + who // 2, UNIT, 5, 0),
            (who, 3 + who // 2, GUARANTOR, 5, 0),
            (who, 5 + who // 2, DEVICE, 6, 0),
            (who, 7 + who // 2, PHONE, 6, 0),
        )
    ]


@pytest.mark.parametrize(
    "innocent",
    [dormitory, factory, call_centre, agent_tablet, village, couples, lambda: family(0, 1)],
    ids=["dormitory", "factory", "call_centre", "tablet", "village", "couples", "family"],
)
def test_the_innocent_are_left_in_peace(innocent) -> None:  # type: ignore[no-untyped-def]
    """People who share a home, a workplace, an agent or a shop are in no ring and get no flag."""
    detection = found(innocent(), week=26)
    assert flagged(detection) == set()
    assert all(detection.flag(who) is None for who in range(200))


def test_one_kind_alone_stays_below_the_floor() -> None:
    """Five subjects on two devices they all share: redundant, yet of a single kind."""
    (one,) = found([(who, at, DEVICE, 10, 0) for who in range(5) for at in (1, 2)]).rings
    assert one.score == Terms().unproved


def test_a_second_kind_lifts_the_same_group() -> None:
    """Positive control: with cards in place of the second device it is a ring."""
    rows = [(who, 1, DEVICE, 10, 0) for who in range(5)]
    rows += [(who, 2 + who % 2, CARD, 10, 0) for who in range(5)]
    assert found(rows).rings[0].score > Terms().unproved


def test_listing_everyone_proves_nothing() -> None:
    """Listed members do not lift a group over the floor."""
    rows = [(who, at, DEVICE, 10, 0) for who in range(5) for at in (1, 2)]
    assert found(rows, seeds=range(5)).rings[0].score == Terms().unproved


def test_a_listed_member_adds_to_a_ring() -> None:
    """The same ring scores more when one of it is on the list, less when it is long ago."""
    now = found(ring()).rings[0].score
    assert found(ring(), seeds=[0]).rings[0].score > now > found(ring(), week=40).rings[0].score


def test_money_in_a_circle_is_a_ring() -> None:
    """Five pay the next one's account within a week: a cycle, and no other tie is needed."""
    rows: Rows = [(who, who, CARD, 5, 0) for who in range(5)]
    rows += [(who, (who + 1) % 5, PAYEE, 10 + (who > 2), 4) for who in range(5)]
    (one,) = found(rows).rings
    assert Motif.CYCLE in one.motifs
    assert one.score >= 60
    assert one.members == tuple(range(5))


def test_money_that_shrinks_is_no_circle() -> None:
    """Negative control: each hop keeps half, so nothing comes round."""
    rows: Rows = [(who, who, CARD, 5, 0) for who in range(5)]
    rows += [(who, (who + 1) % 5, PAYEE, 10, 10 - who) for who in range(5)]
    assert all(Motif.CYCLE not in each.motifs for each in found(rows).rings)


def test_one_planted_edge_convicts_nobody() -> None:
    """A rival's customer put on a ring's device is no member; the flag says one step, no more."""
    detection = found([*ring(), (77, 1000, DEVICE, 11, 0)])
    assert 77 not in flagged(detection)
    flag = detection.flag(77)
    assert flag is not None
    assert flag.distance == 1


def test_a_customer_with_two_such_edges_is_a_member() -> None:
    """Positive control: with the ring's phone as well the same customer is one of them."""
    rows = [
        *ring(size=3),
        *ring(3, 1050, size=3),
        (77, 1000, DEVICE, 11, 0),
        (77, 1050, CARD, 11, 0),
    ]
    assert 77 in flagged(found(rows))


def hanging_on(week: int) -> Rows:
    """A ring of three and three, each with a contact that a seventh names, too."""
    contacts = [(who, 2000 + who // 3, CONTACT, 10 + who % 3, 0) for who in range(6)]
    return [*ring(), *contacts, *((77, 2000 + at, CONTACT, week, 0) for at in (0, 1))]


@pytest.mark.parametrize("week", [12, 16, 22])
def test_who_hangs_on_two_less_rare_things_belongs_to_the_ring(
    week: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Contacts are too common to make a group, and two of a ring's are no chance; nobody is taken
    in without that step (control). That relatives name each other is left out here.
    """
    assert flagged(found(hanging_on(week), week=25, terms=KIN)) == {*range(6), 77}
    monkeypatch.setattr(absorption, "_tied", none_tied)
    assert flagged(found(hanging_on(week), week=25, terms=KIN)) == set(range(6))


KIN = replace(Terms(), worth_kin=0.0)


@pytest.mark.parametrize("kind", [CONTACT, GUARANTOR])
def test_who_names_the_same_contact_is_less_of_a_ring(kind: int) -> None:
    """Relatives do; without that term it weighs for a ring (control)."""
    named: Rows = [(who, 2000 + who // 3, kind, 10 + who % 3, 0) for who in range(6)]
    rows = [*ring(), *named]

    def score(terms: Terms) -> float:
        return found(rows, terms=terms).rings[0].score

    plain = found(ring()).rings[0].score
    assert score(Terms()) < plain
    assert score(KIN) > plain


@pytest.mark.parametrize(("other", "households"), [(5, 2), (0, 1)])
def test_friends_of_one_member_are_not_taken_in(other: int, households: int) -> None:
    """Who shares telephones with two of a ring belongs to it, who shares both with one is that
    one's friend; were one household enough (control), a member.
    """
    rows: Rows = [*ring(), (0, 3000, PHONE, 10, 0), (other, 3001, PHONE, 10 + other % 3, 0)]
    rows += [(77, thing, PHONE, 12, 0) for thing in (3000, 3001)]
    one = replace(Terms(), least_partners=1)
    assert (77 in flagged(found(rows, week=25))) == (households == 2)
    assert 77 in flagged(found(rows, week=25, terms=one))


def none_tied(rings: Candidates, *more: object) -> tuple[Candidates, Ints]:
    return rings.take(np.zeros(0, dtype=np.int64)), np.zeros(0, dtype=np.int64)


def test_flags_tell_the_distance() -> None:
    """Members are at 0, who shares a thing with them at 1, who shares one with those at 2."""
    rows = [*ring(), (70, 1082, PHONE, 11, 0), (70, 9, CARD, 1, 0), (71, 9, CARD, 1, 0)]
    rows += [(71, 8, CARD, 1, 0), (72, 8, CARD, 1, 0)]
    detection = found(rows)
    distances = [detection.flag(who) for who in (0, 70, 71, 72)]
    assert [flag and flag.distance for flag in distances] == [0, 1, 2, None]
    assert detection.flag(0).strength == "strong"  # type: ignore[union-attr]


def test_later_weeks_are_not_known_yet() -> None:
    """Asked at week 10, what happens in week 11 has not happened; a graph that knows it refuses."""
    rows = ring(week=11)
    assert found(rows, week=10).rings == ()
    with pytest.raises(OperatorError, match="later than week 10"):
        detect(Graph.of(Edges.of(rows)), week=10)


def test_nothing_in_nothing_out() -> None:
    """No edges: no rings, no flags, no error."""
    assert found([]).rings == ()
    assert found([]).flag(0) is None
    assert detect(Graph.of(Edges.of([])).with_week(Edges.of(ring())), week=14).rings != ()


@pytest.mark.parametrize(
    "row",
    [(-1, 0, 0, 0, 0), (0, -1, 0, 0, 0), (0, 0, 10, 0, 0), (0, 0, 0, -1, 0), (0, 0, 0, 0, 33)],
)
def test_edges_that_cannot_be_are_refused(row: tuple[int, int, int, int, int]) -> None:
    """Negative indices, unknown kinds, weeks and bands are the contributor's fault."""
    with pytest.raises(PeerError):
        Edges.of([row])
