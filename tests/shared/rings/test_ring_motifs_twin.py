"""The joins that find shapes of money against a slow twin that goes through people one by one."""

from collections import defaultdict
from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.rings.kinds import Terms
from shared.rings.motifs import Money, motifs

TERMS = Terms()
FEW = settings(max_examples=120, deadline=None)
ROWS = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.integers(0, 4),
        st.integers(0, 4),
        st.integers(0, 6),
        st.integers(0, 4),
    ),
    min_size=1,
    max_size=16,
)
OWNED = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 4), st.integers(0, 4)), max_size=8)


@FEW
@given(ROWS, OWNED)
def test_joins_say_what_a_slow_twin_says(
    paid: list[tuple[int, int, int, int, int]], owned: list[tuple[int, int, int]]
) -> None:
    """Two rings at once (their people and accounts apart), any owners: the same who in each."""
    owned += [(ring, who, who) for ring in (0, 1) for who in range(4)]
    ring, payer, account, week, band = (np.array(column) for column in zip(*paid, strict=True))
    owner_ring, owner, thing = (np.array(column) for column in zip(*owned, strict=True))
    told = motifs(
        Money(
            ring, payer + 10 * ring, account + 10 * ring, week, band,
            owner_ring, owner + 10 * owner_ring, thing + 10 * owner_ring,
        ),
        TERMS,
    )  # fmt: skip
    for each in (0, 1):
        slow = Slow(
            [row[1:] for row in paid if row[0] == each], [r[1:] for r in owned if r[0] == each]
        )
        for motif, (where, who) in told.items():
            assert (
                set((who[where == each] - 10 * each).tolist())
                == getattr(slow, motif.name.lower())()
            )


class Slow:
    """One ring's shapes, person by person. Payments: payer, account, week, band."""

    def __init__(self, paid: list[tuple[int, ...]], owned: list[tuple[int, ...]]) -> None:
        self.paid = set(paid)
        self.owners = defaultdict(set)
        for who, what in owned:
            self.owners[what].add(who)
        self.flows = {
            (payer, owner, week, band)
            for payer, account, week, band in paid
            for owner in self.owners[account] - {payer}
        }

    def fan_in(self) -> set[int]:
        return self._fan(by=1, other=0)

    def fan_out(self) -> set[int]:
        return self._fan(by=0, other=1)

    def _fan(self, by: int, other: int) -> set[int]:
        """All of two neighbouring bands, where three are of some four weeks."""
        people: set[int] = set()
        for hub in {row[by] for row in self.paid}:
            for low in range(-1, 5):
                alike = [row for row in self.paid if row[by] == hub and row[3] - low in (0, 1)]
                if self._meet([(row[other], row[2]) for row in alike]):
                    people |= {row[0] for row in alike}
                    people |= set().union(*(self.owners[row[1]] for row in alike))
        return people

    def _meet(self, rows: list[tuple[int, int]]) -> bool:
        return any(
            len({who for who, week in rows if first <= week < first + TERMS.fan_weeks}) >= TERMS.fan
            for first in range(7)
        )

    def pass_through(self) -> set[int]:
        return {
            middle
            for source, middle, came, much in self.flows
            for payer, account, went, on in self.paid
            if payer == middle and source not in self.owners[account]
            if 0 <= went - came <= TERMS.pass_weeks and 0 <= much - on <= 1 and much > 0
        }

    def bipartite(self) -> set[int]:
        payers = defaultdict(set)
        for payer, account, *_ in self.paid:
            payers[account].add(payer)
        pairs = (payers[one] & payers[two] for one, two in combinations(payers, 2))
        return set().union(*(pair for pair in pairs if len(pair) >= TERMS.fan))

    def gather_scatter(self) -> set[int]:
        people: set[int] = set()
        for middle in range(5):
            into = [(source, week) for source, target, week, _ in self.flows if target == middle]
            out = [(account, week) for payer, account, week, _ in self.paid if payer == middle]
            if self._meet(into) and self._meet(out):
                people |= {middle} | {source for source, _ in into}
                people |= {target for source, target, *_ in self.flows if source == middle}
        return people

    def _pairs(self) -> dict[tuple[int, int], set[int]]:
        """Middles of each source and target that two of them lead between."""
        middles = defaultdict(set)
        for source, one, scattered, _ in self.flows:
            for two, target, gathered, _ in self.flows:
                if one == two and source != target and 0 <= gathered - scattered <= TERMS.fan_weeks:
                    middles[source, target].add(one)
        return {ends: between for ends, between in middles.items() if len(between) >= 2}

    def scatter_gather(self) -> set[int]:
        return set().union(*({*ends} | between for ends, between in self._pairs().items()))

    def stack(self) -> set[int]:
        pairs = self._pairs()
        stacked = all(len({ends[side] for ends in pairs}) >= 2 for side in (0, 1))
        return self.scatter_gather() if stacked else set()

    def cycle(self) -> set[int]:
        return self._returning(TERMS.cycle_weeks)

    def round_trip(self) -> set[int]:
        return self._returning(TERMS.round_trip_weeks)

    def _returning(self, weeks: int) -> set[int]:
        """Everybody on a walk of at most five hops that comes home, tried one by one."""
        people: set[int] = set()
        walks = [[flow] for flow in self.flows if flow[3] > 0]
        for _ in range(TERMS.cycle_hops - 1):
            walks = [
                [*walk, on]
                for walk in walks
                for on in self.flows
                if on[0] == walk[-1][1] and walk[-1][2] <= on[2] <= walk[0][2] + weeks
                if 0 <= walk[0][3] - on[3] <= 1 and on[3] > 0
            ]
            home = [walk for walk in walks if walk[-1][1] == walk[0][0]]
            people |= {who for walk in home for flow in walk for who in flow[:2]}
            walks = [walk for walk in walks if walk[-1][1] != walk[0][0]]
        return people
