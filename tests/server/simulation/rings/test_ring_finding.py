"""Finders are measured over every view; they are given edges, a week and the list, never truth."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from plain_components import plain_components

from server.simulation.book import book_of
from server.simulation.rings import finding
from server.simulation.rings.evaluation import Findings
from server.simulation.rings.finding import headline, in_full, over_seeds
from server.simulation.rings.lenders import View
from server.simulation.rings.reported import ring_figures
from server.simulation.rings.scenario import Planted, Scenario, made_up
from shared.errors import OperatorError
from tests.federation import study, table

SMALL = Planted(rings=3, decoys=4)


def test_who_knows_the_truth_reaches_every_goal(made: Scenario):
    """The measures' own control: nothing is lost on the way."""
    rings = tuple(frozenset(ring.members) for ring in made.truth.rings)

    def oracle(view: View, week: int, listed: Sequence[int]) -> Findings:
        there = set(view.edges.subject.tolist())
        seen = tuple(frozenset(people & there) for people in rings)
        return Findings(seen, frozenset().union(*seen))

    figures = headline(made, oracle)
    for name in ("recall", "precision_at_k", "precision_strict", "member_recall"):
        assert figures[name] == 1.0
    assert figures["innocents_per_1000"] == 0.0
    assert figures["member_recall_best_single_lender"] < 1.0


def test_figures_tell_leads_apart(made: Scenario):
    """A finder that has the last of each ring as a lead only: counted, and told beside."""
    rings = tuple(frozenset(ring.members) for ring in made.truth.rings)
    wrong = frozenset(range(made.traffic.subjects)) - made.truth.members
    flagged, sure = frozenset().union(*rings), frozenset(min(ring) for ring in rings)
    found = Findings(rings, flagged | wrong, sure)
    figures = headline(made, lambda view, week, listed: found)
    assert figures["member_recall"] == 1.0
    assert 0 < figures["member_recall_sure"] < 0.5
    assert figures["innocents_per_1000"] == 1000.0
    assert figures["innocents_per_1000_sure"] == 0.0


def test_who_finds_nothing_has_no_precision(made: Scenario):
    figures = headline(made, lambda view, week, listed: Findings((), frozenset()))
    assert figures["recall"] == figures["member_recall"] == 0.0
    assert figures["precision_at_k"] is None


def test_a_plain_detector_flags_many_innocents(made: Scenario):
    """What is planted is not told from ordinary lives by hanging together."""
    figures = headline(made, plain_components)
    assert figures["innocents_per_1000"] > 10
    assert figures["precision_at_k"] < 0.8


def test_a_lender_alone_is_asked_with_its_own_customers_listed(made: Scenario):
    asked = []

    def watching(view: View, week: int, listed: Sequence[int]) -> Findings:
        asked.append((view.edges, week, set(listed)))
        return Findings((), frozenset())

    headline(made, watching)
    assert len(asked) == 1 + len(made.truth.codes)
    assert asked[0][2] == set(made.truth.listed)
    for edges, week, listed in asked[1:]:
        assert week == made.traffic.weeks - 1
        assert listed < set(edges.subject.tolist())


def test_in_full_tells_everything_without_a_subjects_number(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(finding, "Kind", (finding.Kind.PAYEE,))
    made = made_up(4, 700, Planted(rings=8, decoys=6), seed=2)
    figures = in_full(made, plain_components)
    assert set(figures["by_typology"]) == {ring.typology for ring in made.truth.rings}
    assert set(figures["ablation"]) == {"payee"}
    assert figures["weeks_to_detect"]["by_week"] == sorted(figures["weeks_to_detect"]["by_week"])
    drawn = figures["drawn"]
    assert max(who for who, _ in drawn["edges"]) < len(drawn["members"])
    assert set(drawn["members"][0]) == {"lender", "flagged"}


def test_spread_over_seeds_leaves_out_what_could_not_be_measured():
    one, none = dict.fromkeys(finding.HEADLINE, 0.5), dict.fromkeys(finding.HEADLINE)
    spread = over_seeds((0, 1, 2), (one, one | {"recall": 1.0}, none))
    assert spread["mean"]["recall"] == 0.75
    assert spread["sd"]["recall"] == pytest.approx(np.sqrt(0.125))
    assert (spread["low"]["recall"], spread["high"]["recall"]) == (0.5, 1.0)


def test_the_truth_is_kept_for_the_owner_and_out_of_the_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(finding, "Kind", ())
    book = book_of(table(), study())
    figures = ring_figures([(0, book), (1, book)], tmp_path / "rings", SMALL, plain_components)
    path = tmp_path / "rings" / "truth.json"
    truth = json.loads(path.read_text(encoding="utf-8"))
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert "researcher only" in truth["for"]
    assert len(truth["rings"]) == 3
    rows = [one["row"] for one in truth["people"].values()]
    assert max(rows) < book.table.rows
    assert (tmp_path / "rings" / "seed-1" / "truth.json").is_file()
    assert figures["over_seeds"]["seeds"] == [0, 1]
    assert json.dumps(figures, allow_nan=False)


def test_somebody_elses_folder_is_left_alone(tmp_path: Path):
    (tmp_path / "theirs").write_text("")
    with pytest.raises(OperatorError, match="nothing was removed"):
        ring_figures([(0, book_of(table(), study()))], tmp_path, SMALL, plain_components)
