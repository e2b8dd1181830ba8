"""report.json holds every promised key, numbers a reader can recompute, and no lender's name."""

import json
from copy import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from server.report.page import render
from server.simulation.assessment import Report, report_of
from server.simulation.comparison import Comparison
from server.simulation.outcome import Outcome, read_outcome, training_rows
from server.simulation.sweep import swept
from shared.model.saved import digest_of
from tests.federation import ROUNDS, SIZES, Consortium, founded_in, study

SECONDS = {"prepare": 1.0, "train": 2.0, "evaluate": 3.0, "report": 0.5, "total": 6.5}
LENDER_KEYS = {
    *("code", "rows", "bad_rate", "test_rows", "local_weight", "swap_set"),
    *("auc_local", "auc_shared", "auc_personal", "auc_pooled"),
    *("ks_local", "ks_shared", "ks_personal", "ks_pooled"),
    *("gain", "gain_low", "gain_high"),
}
POOLED_KEYS = {
    *("auc_shared", "ks_shared", "auc_personal", "ks_personal", "auc_local"),
    *("auc_lightgbm", "auc_lightgbm_knows_lender", "auc_fedavg_mlp", "federated"),
}
TOP_KEYS = {
    *("schema_version", "title", "family", "seed", "insecure", "profile", "versions"),
    *("config_digest", "data", "rounds", "lenders", "pooled", "curves", "woe", "psi", "traffic"),
    *("bytes_per_lender", "seconds", "model", "warnings"),
}


@pytest.fixture(scope="module")
def consortium(tmp_path_factory: pytest.TempPathFactory) -> Consortium:
    consortium = founded_in(tmp_path_factory.mktemp("assessed") / "run")
    consortium.conducted()
    return consortium


@pytest.fixture(scope="module")
def outcome(consortium: Consortium) -> Outcome:
    return read_outcome(consortium.folder, consortium.book)


@pytest.fixture(scope="module")
def comparison(outcome: Outcome) -> Comparison:
    """Made-up references: what they are is tested elsewhere."""
    rng = np.random.default_rng(0)
    return Comparison(*(rng.normal(size=len(outcome.test)) for _ in range(4)))


@pytest.fixture(scope="module")
def report(consortium: Consortium, outcome: Outcome, comparison: Comparison) -> Report:
    return report_of(study(), consortium.book, outcome, comparison, dict(SECONDS))


def test_every_promised_key_is_there(report: Report):
    assert set(report) >= TOP_KEYS
    assert {"rows", "lenders"} <= set(report["data"])
    assert set(report["pooled"]) >= POOLED_KEYS
    assert set(report["seconds"]) == set(SECONDS)
    for lender in report["lenders"]:
        assert set(lender) >= LENDER_KEYS
    assert report["insecure"] is False


def test_it_is_json_without_nan_and_comes_back_equal(report: Report):
    text = json.dumps(report, allow_nan=False)
    assert json.loads(text) == report


def test_the_counts_are_those_of_the_book(report: Report, consortium: Consortium):
    assert report["data"]["rows"] == sum(SIZES)
    assert report["data"]["lenders"] == len(report["lenders"]) == len(SIZES)
    assert [lender["rows"] for lender in report["lenders"]] == list(SIZES)
    assert sum(lender["test_rows"] for lender in report["lenders"]) == report["data"]["test_rows"]
    assert report["data"]["train_rows"] + report["data"]["test_rows"] == sum(SIZES)
    assert report["data"]["features"] == len(consortium.book.table.schema.columns)
    rates = [lender["bad_rate"] * lender["rows"] for lender in report["lenders"]]
    assert sum(rates) == pytest.approx(consortium.book.table.bad.sum())
    assert report["rounds"] == ROUNDS


def test_a_lenders_figures_are_those_of_its_own_test_rows(
    report: Report, consortium: Consortium, outcome: Outcome, comparison: Comparison
):
    book = consortium.book
    for lender in report["lenders"]:
        mine = book.lender[outcome.test] == lender["code"]
        bad = book.table.bad[outcome.test][mine] == 1
        for name, score in (("shared", outcome.shared), ("local", comparison.local)):
            pairs = score[mine][bad][:, None] - score[mine][~bad]
            expected = ((pairs > 0) + (pairs == 0) / 2).mean()
            assert lender[f"auc_{name}"] == pytest.approx(expected)
        assert lender["gain"] == pytest.approx(lender["auc_personal"] - lender["auc_local"])
        assert lender["gain_low"] <= lender["gain"] <= lender["gain_high"]


def test_what_the_lenders_measured_is_what_the_researcher_measures(
    report: Report, outcome: Outcome
):
    """The federated AUC comes from summed histograms: it must agree within its certified error."""
    federated = report["pooled"]["federated"]
    gap = abs(federated["auc"] - report["pooled"]["auc_shared"])
    assert gap <= federated["half_width"] + 1e-12
    assert federated["ks"] <= report["pooled"]["ks_shared"] + 1e-12
    assert report["pooled"]["ks_shared"] <= federated["ks"] + federated["ks_bound"] + 1e-12


def test_small_cells_that_were_joined_widen_the_certified_error(
    report: Report, outcome: Outcome, consortium: Consortium
):
    """By the rows that may have changed sides; nothing is added where every count was sent."""
    exact = report["pooled"]["federated"]
    terms = replace(outcome.run.agreement, minimum_cell=3)
    joined = replace(outcome, run=copy(outcome.run))
    joined.run.agreement = terms
    wide = report_of(study(), consortium.book, joined, Comparison(), dict(SECONDS))
    good, bad = outcome.run.evaluation.shared.sum(axis=1)
    doubt = len(SIZES) * 2 * (1 / good + 1 / bad)
    for name in ("half_width", "ks_bound"):
        assert wide["pooled"]["federated"][name] == pytest.approx(exact[name] + doubt)


def test_no_row_is_in_training_and_in_test(outcome: Outcome):
    train = training_rows(outcome)
    assert not set(train.tolist()) & set(outcome.test.tolist())
    assert len(train) + len(outcome.test) == sum(SIZES)


def test_the_model_is_the_one_the_coordinator_and_every_lender_hold(
    report: Report, consortium: Consortium, outcome: Outcome
):
    assert report["model"]["digest"] == digest_of(outcome.run.model())
    assert {one["model"] for one in outcome.results.values()} == {report["model"]["digest"]}
    held = (consortium.folder / "model" / "model.safetensors").read_bytes()
    for home in consortium.homes:
        assert (home / "own" / "model" / "model.safetensors").read_bytes() == held


def test_the_traffic_adds_up(report: Report, outcome: Outcome):
    sent = sum(one.bytes_up + one.bytes_down + sum(one.set_up[1:]) for one in outcome.records)
    assert report["bytes_per_lender"] == pytest.approx(sent / len(SIZES), abs=10)
    assert report["traffic"]["messages_per_lender"] == 6 + 4 * (len(outcome.records) - 1) + 2


def test_references_that_were_not_asked_for_are_null(consortium: Consortium, outcome: Outcome):
    report = report_of(study(), consortium.book, outcome, Comparison(), dict(SECONDS))
    assert report["pooled"]["auc_lightgbm"] is None
    assert {lender["gain"] for lender in report["lenders"]} == {None}
    json.dumps(report, allow_nan=False)
    render(report)


def test_the_same_run_gives_the_same_report(
    report: Report, consortium: Consortium, comparison: Comparison
):
    again = read_outcome(consortium.folder, consortium.book)
    assert report_of(study(), consortium.book, again, comparison, dict(SECONDS)) == report


def test_it_is_drawn_with_every_lender_and_warns_of_plain_sums_only(report: Report):
    page = render(report)
    for lender in report["lenders"]:
        assert lender["code"] in page
    assert "Sums are plain in this run" not in page
    assert "Sums are plain in this run" in render(report | {"insecure": True})


def test_few_test_rows_are_warned_about(report: Report):
    assert [w for w in report["warnings"] if "test rows; its figures are rough" in w]


def test_two_seeds_give_mean_deviation_and_all_the_seconds(report: Report, tmp_path: Path):
    other = json.loads(json.dumps(report)) | {"seed": 1}
    other["pooled"]["auc_shared"] = report["pooled"]["auc_shared"] + 0.02
    other["lenders"][0]["gain"] = report["lenders"][0]["gain"] + 0.1
    other["lenders"][1]["gain"] = None
    both = swept([report, other])
    section = both["sweep"]
    mean, deviation = section["mean"]["pooled"], section["sd"]["pooled"]
    assert section["seeds"] == [0, 1]
    assert mean["auc_shared"] == pytest.approx(report["pooled"]["auc_shared"] + 0.01)
    assert deviation["auc_shared"] == pytest.approx(0.02 / np.sqrt(2))
    assert deviation["auc_personal"] == 0
    first, second = section["lenders"][:2]
    assert first["gain"] == pytest.approx(report["lenders"][0]["gain"] + 0.05)
    assert first["gain_sd"] == pytest.approx(0.1 / np.sqrt(2))
    assert (second["gain"], second["gain_sd"]) == (report["lenders"][1]["gain"], None)
    assert both["seconds"] == {name: 2 * value for name, value in SECONDS.items()}
    json.dumps(both, allow_nan=False)
    render(both)


@pytest.mark.parametrize("first", [True, False])
def test_a_measure_missing_in_one_seed_is_a_mean_over_the_others(first: bool, report: Report):
    other = json.loads(json.dumps(report))
    other["pooled"]["auc_shared"] = None
    section = swept([other, report] if first else [report, other])["sweep"]
    assert section["mean"]["pooled"]["auc_shared"] == report["pooled"]["auc_shared"]
    assert section["sd"]["pooled"]["auc_shared"] is None
