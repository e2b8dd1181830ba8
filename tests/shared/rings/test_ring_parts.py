"""The vectorised parts against slow twins that say what they mean."""

from itertools import combinations

import networkx as nx
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.rings.background import Background, Classes
from shared.rings.candidates import Candidates, peeled
from shared.rings.columns import peak
from shared.rings.components import components
from shared.rings.edges import amount_band
from shared.rings.kinds import Terms

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
@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.integers(0, 4), st.integers(1, 2)),
        min_size=1,
        unique_by=lambda row: row[:2],
    )
)
def test_everyone_left_is_tied_by_two_observations(rows: list[tuple[int, int, int]]) -> None:
    """Taking away one loose subject at a time, in any order, leaves the same members."""
    subject, point, seen = columns(rows)
    group = np.zeros(len(rows), dtype=np.int64)
    kept = peeled(Candidates(group, subject, subject // 2, point, seen), np.arange(6), Terms())
    left = {who for who, _, _ in rows}
    while True:
        tied = {who: sum(_tied(rows, left, who, at) for at in range(5)) for who in left}
        loose = [who for who in left if tied[who] < 2]
        if not loose:
            break
        left.remove(loose[-1])
    assert set(kept.subject.tolist()) == left


def _tied(rows: list[tuple[int, int, int]], left: set[int], who: int, at: int) -> int:
    """Observations that tie one to others' households at a point: the fewer of the two sides'."""
    here = {u: seen for u, point, seen in rows if point == at and u in left}
    others = sum(seen for u, seen in here.items() if u // 2 != who // 2)
    return min(here.get(who, 0), others)


def points(**columns: list[int]) -> Classes:
    return Classes(**{name: np.array(values) for name, values in columns.items()})


def test_what_is_rarer_surprises_more() -> None:
    """More households, more money, less time apart: each surprises more than the usual point."""
    usual = {"kind": [9], "owned": [0], "households": [2], "band": [2], "gap": [9]}
    many = points(**{name: values * 500 for name, values in usual.items()})
    background = Background.of(many, 20_000)
    [least] = background.surprise(points(**usual))
    for name, value in {"households": 4, "band": 6, "gap": 0}.items():
        [more] = background.surprise(points(**{**usual, name: [value]}))
        assert more > least


def test_what_is_frequent_surprises_nobody() -> None:
    """The same point in a graph where every second household meets so is no surprise any more."""
    usual = {"kind": [0], "owned": [0], "households": [3], "band": [0], "gap": [0]}
    often = Background.of(points(**{name: at * 5000 for name, at in usual.items()}), 20_000)
    assert often.surprise(points(**usual)) < 0.5 < 5 < Background.prior().surprise(points(**usual))


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


def test_bands_double() -> None:
    """Below 1,000 is band 1, then each doubling; what keeps 80 % keeps its band or loses one."""
    amounts = np.array([0, 1, 999, 1000, 1999, 2000, 4000])
    assert amount_band(amounts).tolist() == [0, 1, 1, 2, 2, 3, 4]
    values = np.linspace(1, 1e6, 500)
    lost = amount_band(values).astype(int) - amount_band(0.8 * values)
    assert set(lost.tolist()) == {0, 1}
