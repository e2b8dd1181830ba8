"""The vectorised parts against slow twins that say what they mean."""

from itertools import combinations

import networkx as nx
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.rings.columns import peak
from shared.rings.communities import communities, components
from shared.rings.cores import core
from shared.rings.edges import amount_band
from shared.rings.support import supported

ROWS = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 5)), min_size=1, max_size=24)
FEW = settings(max_examples=60, deadline=None)


def columns(rows: list[tuple[int, ...]]) -> list[np.ndarray]:
    return [np.array(column, dtype=np.int64) for column in zip(*rows, strict=True)]


@FEW
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5), st.integers(0, 20)), min_size=1),
    st.integers(1, 8),
)
def test_peak_counts_the_busiest_window(rows: list[tuple[int, int, int]], window: int) -> None:
    """Most distinct members in any run of weeks, as counting in every window says."""
    group, member, week = columns(rows)
    slow = [
        max(
            len({m for g, m, w in rows if g == each and low <= w < low + window})
            for low in range(-8, 21)
        )
        for each in range(3)
    ]
    assert peak(group, member, week, 3, window).tolist() == slow


@FEW
@given(ROWS)
def test_support_is_a_second_way_round(rows: list[tuple[int, int]]) -> None:
    """A link counts when without its point its household still is two steps from another there."""
    home, node = columns(rows)
    links = set(rows)

    def near(one: int, two: int, without: int) -> bool:
        return any((one, n) in links and (two, n) in links for n in range(6) if n != without)

    def slow(h: int, n: int) -> bool:
        others = {t for t, m in links if m == n and t != h}
        return any(
            near(h, t, n)
            or any(near(h, u, n) and near(u, t, n) for u in range(8) if u not in (h, t))
            for t in others
        )

    assert supported(home, node).tolist() == [slow(h, n) for h, n in rows]


@FEW
@given(ROWS, st.randoms(use_true_random=False))
def test_the_core_is_the_largest_firm_set(rows: list[tuple[int, int]], random) -> None:  # type: ignore[no-untyped-def]
    """Peeled one point at a time by the textbook, then pruned one row at a time: the same core."""
    rows = sorted(set(rows))
    weight = [random.randint(1, 9) for _ in rows]
    left = _met(dict(zip(rows, weight, strict=True)))
    firm = _firm(dict(left), 0.5 * _densest(dict(left)))
    subject, node = columns(rows)
    zeros = np.zeros(len(rows), dtype=np.int64)
    kept = core(zeros, subject, subject, node, np.array(weight, float), 0.5, 2)
    assert {row for row, good in zip(rows, kept, strict=True) if good} == set(firm)


def _points(links: dict) -> dict:  # type: ignore[type-arg]
    tied: dict = {}
    for (u, v), w in links.items():
        tied["u", u] = tied.get(("u", u), 0) + w
        tied["v", v] = tied.get(("v", v), 0) + w
    return tied


def _without(links: dict, point: tuple) -> dict:  # type: ignore[type-arg]
    return {(u, v): w for (u, v), w in links.items() if point not in (("u", u), ("v", v))}


def _met(links: dict) -> dict:  # type: ignore[type-arg]
    ones = _points(dict.fromkeys(links, 1))
    lone = [point for point, number in ones.items() if number < 2]
    return _met(_without(links, lone[0])) if lone else links


def _densest(links: dict) -> float:  # type: ignore[type-arg]
    best = 0.0
    while links:
        tied = _points(links)
        best = max(best, sum(links.values()) / len(tied))
        for point in [each for each, w in tied.items() if w == min(tied.values())]:
            links = _without(links, point)
    return best


def _firm(links: dict, floor: float) -> dict:  # type: ignore[type-arg]
    links = _met(links)
    loose = [point for point, w in _points(links).items() if w < floor]
    return _firm(_without(links, loose[0]), floor) if loose else links


@FEW
@given(ROWS)
def test_components_are_those_of_networkx(rows: list[tuple[int, int]]) -> None:
    """Two subjects are in one component exactly when a path joins them."""
    subject, node = columns(rows)
    graph = nx.Graph([(u, ("node", v)) for u, v in rows])
    graph.add_nodes_from(range(8))
    labels = components(subject, node, 8, 6)
    for one, two in combinations(range(8), 2):
        assert (labels[one] == labels[two]) == nx.has_path(graph, one, two)


def test_communities_part_what_one_link_joins() -> None:
    """Two dense halves with one link between them are two; a small component is left whole."""
    half = [(who, at) for who in range(8) for at in range(4)]
    rows = half + [(who + 8, at + 4) for who, at in half] + [(0, 8), (8, 8)]
    subject, node = columns(rows)
    weight = np.full(len(rows), 0.5)
    whole = components(subject, node, 16, 9)
    parts = communities(subject, node, weight, whole, large=10, scale=100.0, seed=0)
    assert len(set(parts[:8])) == len(set(parts[8:])) == 1
    assert parts[0] != parts[8]
    same = communities(subject, node, weight, whole, large=16, scale=100.0, seed=0)
    assert len(set(same)) == 1


def test_bands_double() -> None:
    """Below 1,000 is band 1, then each doubling; what keeps 80 % keeps its band or loses one."""
    amounts = np.array([0, 1, 999, 1000, 1999, 2000, 4000])
    assert amount_band(amounts).tolist() == [0, 1, 1, 2, 2, 3, 4]
    values = np.linspace(1, 1e6, 500)
    lost = amount_band(values).astype(int) - amount_band(0.8 * values)
    assert set(lost.tolist()) == {0, 1}
