"""How rings move money: the flow typologies of DOMAIN §4, between members' own accounts.

A member pays into the account another member owns; weeks and amounts are such that a flow keeps
most of its value, the rest being the mules' pay. Each goes through once to three times, not always
with everybody.

Invariants:
- Nobody pays before the payer and the payee have joined.
- A flow uses accounts that members own and state; it leaves no other trace.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from server.simulation.rings.world import Ints, World

Flow = Callable[[World, Ints, Ints], None]
_AMOUNT = (10.3, 0.5)  # logarithms of mean and spread of one flow
_KEPT = (0.9, 0.99)  # what a mule passes on


class _Money:
    """One passage of money: `pay` by members' places, not before `begin`."""

    def __init__(self, world: World, members: Ints, joined: Ints, places: Ints) -> None:
        self._world, self._members = world, members
        self.rng = world.rng
        self.begin = int(joined[places].max()) + int(self.rng.integers(0, 4))

    def pay(self, giver: int, taker: int, amount: float, after: int = 0) -> float:
        """Pay `after` weeks from the beginning; what the taker passes on of it."""
        account = self._world.account(self._members[taker])
        self._world.pay(self._members[giver], account, self.begin + after, amount)
        return amount * float(self.rng.uniform(*_KEPT))

    def amount(self) -> float:
        """What flows."""
        return float(self.rng.lognormal(*_AMOUNT))

    def soon(self) -> int:
        """In the same week or, now and then, the next."""
        return int(self.rng.random() < 0.25)


def _passages(
    world: World, members: Ints, joined: Ints, fewest: int
) -> Sequence[tuple[_Money, Ints]]:
    """Once to three times, each with most of the members in some order."""
    found = []
    for _ in range(int(world.rng.integers(1, 4))):
        order = world.rng.permutation(len(members))
        share = max(fewest, round(world.rng.uniform(0.7, 1.0) * len(members)))
        places = order[:share]
        found.append((_Money(world, members, joined, places), places))
    return found


def round_trip(world: World, members: Ints, joined: Ints) -> None:
    """Borrowers pay their loan to one or two shells, which pay it back within 30 days."""
    shells = max(1, min(2, len(members) // 5))
    for borrower in range(shells, len(members)):
        shell = int(world.rng.integers(0, shells))
        money = _Money(world, members, joined, np.array([borrower, shell]))
        left = money.pay(borrower, shell, money.amount())
        money.pay(shell, borrower, left, int(world.rng.integers(1, 5)))


def pass_through(world: World, members: Ints, joined: Ints) -> None:
    """Down a chain of mules, each of whom pays nearly all of it on at once."""
    for money, places in _passages(world, members, joined, 3):
        amount, after = money.amount(), 0
        for giver, taker in pairwise(places.tolist()):
            amount = money.pay(giver, taker, amount, after)
            after += money.soon()


def fan_in(world: World, members: Ints, joined: Ints) -> None:
    """Everybody pays one collector, the first to join."""
    for money, places in _passages(world, members, joined, 4):
        for giver in places[places != 0]:
            money.pay(giver, 0, money.amount(), money.soon())


def fan_out(world: World, members: Ints, joined: Ints) -> None:
    """One distributor, the first to join, pays everybody."""
    for money, places in _passages(world, members, joined, 4):
        for taker in places[places != 0]:
            money.pay(0, taker, money.amount(), money.soon())


def cycle(world: World, members: Ints, joined: Ints) -> None:
    """Circles of three to five; a larger ring has several, which share a member."""
    first = 0
    while first < len(members) - 1:
        size = min(int(world.rng.integers(3, 6)), len(members) - first)
        places = np.arange(first, first + size) if size > 2 else np.arange(len(members))[-3:]
        money = _Money(world, members, joined, places)
        amount, late = money.amount(), money.soon()
        for step, giver in enumerate(places):
            amount = money.pay(giver, places[(step + 1) % len(places)], amount, late * (step > 1))
        first += size - 1


def bipartite(world: World, members: Ints, joined: Ints) -> None:
    """Each of one half pays two or more of the other."""
    half = max(2, len(members) // 2)
    for money, _ in _passages(world, members, joined, len(members)):
        _layer(money, np.arange(half), np.arange(half, len(members)))


def stack(world: World, members: Ints, joined: Ints) -> None:
    """Three layers, each of which pays into the next."""
    layers = np.array_split(np.arange(len(members)), 3)
    for money, _ in _passages(world, members, joined, len(members)):
        _layer(money, layers[0], layers[1])
        _layer(money, layers[1], layers[2], money.soon())


def scatter_gather(world: World, members: Ints, joined: Ints) -> None:
    """From the first over all between to the second."""
    for money, places in _passages(world, members, joined, 4):
        for between in places[places > 1]:
            left = money.pay(0, between, money.amount())
            money.pay(between, 1, left, money.soon())


def gather_scatter(world: World, members: Ints, joined: Ints) -> None:
    """From one half to the first, and from there to the other."""
    for money, places in _passages(world, members, joined, 5):
        others = places[places != 0]
        half = len(others) // 2
        amounts = [money.pay(giver, 0, money.amount()) for giver in others[:half]]
        share, late = sum(amounts) / (len(others) - half), money.soon()
        for taker in others[half:]:
            money.pay(0, taker, share, late)


def _layer(money: _Money, givers: Ints, takers: Ints, after: int = 0) -> None:
    for giver in givers:
        count = min(len(takers), 2 + int(money.rng.random() < 0.4))
        for taker in money.rng.choice(takers, size=count, replace=False):
            money.pay(int(giver), int(taker), money.amount(), after)
