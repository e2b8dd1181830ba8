"""One made-up half year of a consortium: real loans' lenders and outcomes, made-up people.

Of the real table only this is used: which lender holds a row and whether it went bad. A subject
stands for each row; where a table has too few rows for what is planted, further subjects without a
row are spread over the lenders as the rows are. Ring members are drawn from bad rows four times as
readily as from good ones. No real row is changed, and nothing made here goes into a model.

Invariants:
- The same rows and seed give the same scenario.
- What lenders could see (`traffic`) and who is what (`truth`) are two objects.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from server.simulation.book import Book
from server.simulation.rings import innocents, rings
from server.simulation.rings.habits import USUAL, Habits
from server.simulation.rings.population import populate
from server.simulation.rings.truth import Truth
from server.simulation.rings.world import Traffic, World

WEEKS = 26
_STREAM = 6  # keeps these draws apart from others under the same seed
_ROOM, _ROOM_RING, _ROOM_DECOY = 200, 40, 25  # borrowers there are at least, and for each planted
_LISTED_MEMBERS, _LISTED_OTHERS = 0.03, 0.001


@dataclass(frozen=True)
class Planted:
    """How many rings, look-alikes, and savings clubs besides (see `innocents.py`); and how rings go
    about it.
    """

    rings: int = 60
    decoys: int = 300
    clubs: int = 0
    habits: Habits = USUAL


@dataclass(frozen=True, eq=False)
class Scenario:
    """What can be seen, and what is so."""

    traffic: Traffic
    truth: Truth


def scenario_of_book(book: Book, planted: Planted, *, seed: int) -> Scenario:
    """On a study's rows; OperatorError when too few of them hold too much."""
    assert book.table.bad is not None  # a book is labelled
    lender = np.searchsorted(book.codes, book.lender.astype(str))
    return scenario(tuple(book.codes), lender, book.table.bad == 1, planted, seed=seed)


def made_up(lenders: int, subjects: int, planted: Planted, *, seed: int) -> Scenario:
    """Without a table: lender sizes fall off as 1/rank, one loan in six goes bad."""
    rng = np.random.default_rng((seed, _STREAM, 1))
    share = 1 / np.arange(1, lenders + 1)
    lender = rng.choice(lenders, size=subjects, p=share / share.sum())
    codes = tuple(f"L{at + 1:02d}" for at in range(lenders))
    return scenario(codes, lender, rng.random(subjects) < 1 / 6, planted, seed=seed)


def scenario(
    codes: tuple[str, ...],
    lender: NDArray[np.int64],
    bad: NDArray[np.bool_],
    planted: Planted,
    *,
    seed: int,
) -> Scenario:
    """`lender` (place in `codes`) and `bad` of each row; OperatorError when they are too few."""
    rng = np.random.default_rng((seed, _STREAM))
    world = _world(codes, lender, bad, planted, rng)
    chosen = rings.choose(world, planted.rings, planted.habits)
    populate(world)
    decoys = innocents.plant(world, planted.decoys, chosen, planted.clubs)
    rings.plant(world, chosen, planted.habits)
    listed = _listed(world, sorted(one for ring in chosen for one in ring.members))
    truth = Truth(codes, world.lender, world.row, chosen, decoys, listed)
    return Scenario(world.frozen(), truth)


def _world(
    codes: tuple[str, ...],
    lender: NDArray[np.int64],
    bad: NDArray[np.bool_],
    planted: Planted,
    rng: np.random.Generator,
) -> World:
    room = _ROOM + _ROOM_RING * planted.rings + _ROOM_DECOY * (planted.decoys + planted.clubs)
    more = rng.integers(0, len(lender), max(0, room - len(lender)))
    row = np.concatenate([np.arange(len(lender)), np.full(len(more), -1)])
    everybody = np.concatenate([lender, lender[more]]).astype(np.int64)
    return World(codes, WEEKS, everybody, np.concatenate([bad, bad[more]]), row, rng)


def _listed(world: World, members: list[int]) -> tuple[int, ...]:
    """On the list before: a few members, and others that went bad for reasons of their own."""
    chance = np.where(world.bad, _LISTED_OTHERS * 2, _LISTED_OTHERS / 2)
    chance[members] = _LISTED_MEMBERS
    found = np.flatnonzero(world.rng.random(world.subjects) < chance)
    return tuple(int(one) for one in found)
