"""Every shape of money in the smallest world that has it, beside one that just misses it."""

from itertools import pairwise

import numpy as np
import pytest
from rings_worlds import DEVICE, GUARANTOR, PHONE

from shared.rings.detect import detect
from shared.rings.edges import Edges, amount_band
from shared.rings.kinds import Terms
from shared.rings.motifs import Money, Motif, motifs

Payment = tuple[int, int, int, int]
"""Payer, account, week, amount in units of money. Account a belongs to subject a - 100."""
TERMS = Terms()


def money(paid: list[Payment], owners: dict[int, list[int]], ring: int = 0) -> Money:
    """Payments and accounts of one ring; `owners` of each account."""
    payer, account, week, amount = (list(column) for column in zip(*paid, strict=True))
    owned = [(who, what) for what, people in owners.items() for who in people]
    return Money(
        np.full(len(paid), ring),
        np.array(payer),
        np.array(account),
        np.array(week),
        amount_band(amount).astype(np.int64),
        np.full(len(owned), ring),
        np.array([who for who, _ in owned], dtype=np.int64),
        np.array([what for _, what in owned], dtype=np.int64),
    )


def own(paid: list[Payment]) -> dict[int, list[int]]:
    """Everybody named owns one account."""
    people = {payer for payer, *_ in paid} | {account - 100 for _, account, *_ in paid}
    return {100 + who: [who] for who in people}


def taking(found: Money, motif: Motif) -> set[int]:
    return set(motifs(found, TERMS)[motif][1].tolist())


def seen(paid: list[Payment], motif: Motif) -> set[int]:
    return taking(money(paid, own(paid)), motif)


def at(*people: int, week: int = 10, amount: int = 4000) -> list[Payment]:
    """Money from each to the next."""
    return [(a, 100 + b, week, amount) for a, b in pairwise(people)]


def fan_in(weeks: tuple[int, ...] = (10, 11, 13), last: int = 4000) -> list[Payment]:
    return [(who, 109, week, 4000) for who, week in enumerate(weeks[:-1])] + [
        (len(weeks) - 1, 109, weeks[-1], last)
    ]


def fan_out(weeks: tuple[int, ...] = (10, 11, 13), last: int = 4000) -> list[Payment]:
    return [(account - 100, 100 + payer, week, amount)
            for payer, account, week, amount in fan_in(weeks, last)]  # fmt: skip


def pass_through(later: int = 1, kept: float = 0.9) -> list[Payment]:
    return [*at(0, 1), *at(1, 2, week=10 + later, amount=int(4000 * kept))]


def cycle(weeks: tuple[int, ...] = (10, 10, 11), kept: float = 1.0) -> list[Payment]:
    """Round over as many people as weeks are given; the last payment keeps this share."""
    last = len(weeks) - 1
    return [
        (who, 100 + (who + 1) % len(weeks), week, int(4500 * (kept if who == last else 1)))
        for who, week in enumerate(weeks)
    ]


def scatter_gather(middles: int = 2, later: int = 4) -> list[Payment]:
    """0 pays the middles, who pay 9."""
    return [
        row for who in range(1, 1 + middles) for row in (*at(0, who), *at(who, 9, week=10 + later))
    ]


def stack(second: int = 2) -> list[Payment]:
    """Two scatter-gathers, one behind the other; the second over so many middles."""
    return scatter_gather() + [
        row
        for who in range(11, 11 + second)
        for row in (*at(9, who, week=14), *at(who, 19, week=15))
    ]


def gather_scatter(sources: int = 3, accounts: int = 3, spread: int = 1) -> list[Payment]:
    """Sources 1, 2, … pay 0 in weeks `spread` apart, who pays 11, 12, … ."""
    return [(1 + number, 100, 10 + spread * number, 4000) for number in range(sources)] + [
        (0, 111 + number, 14, 4000) for number in range(accounts)
    ]


def bipartite(payers: int = 3, both: bool = True) -> list[Payment]:
    """Everyone pays 21 and 22; or the last only one of them."""
    rows = [(who, what, 10 + 5 * who, 4000) for who in range(payers) for what in (121, 122)]
    return rows if both else rows[:-1]


SHAPES = {
    "fan in": (Motif.FAN_IN, fan_in(), {0, 1, 2, 9}),
    "fan in, one band apart": (Motif.FAN_IN, fan_in(last=8000), {0, 1, 2, 9}),
    "fan out": (Motif.FAN_OUT, fan_out(), {0, 1, 2, 9}),
    "passed on a week later": (Motif.PASS_THROUGH, pass_through(), {1}),
    "cycle": (Motif.CYCLE, cycle(), {0, 1, 2}),
    "cycle that keeps 80 %": (Motif.CYCLE, cycle(kept=0.8), {0, 1, 2}),
    "cycle of five hops": (Motif.CYCLE, cycle((10, 10, 10, 11, 11)), set(range(5))),
    "back within four weeks": (Motif.ROUND_TRIP, cycle((10, 14)), {0, 1}),
    "scatter-gather": (Motif.SCATTER_GATHER, scatter_gather(), {0, 1, 2, 9}),
    "stack": (Motif.STACK, stack(), {0, 1, 2, 9, 11, 12, 19}),
    "gather-scatter": (Motif.GATHER_SCATTER, gather_scatter(), {0, 1, 2, 3, 11, 12, 13}),
    "bipartite": (Motif.BIPARTITE, bipartite(), {0, 1, 2}),
}


@pytest.mark.parametrize("name", SHAPES)
def test_who_takes_part_in_a_shape_is_told(name: str) -> None:
    """All who take part and nobody else, by the rule of each shape."""
    motif, paid, people = SHAPES[name]
    assert seen(paid, motif) == people


NEAR_MISSES = {
    "fan in of two": (Motif.FAN_IN, fan_in((10, 10))),
    "fan in, a fifth week": (Motif.FAN_IN, fan_in((10, 11, 14))),
    "fan in, two bands apart": (Motif.FAN_IN, fan_in(last=16_000)),
    "fan in, one payer thrice": (Motif.FAN_IN, [(0, 109, week, 4000) for week in (10, 11, 12)]),
    "fan out to two": (Motif.FAN_OUT, fan_out((10, 10))),
    "fan out, a fifth week": (Motif.FAN_OUT, fan_out((10, 11, 14))),
    "fan out, two bands apart": (Motif.FAN_OUT, fan_out(last=16_000)),
    "passed on two weeks later": (Motif.PASS_THROUGH, pass_through(later=2)),
    "passed on before it came": (Motif.PASS_THROUGH, pass_through(later=-1)),
    "less than half passed on": (Motif.PASS_THROUGH, pass_through(kept=0.49)),
    "more passed on than came": (Motif.PASS_THROUGH, pass_through(kept=2.1)),
    "given back": (Motif.PASS_THROUGH, at(0, 1, 0)),
    "cycle two weeks long": (Motif.CYCLE, cycle((10, 10, 12))),
    "cycle that keeps 40 %": (Motif.CYCLE, cycle(kept=0.4)),
    "cycle of six hops": (Motif.CYCLE, cycle((10,) * 6)),
    "cycle against time": (Motif.CYCLE, cycle((10, 12, 11))),
    "cycle left open": (Motif.CYCLE, cycle()[:2]),
    "back after five weeks": (Motif.ROUND_TRIP, cycle((10, 15))),
    "40 % back": (Motif.ROUND_TRIP, cycle((10, 14), kept=0.4)),
    "one middle": (Motif.SCATTER_GATHER, scatter_gather(middles=1)),
    "scattered, gathered too late": (Motif.SCATTER_GATHER, scatter_gather(later=5)),
    "gathered before scattered": (Motif.SCATTER_GATHER, scatter_gather(later=-1)),
    "scattered and given back": (Motif.SCATTER_GATHER, [*at(0, 1, 0), *at(0, 2, 0)]),
    "one scatter-gather is no stack": (Motif.STACK, scatter_gather()),
    "stack with one middle": (Motif.STACK, stack(second=1)),
    "gather-scatter of two sources": (Motif.GATHER_SCATTER, gather_scatter(sources=2)),
    "gather-scatter to two accounts": (Motif.GATHER_SCATTER, gather_scatter(accounts=2)),
    "gathered over five weeks": (Motif.GATHER_SCATTER, gather_scatter(spread=2)),
    "bipartite of two": (Motif.BIPARTITE, bipartite(payers=2)),
    "bipartite but for one payment": (Motif.BIPARTITE, bipartite(both=False)),
}


@pytest.mark.parametrize("name", NEAR_MISSES)
def test_who_just_misses_a_shape_takes_no_part(name: str) -> None:
    """One payment fewer, a week later, a band less or a hop more: nobody is told."""
    motif, paid = NEAR_MISSES[name]
    assert seen(paid, motif) == set()


def test_every_shape_of_money_has_both() -> None:
    """A shape added later needs its lines in both tables."""
    money_only = set(Motif) - {Motif.GUARANTEE_CIRCLE}
    assert {motif for motif, *_ in SHAPES.values()} == money_only
    assert {motif for motif, *_ in NEAR_MISSES.values()} == money_only


def test_a_cycle_that_takes_two_weeks_is_a_round_trip() -> None:
    """Positive control of the near miss: it is the week that is wrong, not the money."""
    assert seen(cycle((10, 10, 12)), Motif.ROUND_TRIP) == {0, 1, 2}


@pytest.mark.parametrize(
    ("people", "closed", "told"), [(4, True, True), (4, False, False), (3, True, False)]
)
def test_four_who_guarantee_round_in_a_circle_are_one(
    people: int, closed: bool, told: bool
) -> None:
    """An open chain is none, and three are relatives. Devices make a ring of them in any case."""
    rows = [(who, 200 + who, PHONE, 10, 0) for who in range(people)]
    rows += [(who, 300 + pair, DEVICE, 10, 0) for who in range(people) for pair in (0, 1)]
    last = people if closed else people - 1
    rows += [(who, 200 + (who + 1) % people, GUARANTOR, 11, 0) for who in range(last)]
    (one,) = detect(Edges.of(rows), week=12).rings
    assert (Motif.GUARANTEE_CIRCLE in one.motifs) == told
