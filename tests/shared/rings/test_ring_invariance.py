"""A detection depends on who is tied to what, and on nothing else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rings_worlds import essence, planted_world, random_world

from shared.rings.background import Background
from shared.rings.detect import detect
from shared.rings.edges import Edges
from shared.rings.graph import Graph

SEEDS = st.integers(0, 10**6)
FEW = settings(max_examples=25, deadline=None)


def renamed(edges: Edges, seed: int) -> tuple[Edges, dict[int, int]]:
    """The same world with other numbers for subjects and attributes, in another order."""
    rng = np.random.default_rng(seed)
    people = rng.permutation(int(edges.subject.max()) + 50)
    things = rng.permutation(int(edges.attribute.max()) + 50)
    other = Edges(
        people[edges.subject], things[edges.attribute], edges.kind, edges.week, edges.band
    ).take(rng.permutation(len(edges)))
    return other, {int(new): old for old, new in enumerate(people)}


@FEW
@given(SEEDS, st.sampled_from([None, Background.prior()]))
def test_numbers_and_order_carry_no_meaning(seed: int, background: Background | None) -> None:
    """Other numbers for subjects and attributes in another order give the same rings."""
    edges = planted_world(seed)
    other, names = renamed(edges, seed + 1)
    listed = [int(each) for each in edges.subject[:3]]
    back = {old: new for new, old in names.items()}
    one = detect(edges, week=30, seeds=listed, background=background)
    two = detect(other, week=30, seeds=[back[each] for each in listed], background=background)
    assert essence(one) == essence(two, names)


def test_planted_worlds_have_rings() -> None:
    """Positive control: the property above is not about empty results."""
    usual = Background.prior()
    assert all(detect(planted_world(at), week=30, background=usual).rings for at in range(5))


@FEW
@given(SEEDS)
def test_an_edge_twice_is_an_edge_once(seed: int) -> None:
    """Whoever contributes an edge again changes nothing."""
    edges = random_world(seed)
    assert essence(detect(edges.then(edges), week=30)) == essence(detect(edges, week=30))


@FEW
@given(SEEDS, st.sampled_from([planted_world, random_world]), st.integers(5, 28))
def test_week_by_week_is_all_at_once(seed: int, world: object, cut: int) -> None:
    """Edges added in three parts give what all of them give from scratch, flags included."""
    edges = world(seed)  # type: ignore[operator]
    usual = Background.prior()
    graph = Graph.of(edges.take(edges.week <= cut), background=usual)
    for low in (cut, cut + 1, cut + 2):
        high = 99 if low == cut + 2 else low + 1
        graph = graph.with_week(edges.take((edges.week > low) & (edges.week <= high)))
    listed = [int(each) for each in edges.subject[:2]]
    parts, whole = (
        detect(each, week=30, seeds=listed) for each in (graph, Graph.of(edges, background=usual))
    )
    assert essence(parts) == essence(whole)
    for who in np.unique(edges.subject):
        one, two = parts.flag(int(who)), whole.flag(int(who))
        assert (one and (one.distance, one.classes)) == (two and (two.distance, two.classes))


def test_what_is_not_touched_is_not_analysed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A week that names one ring's device leaves the other components as they were."""
    from rings_worlds import DEVICE, ring

    import shared.rings.graph as module

    edges = Edges.of([row for at in range(20) for row in ring(20 * at, 2000 + 200 * at)])
    graph = Graph.of(edges)
    seen: list[int] = []
    analyse = module.analyse

    def watched(edges: Edges, which: np.ndarray, *more: object) -> object:
        seen.append(len(which))
        return analyse(edges, which, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "analyse", watched)
    graph.with_week(Edges.of([(999, 2000, DEVICE, 12, 0)]))
    assert seen == [7]
