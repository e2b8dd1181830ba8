"""Measures of findings, each by a case that can be counted by hand."""

import numpy as np
import pytest

from server.simulation.rings.evaluation import (
    Findings,
    by_decoy,
    by_typology,
    innocents_per_1000,
    jaccard,
    member_recall,
    precision,
    recall,
    weeks_to_detect,
)
from server.simulation.rings.truth import Decoy, PlantedRing, Truth

A = PlantedRing(0, "cycle", (0, 1, 2, 3), (0, 1, 2, 5))
B = PlantedRing(1, "fan_in", (10, 11, 12), (0, 0, 0))
HOME = Decoy(0, "family", (20, 21))
TRUTH = Truth(("L01",), np.zeros(30, int), np.arange(30), (A, B), (HOME,), (3, 25))


def findings(*rings: set[int]) -> Findings:
    return Findings(tuple(map(frozenset, rings)), frozenset().union(*rings))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [({1}, {1}, 1.0), ({1, 2}, {2, 3}, 1 / 3), ({1}, {2}, 0.0), (set(), set(), 0.0)],
)
def test_jaccard_is_shared_over_all(one: set[int], other: set[int], expected: float):
    assert jaccard(one, other) == pytest.approx(expected)


def test_a_ring_is_found_with_half_of_all_people_in_common():
    """Two of four is just enough, with a stranger among them no longer."""
    assert recall((A, B), findings({0, 1})) == 0.5
    assert recall((A, B), findings({0, 1, 29})) == 0.0
    assert recall((A, B), findings({0, 1, 2}, {10, 11, 12})) == 1.0
    assert recall((), findings({1})) is None


def test_precision_counts_the_best_k_only():
    found = findings({0, 1, 2}, {20, 21, 22}, {10, 11, 12})
    assert precision(TRUTH, found, k=1) == 1.0
    assert precision(TRUTH, found, k=2) == 0.5
    assert precision(TRUTH, found) == pytest.approx(2 / 3)
    assert precision(TRUTH, findings()) is None


def test_a_part_of_a_ring_is_right_but_not_strictly():
    part = findings({0, 29, 3, 28})
    assert precision(TRUTH, part) == 1.0
    assert precision(TRUTH, part, strict=True) == 0.0


def test_members_of_two_rings_together_are_no_ring():
    """A report that mixes rings must be mostly of one."""
    assert precision(TRUTH, findings({0, 10, 20})) == 0.0


def test_listed_members_count_neither_as_found_nor_as_missed():
    """Subject 3 was known before."""
    assert member_recall(A.members, TRUTH, {0, 3}) == pytest.approx(1 / 3)
    assert member_recall({3}, TRUTH, {3}) is None


def test_leads_are_flagged_but_no_members():
    """Where nobody tells them apart, all are members."""
    assert findings({0, 1}).members == {0, 1}
    assert Findings((), frozenset({0, 1}), frozenset({1})).members == {1}


def test_innocents_are_counted_over_all_people_in_no_ring():
    """Seven members of thirty people; two of the other 23 are flagged."""
    assert innocents_per_1000(TRUTH, 30, {0, 20, 25}) == pytest.approx(2000 / 23)


def test_figures_by_typology_and_by_kind_of_look_alike():
    found = findings({10, 11, 20})
    assert by_typology(TRUTH, found)["fan_in"] == {
        "rings": 1, "members": 3, "recall": 1.0, "member_recall": pytest.approx(2 / 3),
    }  # fmt: skip
    assert by_typology(TRUTH, found)["cycle"]["recall"] == 0.0
    assert by_decoy(TRUTH, found.flagged) == {"family": {"groups": 1, "people": 2, "flagged": 1}}


def test_time_runs_from_the_third_member_until_half_of_those_there_are_flagged():
    """The third of A joins in week 2; two of the three there by week 4, then two of four."""
    flagged = [set(), {0, 1}, set(), {0}, {0, 1}, {0, 1}]
    assert weeks_to_detect(A, flagged) == 2
    assert weeks_to_detect(A, flagged[:4]) is None
    assert weeks_to_detect(B, [{10, 11}]) == 0
