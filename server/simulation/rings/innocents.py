"""Planted look-alikes: people who share much for an innocent reason, which a detector must leave
in peace.

    family      2 to 4 at one unit; contacts of each other, often one Wi-Fi, now and then one
                telephone, tablet or card; money between them; some sign for each other
    couple      two who are each other's guarantor and contact
    dormitory   6 to 30 in one building, four to six to a room; its Wi-Fi; room-mates as contacts
    factory     20 to 120 of one employer, hired within two weeks; personnel's number as contact;
                a third in its dormitories
    call_centre 15 to 60 of one employer who log in on each other's desk computers
    tablet      10 to 60 who applied on one agent's tablet, some on his Wi-Fi and with his number;
                half of them he files with one to three further lenders at once
    village     10 to 50 at one village address who pay one cooperative; relatives name the same
                relatives; in one of five, groups of three to five sign for one another
    club        5 to 10 who pay into a pot that goes to each of them in turn (a rotating savings
                club): not among the usual ones, for `study` to ask for by name

Invariants:
- Look-alikes are drawn from people in no ring; into some of six or more a ring member moves in,
  who shares their home or work as they do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from server.simulation.rings.truth import Decoy, PlantedRing
from server.simulation.rings.world import Ints, World
from shared.errors import OperatorError
from shared.rings.kinds import Kind

_LENT = (7.5, 0.8)  # logarithms of mean and spread of money within a family
_DUES = (8.0, 0.5)  # of what is paid to a cooperative
_MOVES_IN = 0.3


def _family(world: World, who: Ints) -> None:
    _live_together(world, who)
    for kind, chance in ((Kind.PHONE, 0.25), (Kind.DEVICE, 0.2), (Kind.BANK_CARD, 0.1)):
        if world.rng.random() < chance:
            world.stated(kind)[who[1]] = world.stated(kind)[who[0]]
    _name_each_other(world, who, 0.8)
    if world.rng.random() < 0.4:
        week = world.rng.integers(0, world.weeks, 3)
        world.pay(who[0], world.account(who[1]), week, world.rng.lognormal(*_LENT, 3))
    if world.rng.random() < 0.15:
        world.stated(Kind.GUARANTOR)[who[0]] = world.stated(Kind.PHONE)[who[1]]


def _couple(world: World, who: Ints) -> None:
    _live_together(world, who)
    _name_each_other(world, who, 1.0)
    world.stated(Kind.GUARANTOR)[who] = world.stated(Kind.PHONE)[who[::-1]]


def _dormitory(world: World, who: Ints) -> None:
    world.stated(Kind.ADDR_BUILDING)[who] = world.fresh(1)
    world.stated(Kind.EMERGENCY_CONTACT)[who] = world.fresh(len(who))
    first = 0
    while first < len(who):
        room = who[first : first + int(world.rng.integers(4, 7))]
        world.stated(Kind.ADDR_UNIT)[room] = world.fresh(1)
        first += len(room)
        mates = room[world.rng.random(len(room)) < 0.2]
        world.stated(Kind.EMERGENCY_CONTACT)[mates] = world.stated(Kind.PHONE)[room[0]]
    _of_most(world, who, Kind.WIFI, 0.8)


def _factory(world: World, who: Ints) -> None:
    hired = world.rng.integers(0, world.weeks - 1)
    world.week[who] = hired + world.rng.integers(0, 2, len(who))
    world.stated(Kind.EMPLOYER)[who] = world.fresh(1)
    _of_most(world, who, Kind.EMERGENCY_CONTACT, 0.3)
    _of_most(world, who, Kind.WIFI, 0.5)
    _dormitory(world, who[: len(who) // 3])


def _call_centre(world: World, who: Ints) -> None:
    world.stated(Kind.EMPLOYER)[who] = world.fresh(1)
    _of_most(world, who, Kind.WIFI, 0.9)
    desks = world.fresh(max(2, len(who) // 3))
    for _ in range(2):
        desk = desks[world.rng.integers(0, len(desks), len(who))]
        used = world.rng.random(len(who)) < 0.5
        world.use(who[used], desk[used], Kind.DEVICE, world.week[who[used]])


def _tablet(world: World, who: Ints) -> None:
    start = world.rng.integers(0, world.weeks)
    world.week[who] = np.minimum(start + world.rng.integers(0, 13, len(who)), world.weeks - 1)
    _sent_around(world, who)
    _of_most(world, who, Kind.DEVICE, 0.95)
    _of_most(world, who, Kind.WIFI, 0.4)
    _of_most(world, who, Kind.EMERGENCY_CONTACT, 0.15)


def _sent_around(world: World, who: Ints) -> None:
    """The agent files half of his customers' forms with one to three further lenders at once."""
    rng, lenders = world.rng, len(world.codes)
    sent = who[rng.random(len(who)) < 0.5]
    sent = np.repeat(sent, rng.integers(1, 4, len(sent)))
    where = rng.integers(0, lenders, len(sent))
    other = where != world.lender[sent]
    sent = sent[other]
    world.apply(sent, where[other], world.week[sent] + rng.integers(0, 2, len(sent)))


def _village(world: World, who: Ints) -> None:
    rng = world.rng
    world.stated(Kind.ADDR_BUILDING)[who] = world.fresh(1)
    till = world.fresh(1)
    for _ in range(3):
        paid = who[rng.random(len(who)) < 0.6]
        week = rng.integers(0, world.weeks, len(paid))
        world.pay(paid, till, week, rng.lognormal(*_DUES, len(paid)))
    elders = world.fresh(max(1, len(who) // 3))
    named = who[rng.random(len(who)) < 0.6]
    world.stated(Kind.EMERGENCY_CONTACT)[named] = elders[rng.integers(0, len(elders), len(named))]
    if rng.random() < 0.2:
        _sign_for_each_other(world, who)


def _sign_for_each_other(world: World, who: Ints) -> None:
    """Groups of three to five, each guaranteed by the next: joint liability."""
    first = 0
    while len(who) - first >= 3:
        group = who[first : first + int(world.rng.integers(3, 6))]
        world.stated(Kind.GUARANTOR)[group] = np.roll(world.stated(Kind.PHONE)[group], -1)
        first += len(group)


def _club(world: World, who: Ints) -> None:
    start, dues = int(world.rng.integers(0, 4)), float(world.rng.lognormal(*_DUES))
    for turn, taker in enumerate(who):
        givers = who[who != taker]
        world.pay(givers, world.account(taker), start + 2 * turn, dues)


@dataclass(frozen=True)
class Kindred:
    """One kind of look-alike: fewest and most people, how common (0: only when asked for)."""

    live: Callable[[World, Ints], None]
    size: tuple[int, int]
    share: float


KINDS: Mapping[str, Kindred] = {
    "family": Kindred(_family, (2, 4), 0.40),
    "couple": Kindred(_couple, (2, 2), 0.10),
    "dormitory": Kindred(_dormitory, (6, 30), 0.12),
    "factory": Kindred(_factory, (20, 120), 0.10),
    "call_centre": Kindred(_call_centre, (15, 60), 0.10),
    "tablet": Kindred(_tablet, (10, 60), 0.10),
    "village": Kindred(_village, (10, 50), 0.08),
    "club": Kindred(_club, (5, 10), 0.0),
}


def plant(
    world: World, count: int, rings: Sequence[PlantedRing], clubs: int = 0
) -> tuple[Decoy, ...]:
    """`count` look-alikes by their shares, and savings clubs; before rings leave their traces.

    OperatorError when there are too few people.
    """
    rng = world.rng
    names = _shared_out(count) + ["club"] * clubs
    taken = [one for ring in rings for one in ring.members]
    free = iter(rng.permutation(np.setdiff1d(np.arange(world.subjects), taken)).tolist())
    crooks = rng.permutation(taken).tolist()
    found = []
    for number, name in enumerate(names):
        low, high = KINDS[name].size
        people = [one for one, _ in zip(free, range(rng.integers(low, high + 1)), strict=False)]
        if len(people) < low:
            raise OperatorError(
                "too few borrowers for so many look-alikes",
                remedy="ask for fewer with --decoys, or use a larger table",
            )
        guests = [crooks.pop()] if len(people) > 5 and crooks and rng.random() < _MOVES_IN else []
        weeks = world.week[guests]
        KINDS[name].live(world, np.array([*people, *guests], dtype=np.int64))
        world.week[guests] = weeks
        found.append(Decoy(number, name, tuple(people)))
    return tuple(found)


def _shared_out(count: int) -> list[str]:
    """Names by share, so that a few look-alikes are of several kinds, too."""
    usual = {name: kind.share for name, kind in KINDS.items() if kind.share}
    ends = np.cumsum(list(usual.values()))
    places = (np.arange(count) * 0.618034) % 1 * ends[-1]  # evenly over all for every count
    return [list(usual)[int(np.searchsorted(ends, place, side="right"))] for place in places]


def _live_together(world: World, who: Ints) -> None:
    for kind in (Kind.ADDR_UNIT, Kind.ADDR_BUILDING):
        world.stated(kind)[who] = world.fresh(1)
    if world.rng.random() < 0.8:
        world.stated(Kind.WIFI)[who] = world.fresh(1)


def _name_each_other(world: World, who: Ints, chance: float) -> None:
    """The next one's telephone, or all the same relative's."""
    named = who[world.rng.random(len(who)) < chance]
    relative = world.rng.random() < 0.3
    number = world.fresh(1) if relative else world.stated(Kind.PHONE)[np.roll(who, -1)]
    chosen = np.isin(who, named)
    world.stated(Kind.EMERGENCY_CONTACT)[named] = number if relative else number[chosen]


def _of_most(world: World, who: Ints, kind: Kind, share: float) -> None:
    """One thing that a share of them states."""
    world.stated(kind)[who[world.rng.random(len(who)) < share]] = world.fresh(1)
