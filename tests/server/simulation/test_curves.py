"""The report's curves agree with the totals and scores that they are drawn from."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from server.simulation.comparison import Comparison
from server.simulation.curves import curves_of, drift_table, woe_charts
from server.simulation.cutoffs import cutoffs
from server.simulation.gain import auc, ks
from server.simulation.outcome import Outcome, read_outcome
from shared.statistics import ranking
from shared.statistics.scores import score_of_logit
from tests.federation import ROUNDS, Consortium, founded_in


@pytest.fixture(scope="module")
def consortium(tmp_path_factory: pytest.TempPathFactory) -> Consortium:
    consortium = founded_in(Path(tmp_path_factory.mktemp("curves")) / "run")
    consortium.conducted()
    return consortium


@pytest.fixture(scope="module")
def outcome(consortium: Consortium) -> Outcome:
    return read_outcome(consortium.folder, consortium.book)


@pytest.fixture(scope="module")
def bad(consortium: Consortium, outcome: Outcome) -> np.ndarray:
    return consortium.book.table.bad[outcome.test]


def _area(points: list[list[float]]) -> float:
    x, y = np.array(points).T
    return float(np.trapezoid(y, x))


def test_the_area_under_a_roc_curve_is_the_auc(
    consortium: Consortium, outcome: Outcome, bad: np.ndarray
):
    roc = curves_of(consortium.book, outcome, Comparison(), None)["roc"]
    assert set(roc) == {"shared", "personal"}
    for name, score in (("shared", outcome.shared), ("personal", outcome.personal)):
        assert roc[name][0] == [0, 0]
        assert roc[name][-1] == [1, 1]
        assert _area(roc[name]) == pytest.approx(auc(bad, score), abs=1e-4)


def test_the_ks_curve_is_widest_where_it_says(
    consortium: Consortium, outcome: Outcome, bad: np.ndarray
):
    curve = curves_of(consortium.book, outcome, Comparison(), None)["ks"]
    gap = np.array(curve["bad"]) - np.array(curve["good"])
    assert gap[curve["score"].index(curve["at"])] == pytest.approx(gap.max())
    assert curve["ks"] == pytest.approx(gap.max(), abs=1e-6)
    assert curve["ks"] <= ks(bad, outcome.personal) + 1e-9


def test_the_gain_curve_rises_from_nobody_to_everybody(consortium: Consortium, outcome: Outcome):
    gain = curves_of(consortium.book, outcome, Comparison(), None)["gain"]
    assert len(gain["population"]) == 101
    for name in ("shared", "personal"):
        assert (gain[name][0], gain[name][-1]) == (0, 1)
        assert (np.diff(gain[name]) >= -1e-9).all()


def test_cutoffs_are_counts_of_who_scores_so_much(
    consortium: Consortium, outcome: Outcome, bad: np.ndarray
):
    """Approved from a score on, bad among them and bad declined, each over about a tenth more."""
    table = curves_of(consortium.book, outcome, Comparison(), None)["cutoffs"]
    score = score_of_logit(outcome.personal)
    assert len(table) == 9
    for row, share in zip(table, np.arange(1, 10) / 10, strict=True):
        chosen = score >= row["score"]
        assert row["approved"] == pytest.approx(chosen.mean(), abs=1e-6)
        assert row["bad_rate"] == pytest.approx(bad[chosen].mean(), abs=1e-6)
        assert row["bad_declined"] == pytest.approx(bad[~chosen].sum() / bad.sum(), abs=1e-6)
        assert abs(row["approved"] - share) < 0.05


def test_cutoffs_of_a_sample_by_outcome_have_the_known_share_of_bad(
    consortium: Consortium, outcome: Outcome, bad: np.ndarray
):
    """As if good and bad rows weighed so that a tenth is bad; one class alone has no cut-offs."""
    table = curves_of(consortium.book, outcome, Comparison(), 0.1)["cutoffs"]
    weight = np.where(bad == 1, 0.1 / bad.mean(), 0.9 / (1 - bad.mean()))
    score = score_of_logit(outcome.personal)
    for row in table:
        chosen = score >= row["score"]
        assert row["approved"] == pytest.approx(weight[chosen].sum() / len(bad), abs=1e-6)
        assert row["bad_rate"] == pytest.approx(
            (weight * bad)[chosen].sum() / weight[chosen].sum(), abs=1e-6
        )
    evaluation = outcome.run.evaluation
    assert evaluation is not None
    only_good = replace(evaluation, score=evaluation.score * np.array([[1], [0]]))
    assert cutoffs(only_good, 0.1) == []


def test_calibration_holds_every_test_row_once(
    consortium: Consortium, outcome: Outcome, bad: np.ndarray
):
    table = curves_of(consortium.book, outcome, Comparison(), None)["calibration"]
    rows = np.array([group["rows"] for group in table])
    assert rows.sum() == len(bad)
    observed = np.array([group["observed"] for group in table])
    assert (rows * observed).sum() == pytest.approx(bad.sum())


@pytest.mark.parametrize("prevalence", [0.05, 0.5, 0.9])
def test_with_a_prevalence_the_observed_rate_is_that_and_predictions_move_with_it(
    prevalence: float, consortium: Consortium, outcome: Outcome, bad: np.ndarray
):
    curves = [
        curves_of(consortium.book, outcome, Comparison(), p)["calibration"]
        for p in (None, prevalence)
    ]
    plain, moved = (
        np.array([[g["predicted"], g["observed"], g["rows"]] for g in c]) for c in curves
    )
    overall = np.average(moved[:, 1], weights=moved[:, 2])
    assert overall == pytest.approx(prevalence, abs=0.03)  # rows of a group are rounded
    up = prevalence > bad.mean()
    change = np.average(moved[:, 0], weights=moved[:, 2]) - np.average(
        plain[:, 0], weights=plain[:, 2]
    )
    assert (change > 0) == up


def test_the_learning_curve_has_a_point_for_every_measured_round(
    consortium: Consortium, outcome: Outcome
):
    learning = curves_of(consortium.book, outcome, Comparison(), None)["learning"]
    assert [point["round"] for point in learning] == [0, ROUNDS]
    assert learning[0]["auc"] == 0.5  # before the first round everybody scores alike
    assert learning[-1]["auc"] == ranking.auc(*outcome.run.evaluation.shared).value


def test_every_column_has_a_chart_that_counts_every_training_row(outcome: Outcome):
    charts = woe_charts(outcome.run)
    census = outcome.run.preparation.census
    assert {chart["feature"] for chart in charts} == set(outcome.run.agreement.schema.names)
    values = [chart["iv"] for chart in charts]
    assert values == sorted(values, reverse=True)
    for chart in charts:
        assert sum(one["good"] + one["bad"] for one in chart["bins"]) == census.rows
        assert sum(one["bad"] for one in chart["bins"]) == census.bad
        assert len({one["label"] for one in chart["bins"]}) == len(chart["bins"])
        assert all(one["good"] >= 5 and one["bad"] >= 5 for one in chart["bins"])


def test_drift_is_given_for_every_column_and_lender(outcome: Outcome):
    table = drift_table(outcome)
    assert table["lenders"] == ["L01", "L02", "L03", "L04", "L05"]
    assert [row["name"] for row in table["rows"]] == ["score", *outcome.run.agreement.schema.names]
    for row in table["rows"]:
        assert len(row["values"]) == 5
        assert all(value >= 0 for value in row["values"])
