"""Ordinary lives: what people who are in no ring state, share and pay.

What is drawn, with the everyday cause of every tie between two strangers:

    households   as if a quarter of a region's adults, 2.2 to a home, were borrowers here: 83 % of
                 their homes have one borrower, 15.5 % two, 1.4 % three, 0.1 % four.
                 A home has a unit address and often one Wi-Fi; its people name each other as
                 contact, some share a telephone, a tablet or a card, and lend each other money.
    telephone    own; one in 150 was re-issued after another borrower gave it up; 4 % have two
    device       own; one in 60 second-hand from another borrower; 5 % have two
    card         own; 8 % have two
    contact      a relative who is no borrower; 6 % one whom another borrower names, too; 8 % a
                 neighbour or colleague who is a borrower
    address      buildings of log-normal size; one unit in 70 had a borrower as its tenant before
    employer     70 % have one; sizes follow a power law, the largest thousands
    Wi-Fi        at home; a quarter logs in at cafés and stations that hundreds use
    guarantor    5 %, mostly a relative; some relatives sign for two or three
    lenders      44 % apply at further ones: of the customers of 61 Chinese online lenders 44 % had
                 several (Beijing Internet Finance Industry Association, at fintechnexus.com, Loan
                 stacking a problem in China); of these 57 % at two, 22 % at three, 10 % at four,
                 11 % at five (Aurora Mobile, May 2018). Half of them within three weeks (a guess)
    payees       shops by a power law; 6 % pay a friend, a third of whom pays back within weeks;
                 2 % keep a shop that dozens pay

Invariants:
- The shares above are everyday guesses, stated here and tuned to nothing; no law of large numbers
  makes them real.
- Ring members and look-alikes live such a life, too, before anything is planted on them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from server.simulation.rings.world import Ints, World
from shared.rings.kinds import Kind

_HOUSEHOLDS = (0.83, 0.155, 0.014, 0.001)  # share of households with 1, 2, 3, 4 borrowers
_SHOPPERS, _FURTHER, _SHOPS_SOON = 0.44, (0.57, 0.22, 0.10, 0.11), 0.5
_PLACES_APART = 12  # friends live or work at most so many places apart
_PAYMENT = (6.5, 1.0)  # logarithms of mean and spread of a payment in a shop
_LENT = (8.0, 0.8)  # and of money between friends


def populate(world: World) -> None:
    """Give everybody an ordinary life."""
    household = _addresses(world)
    _telephones(world)
    _things(world)
    _at_home(world, household)
    _contacts(world)
    _employers(world)
    _guarantors(world)
    _again_elsewhere(world)
    _shops(world)
    _friends(world, household)


def some(world: World, share: float, among: Ints | None = None) -> Ints:
    """Each of `among` (everybody) with this chance."""
    pool = np.arange(world.subjects) if among is None else among
    return pool[world.rng.random(len(pool)) < share]


def popular(rng: np.random.Generator, size: int, kinds: int, power: float) -> Ints:
    """`size` draws from 0 … `kinds`-1, the r-th as popular as r to the -`power`."""
    weight = np.arange(1, kinds + 1, dtype=np.float64) ** -power
    edges = np.cumsum(weight / weight.sum())
    return np.minimum(np.searchsorted(edges, rng.random(size)), kinds - 1).astype(np.int64)


def _addresses(world: World) -> Ints:
    """Household of each subject; unit, building and Wi-Fi are stated."""
    rng, count = world.rng, world.subjects
    sizes = rng.choice([1, 2, 3, 4], size=count, p=_HOUSEHOLDS)
    household = np.empty(count, dtype=np.int64)
    household[rng.permutation(count)] = np.repeat(np.arange(count), sizes)[:count]
    homes = int(household.max()) + 1
    unit, wifi = world.fresh(homes), world.fresh(homes)
    moved = rng.random(homes) < 1 / 70
    unit[moved] = unit[rng.integers(0, homes, int(moved.sum()))]
    per_building = np.maximum(1, rng.lognormal(1.3, 0.9, homes)).astype(np.int64)
    building = world.fresh(homes)[np.repeat(np.arange(homes), per_building)[:homes]]
    world.stated(Kind.ADDR_UNIT)[:] = unit[household]
    world.stated(Kind.ADDR_BUILDING)[:] = building[household]
    at_home = some(world, 0.7)
    world.stated(Kind.WIFI)[at_home] = wifi[household[at_home]]
    out = some(world, 0.25)
    places = world.fresh(max(1, count // 150))
    where = places[popular(rng, len(out), len(places), 0.6)]
    world.use(out, where, Kind.WIFI, world.week[out] + rng.integers(-2, 6, len(out)))
    return household


def _telephones(world: World) -> None:
    rng, phone = world.rng, world.stated(Kind.PHONE)
    phone[:] = world.fresh(world.subjects)
    _taken_over(world, Kind.PHONE, 1 / 150)
    two = some(world, 0.04)
    world.use(two, world.fresh(len(two)), Kind.PHONE, world.week[two] + rng.integers(0, 6))


def _things(world: World) -> None:
    for kind, used, second in ((Kind.DEVICE, 1 / 60, 0.05), (Kind.BANK_CARD, 0.0, 0.08)):
        world.stated(kind)[:] = world.fresh(world.subjects)
        _taken_over(world, kind, used)
        two = some(world, second)
        later = world.week[two] + world.rng.integers(0, 8, len(two))
        world.use(two, world.fresh(len(two)), kind, later)


def _taken_over(world: World, kind: Kind, share: float) -> None:
    """Some have what a stranger had before them: a re-issued number, a second-hand device."""
    new = some(world, share)
    before = world.rng.integers(0, world.subjects, len(new))
    values = world.stated(kind)
    values[new] = values[before].copy()


def _at_home(world: World, household: Ints) -> None:
    """What the borrowers of one home share besides its address."""
    rng = world.rng
    order = np.argsort(household, kind="stable")
    beside = household[order][1:] == household[order][:-1]
    first, second = order[:-1][beside], order[1:][beside]
    for kind, share in ((Kind.PHONE, 0.12), (Kind.DEVICE, 0.15), (Kind.BANK_CARD, 0.08)):
        values, who = world.stated(kind), rng.random(len(first)) < share
        values[second[who]] = values[first[who]]


def _contacts(world: World) -> None:
    rng, contact = world.rng, world.stated(Kind.EMERGENCY_CONTACT)
    phone = world.stated(Kind.PHONE)
    named = some(world, 0.95)
    contact[named] = world.fresh(len(named))
    siblings = some(world, 0.06)
    contact[siblings] = contact[near(world, siblings)]
    friends = some(world, 0.08)
    contact[friends] = phone[near(world, friends)]
    unit = world.stated(Kind.ADDR_UNIT)
    order = np.argsort(unit, kind="stable")
    beside = unit[order][1:] == unit[order][:-1]
    first, second = order[:-1][beside], order[1:][beside]
    mutual = rng.random(len(first)) < 0.5
    contact[first[mutual]] = phone[second[mutual]]
    contact[second[mutual]] = phone[first[mutual]]


def near(world: World, who: Ints) -> Ints:
    """A neighbour for each: another subject, a few places on in the order of buildings."""
    building = world.stated(Kind.ADDR_BUILDING)
    order = np.argsort(building, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    step = world.rng.integers(1, _PLACES_APART + 1, len(who))
    return np.asarray(order[(place[who] + step) % len(order)])


def _employers(world: World) -> None:
    employed = some(world, 0.7)
    firms = world.fresh(max(1, world.subjects // 4))
    which = popular(world.rng, len(employed), len(firms), 0.8)
    world.stated(Kind.EMPLOYER)[employed] = firms[which]


def _guarantors(world: World) -> None:
    rng = world.rng
    signed = some(world, 0.05)
    relatives = world.fresh(max(1, int(len(signed) / 1.3)))
    by = relatives[rng.integers(0, len(relatives), len(signed))]
    known = rng.random(len(signed)) < 0.2
    by[known] = world.stated(Kind.PHONE)[near(world, signed[known])]
    world.stated(Kind.GUARANTOR)[signed] = by


def _again_elsewhere(world: World) -> None:
    """Some apply at further lenders, half of them within weeks, the others over months."""
    rng, lenders = world.rng, len(world.codes)
    if lenders < 2:
        return
    size = np.bincount(world.lender, minlength=lenders) / world.subjects
    who = some(world, _SHOPPERS)
    soon = rng.random(len(who)) < _SHOPS_SOON
    number = 1 + rng.choice(len(_FURTHER), size=len(who), p=_FURTHER)
    who, soon = np.repeat(who, number), np.repeat(soon, number)
    week = world.week[who]
    week += np.where(soon, rng.integers(0, 4, len(who)), rng.integers(-8, 9, len(who)))
    where = rng.choice(lenders, size=len(who), p=size)
    other = where != world.lender[who]
    world.apply(who[other], where[other], week[other])


def _shops(world: World) -> None:
    rng, count = world.rng, world.subjects
    shops = world.fresh(max(1, count // 8))
    who = np.repeat(np.arange(count), rng.poisson(3, count))
    account = shops[popular(rng, len(who), len(shops), 0.9)]
    _pay(world, who, account, world.week[who] + rng.integers(-4, 9, len(who)), _PAYMENT)
    keepers = some(world, 0.02)
    if len(keepers):
        sales = rng.integers(3, 40, len(keepers))
        till = np.repeat(world.account(keepers), sales)
        buyer = near(world, rng.integers(0, count, len(till)))
        _pay(world, buyer, till, rng.integers(0, world.weeks, len(till)), _PAYMENT)


def _friends(world: World, household: Ints) -> None:
    rng = world.rng
    order = np.argsort(household, kind="stable")
    beside = (household[order][1:] == household[order][:-1]) & (rng.random(len(order) - 1) < 0.3)
    lends = some(world, 0.06)
    giver = np.concatenate([lends, order[:-1][beside]])
    taker = np.concatenate([near(world, lends), order[1:][beside]])
    week, amount = world.week[giver] + rng.integers(0, 8, len(giver)), _amounts(rng, giver, _LENT)
    world.pay(giver, world.account(taker), week, amount)
    back = rng.random(len(giver)) < 1 / 3
    later = week[back] + rng.integers(1, 9, int(back.sum()))
    returned = amount[back] * rng.uniform(0.5, 1.05, int(back.sum()))
    world.pay(taker[back], world.account(giver[back]), later, returned)
    on = rng.random(len(giver)) < 0.05  # paid on at once, for somebody else
    world.pay(
        taker[on], world.account(near(world, taker[on])), week[on], amount[on] * rng.uniform(0.8, 1)
    )


def _pay(world: World, who: Ints, account: Ints, week: Ints, size: tuple[float, float]) -> None:
    world.pay(who, account, week, _amounts(world.rng, who, size))


def _amounts(rng: np.random.Generator, who: Ints, size: tuple[float, float]) -> NDArray[np.float64]:
    return rng.lognormal(*size, len(who))
