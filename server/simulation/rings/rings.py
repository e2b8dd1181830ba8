"""Planted rings: who they are, over which lenders, when each member joins, what they leave behind.

A ring has a typology (DOMAIN §4), which is what most members have in common, and as a rule a few
further traces that only some of them leave: the same hands fill in many forms. Rings that move
money (`flows.py`) are chosen like the others and leave traces, too.

    members   3 to 16, over 2 to 6 lenders; each lives an ordinary life besides (`population.py`)
    lenders   some members apply at further lenders of the ring (`habits.py` says how many)
    weeks     a ring begins in some week and grows over 2 to 12 (a burst: 1 to 3), all of it over
              five weeks or more before the end: it has had its time to act
    traces    used by groups as small as such things are shared by (a card by 2 or 3), stated
              instead of the own or besides it; some members use two groups' things
    bystander one group in twelve shares its thing with an innocent who had it before or after

Invariants:
- Every ring has members at two lenders at least, where there are two with people left.
- Nothing here looks at the detector's floor: rings of weak kinds are planted, which it must miss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from server.simulation.rings import flows
from server.simulation.rings.habits import Habits
from server.simulation.rings.truth import PlantedRing
from server.simulation.rings.world import FORM, Ints, World
from shared.errors import OperatorError
from shared.rings.kinds import Kind

_GROUP: Mapping[Kind, tuple[int, int]] = {
    Kind.DEVICE: (2, 6),
    Kind.BANK_CARD: (2, 3),
    Kind.PHONE: (2, 4),
    Kind.EMERGENCY_CONTACT: (2, 6),
    Kind.ADDR_UNIT: (2, 6),
    Kind.WIFI: (3, 12),
    Kind.EMPLOYER: (16, 16),
    Kind.PAYEE: (3, 12),
}
"""Fewest and most members that use one thing of a kind."""
_BESIDE: Mapping[Kind, float] = {
    Kind.DEVICE: 0.22,
    Kind.EMERGENCY_CONTACT: 0.20,
    Kind.PHONE: 0.13,
    Kind.BANK_CARD: 0.13,
    Kind.PAYEE: 0.12,
    Kind.ADDR_UNIT: 0.10,
    Kind.WIFI: 0.10,
}
"""How likely a further trace is of a kind."""
_TWO_THINGS = 0.3  # a member also uses the next group's thing
_INSTEAD = 0.6  # a trace is stated instead of the own, else besides it
_BYSTANDER = 1 / 12
_TO_ACT = 5  # weeks between the last that may join and the end
_PROCEEDS = (10.3, 0.5)  # logarithms of mean and spread of what a loan pays out
_SIZE, _FEWEST, _MOST = (2.0, 0.45), 3, 16


@dataclass(frozen=True)
class Typology:
    """`kinds` that most members share; `burst`: all join within weeks; `fewest` members."""

    kinds: tuple[Kind, ...] = ()
    burst: bool = False
    fewest: int = _FEWEST
    flow: flows.Flow | None = None


TYPOLOGIES: Mapping[str, Typology] = {
    "shared_device": Typology((Kind.DEVICE,)),
    "shared_phone": Typology((Kind.PHONE,)),
    "shared_card": Typology((Kind.BANK_CARD,)),
    "shared_contact": Typology((Kind.EMERGENCY_CONTACT,)),
    "shared_unit": Typology((Kind.ADDR_UNIT,)),
    "shared_wifi": Typology((Kind.WIFI,)),
    "employer_burst": Typology((Kind.EMPLOYER,), burst=True, fewest=5),
    "guarantor_circle": Typology((Kind.GUARANTOR,)),
    "agency_script": Typology((Kind.DEVICE, Kind.EMERGENCY_CONTACT, Kind.EMPLOYER), burst=True),
    "common_payee": Typology((Kind.PAYEE,)),
    "round_trip": Typology(fewest=4, flow=flows.round_trip),
    "pass_through": Typology(fewest=4, flow=flows.pass_through),
    "fan_in": Typology(fewest=5, flow=flows.fan_in),
    "fan_out": Typology(fewest=5, flow=flows.fan_out),
    "cycle": Typology(flow=flows.cycle),
    "bipartite": Typology(fewest=5, flow=flows.bipartite),
    "stack": Typology(fewest=6, flow=flows.stack),
    "scatter_gather": Typology(fewest=5, flow=flows.scatter_gather),
    "gather_scatter": Typology(fewest=5, flow=flows.gather_scatter),
}


def choose(world: World, count: int, habits: Habits) -> tuple[PlantedRing, ...]:
    """`count` rings over all typologies in turn; members' weeks and second lenders are set.

    OperatorError when there are too few borrowers.
    """
    names = [list(TYPOLOGIES)[at] for at in world.rng.permutation(len(TYPOLOGIES))]
    free = np.ones(world.subjects, dtype=bool)
    return tuple(_chosen(world, at, names[at % len(names)], free, habits) for at in range(count))


def plant(world: World, rings: Sequence[PlantedRing], habits: Habits) -> None:
    """Let the members leave their traces; after `populate`, which gives them lives."""
    for ring in rings:
        _leave(world, ring, habits)


def _chosen(
    world: World, number: int, name: str, free: NDArray[np.bool_], habits: Habits
) -> PlantedRing:
    rng, typology = world.rng, TYPOLOGIES[name]
    fewest = typology.fewest
    if Kind.ADDR_UNIT in typology.kinds:
        fewest = max(fewest, habits.at_unit[0])
    size = int(np.clip(rng.lognormal(*_SIZE), fewest, _MOST))
    members = _members(world, size, free)
    free[members] = False
    length = int(rng.integers(1, 4) if typology.burst else rng.integers(2, 13))
    start = rng.integers(0, max(1, world.weeks - _TO_ACT - length))
    joined = np.minimum(start + rng.integers(0, length + 1, size), world.weeks - 1)
    world.week[members] = joined
    _stack_loans(world, members, joined, habits)
    order = np.argsort(joined, kind="stable")
    pairs = [(int(members[at]), int(joined[at])) for at in order]
    return PlantedRing(number, name, tuple(m for m, _ in pairs), tuple(w for _, w in pairs))


def _members(world: World, size: int, free: NDArray[np.bool_]) -> Ints:
    """Free borrowers over 2 to 6 lenders, the larger ones likelier; rather those who went bad."""
    rng = world.rng
    there = np.bincount(world.lender[free], minlength=len(world.codes))
    able = np.flatnonzero(there >= size)
    if not len(able):
        raise OperatorError(
            "too few borrowers for so many rings",
            remedy="ask for fewer with --rings, or use a larger table",
        )
    spread = min(int(rng.choice([2, 3, 4, 5, 6], p=[0.2, 0.25, 0.25, 0.15, 0.15])), len(able), size)
    weight = np.sqrt(there[able])
    where = rng.choice(able, size=spread, replace=False, p=weight / weight.sum())
    at = np.concatenate([where, rng.choice(where, size=size - spread)])
    return np.concatenate([_some_of(world, one, int((at == one).sum()), free) for one in where])


def _some_of(world: World, lender: int, count: int, free: NDArray[np.bool_]) -> Ints:
    pool = np.flatnonzero(free & (world.lender == lender))
    weight = np.where(world.bad[pool], 4.0, 1.0)
    picked = world.rng.choice(pool, size=count, replace=False, p=weight / weight.sum())
    return np.asarray(picked, dtype=np.int64)


def _stack_loans(world: World, members: Ints, joined: Ints, habits: Habits) -> None:
    """Some also apply at other lenders of the ring."""
    rng, held = world.rng, np.unique(world.lender[members])
    chance = habits.elsewhere[0 if rng.random() < habits.stacking else 1]
    again = np.flatnonzero(rng.random(len(members)) < chance)
    if habits.lenders > 1:
        again = np.repeat(again, rng.integers(1, habits.lenders + 1, len(again)))
    where = rng.choice(held, size=len(again))
    other = where != world.lender[members[again]]
    again, where = np.unique(np.stack([again[other], where[other]]), axis=1)
    world.apply(members[again], where, joined[again] + rng.integers(0, 4, len(again)))


def _leave(world: World, ring: PlantedRing, habits: Habits) -> None:
    rng, typology = world.rng, TYPOLOGIES[ring.typology]
    members, joined = np.array(ring.members), np.array(ring.joined)
    chances = habits.more if typology.flow is None else habits.more_with_flow
    more = rng.choice(len(chances), p=chances)
    others = [kind for kind in _BESIDE if kind not in typology.kinds]
    if habits.proceeds and Kind.PAYEE in others and rng.random() < habits.proceeds:
        others.remove(Kind.PAYEE)
        leave_trace(world, members, joined, Kind.PAYEE, rng.uniform(0.6, 0.95))
    weight = np.array([_BESIDE[kind] for kind in others])
    for at in rng.choice(len(others), size=more, replace=False, p=weight / weight.sum()):
        leave_trace(world, members, joined, others[at], rng.uniform(0.4, 0.9))
    for kind in typology.kinds:
        sizes = habits.at_unit if kind is Kind.ADDR_UNIT else None
        leave_trace(world, members, joined, kind, rng.uniform(0.8, 1.0), sizes)
    if typology.flow is not None:  # last: it goes to the accounts that are stated by now
        typology.flow(world, members, joined)


def leave_trace(
    world: World,
    members: Ints,
    joined: Ints,
    kind: Kind,
    share: float,
    sizes: tuple[int, int] | None = None,
) -> None:
    """Let about `share` of the members, two at least, share things of one kind in groups of some
    size, by default the usual ones of the kind.
    """
    rng = world.rng
    if kind is Kind.GUARANTOR:
        _circle(world, members, joined)
        return
    covered = rng.permutation(len(members))[: max(2, round(share * len(members)))]
    low, high = sizes or _GROUP[kind]
    groups: list[Ints] = []
    while len(covered):
        size = int(rng.integers(low, high + 1))
        groups.append(covered[:size])
        covered = covered[size:]
    things = world.fresh(len(groups))
    for at, group in enumerate(groups):
        _group_uses(world, members[group], joined[group], kind, int(things[at]))
        if kind is Kind.ADDR_UNIT:  # who states a unit states its building, too
            _with_building(world, members[group], joined[group], int(things[at]))
        two = group[rng.random(len(group)) < _TWO_THINGS] if len(groups) > 1 else group[:0]
        after = int(things[(at + 1) % len(groups)])
        _use(world, members[two], joined[two], kind, after)
        if rng.random() < _BYSTANDER:
            stranger = rng.integers(0, world.subjects, 1)
            _use(world, stranger, world.week[stranger], kind, int(things[at]))


def _group_uses(world: World, who: Ints, week: Ints, kind: Kind, thing: int) -> None:
    if kind not in FORM:
        _use(world, who, week, kind, thing)
        return
    instead = world.rng.random(len(who)) < _INSTEAD
    world.stated(kind)[who[instead]] = thing
    _use(world, who[~instead], week[~instead], kind, thing)


def _with_building(world: World, who: Ints, week: Ints, unit: int) -> None:
    building = int(world.fresh(1)[0])
    own = world.stated(Kind.ADDR_UNIT)[who] == unit
    world.stated(Kind.ADDR_BUILDING)[who[own]] = building
    world.use(who[~own], building, Kind.ADDR_BUILDING, week[~own])


def _use(world: World, who: Ints, week: Ints, kind: Kind, thing: int) -> None:
    later = week + world.rng.integers(0, 3, len(who))
    if kind is Kind.PAYEE:
        world.pay(who, thing, later, world.rng.lognormal(*_PROCEEDS, len(who)))
    else:
        world.use(who, thing, kind, later)


def _circle(world: World, members: Ints, joined: Ints) -> None:
    """Each is guaranteed by the next, some by the one after, too."""
    phone = world.stated(Kind.PHONE)[members]
    world.stated(Kind.GUARANTOR)[members] = np.roll(phone, -1)
    two = np.flatnonzero(world.rng.random(len(members)) < (0.4 if len(members) > 3 else 0.0))
    world.use(members[two], np.roll(phone, -2)[two], Kind.GUARANTOR, joined[two])
