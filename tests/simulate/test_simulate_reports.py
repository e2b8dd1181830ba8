"""simulate.py from a researcher's own table to report.json, in every way it can be asked."""

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from researcher import BANKS, NO_EXTRAS, STUDY, Desk, applicants, read_report, timeless

import simulate
from client.table import read_raw
from server.simulation.asked import RESULTS
from server.simulation.book import book_of
from server.simulation.study import read_study
from tests.datasets import REPOSITORY

DECLARED = """
[table]
version = 1
row_key = "loan_id"
time = "year"
[label]
column = "defaulted"
bad = ["1"]
good = ["0"]
indeterminate = ["2"]
[[columns]]
name = "income"
kind = "number"
unit = "thousand a year"
aliases = ["yearly income"]
[[columns]]
name = "age"
kind = "number"
low = 18
high = 99
[[columns]]
name = "region"
kind = "category"
levels = ["north", "east", "south"]
"""
MADE = STUDY.replace('lender = "bank"\n', "[data.partition]\nlenders = 4\n")


@pytest.mark.slow
def test_the_last_line_of_json_is_the_report_and_nobody_is_named(desk: Desk):
    """The one full run in a process of its own: references, out of time, everything."""
    desk.write(STUDY + "out_of_time = 2006\n")
    command = [sys.executable, str(REPOSITORY / "simulate.py"), "--config", str(desk.config)]
    ended = subprocess.run(
        [*command, "--out", str(desk.out), "--json"],
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr.decode()
    assert ended.stdout.endswith(b"}\n")
    assert ended.stdout.count(b"\n") == 1
    report = read_report(desk.out)
    assert json.loads(ended.stdout) == report
    assert {name for name, value in report["pooled"].items() if value is None} == set()
    assert set(report["seconds"]) == {"prepare", "train", "evaluate", "list", "report", "total"}
    assert report["out_of_time"]["auc_shared"] > 0.5
    assert {
        key for one in report["lenders"] for key, value in one.items() if value is None
    } == set()
    files = [path for path in desk.out.rglob("*") if path.is_file()]
    assert {"report.json", "report.html", "simulation.json"} <= {path.name for path in files}
    shown = {"standard error": ended.stderr, **{str(p): p.read_bytes() for p in files}}
    for place, content in shown.items():
        for bank in BANKS.values():
            assert bank.encode() not in content, place
            assert json.dumps(bank).strip('"').encode() not in content, place


@pytest.mark.usefixtures("undrawn")
def test_the_same_seed_gives_the_same_report_and_another_seed_replaces_it(desk: Desk):
    first = desk.report("--seed", "3", *NO_EXTRAS)
    second = desk.report("--seed", "3", *NO_EXTRAS, out=desk.folder / "again")
    other = desk.report("--seed", "4", *NO_EXTRAS)
    assert timeless(first) == timeless(second)
    assert other["model"]["digest"] != first["model"]["digest"]
    assert (first["seed"], other["seed"]) == (3, 4)


@pytest.mark.usefixtures("undrawn")
def test_the_studys_own_seed_counts_when_none_is_given(desk: Desk):
    desk.write(STUDY + "seed = 8\n")
    assert desk.report(*NO_EXTRAS)["seed"] == 8


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    "partition",
    [
        'kind = "iid"',
        'kind = "dirichlet"\nalpha = 0.5',
        'kind = "quantile"\ncolumn = "income"',
        'kind = "sizes"\nsizes = [0.4, 0.3, 0.2, 0.1]',
    ],
    ids=lambda text: text.split('"')[1],
)
def test_lenders_can_be_made_in_each_way(partition: str, desk: Desk):
    frame = applicants().drop(columns="bank")
    desk.write(MADE.replace("lenders = 4", f"lenders = 4\n{partition}"), frame)
    report = desk.report(*NO_EXTRAS)
    assert [one["code"] for one in report["lenders"]] == ["L01", "L02", "L03", "L04"]
    assert sum(one["rows"] for one in report["lenders"]) == len(frame)


@pytest.mark.usefixtures("undrawn")
def test_a_model_does_not_depend_on_how_rows_are_spread_over_lenders(desk: Desk):
    frame = applicants().drop(columns="bank")
    desk.write(MADE, frame)
    four = desk.report(*NO_EXTRAS)
    seven = desk.report(*NO_EXTRAS, "--lenders", "7", out=desk.folder / "seven")
    assert len(seven["lenders"]) == 7
    assert seven["model"]["digest"] == four["model"]["digest"]


@pytest.mark.usefixtures("undrawn")
def test_a_declared_schema_reads_a_file_that_calls_its_columns_otherwise(desk: Desk):
    (desk.folder / "s.toml").write_text(DECLARED, encoding="utf-8")
    frame = applicants().rename(columns={"income": "Yearly Income", "defaulted": "Defaulted"})
    frame.loc[:4, "Defaulted"] = 2
    lines = [line for line in STUDY.splitlines() if line.split(" = ")[0] not in _INFERRED]
    desk.write("\n".join(lines).replace("[data]", '[data]\nschema = "s.toml"'), frame)
    report = desk.report(*NO_EXTRAS)
    assert report["data"]["rows"] == len(frame) - 5
    assert report["data"]["features"] == 3


_INFERRED = ("label", "row_key", "time")


@pytest.mark.parametrize("family", ["network", "blend"])
def test_the_other_families_run_to_a_report(family: str, desk: Desk):
    report = desk.report("--family", family, "--rounds", "2", *NO_EXTRAS)
    assert report["family"] == family
    assert report["pooled"]["auc_shared"] is not None
    assert report["rounds"] == (4 if family == "blend" else 2)


@pytest.mark.usefixtures("undrawn")
def test_the_n_largest_lenders_can_be_asked_for(desk: Desk):
    report = desk.report("--lenders", "3", *NO_EXTRAS)
    assert [one["rows"] for one in report["lenders"]] == [61, 60, 59]


def test_two_seeds_give_mean_and_deviation_and_a_folder_each(desk: Desk):
    report = desk.report("--seeds", "0", "1", *NO_EXTRAS)
    alone = desk.report("--seed", "1", *NO_EXTRAS, out=desk.folder / "1")["pooled"]["auc_shared"]
    both = (report["pooled"]["auc_shared"], alone)
    sweep = report["sweep"]
    assert sweep["seeds"] == [0, 1]
    assert sweep["mean"]["pooled"]["auc_shared"] == pytest.approx(sum(both) / 2)
    spread = abs(both[0] - both[1]) / 2**0.5
    assert sweep["sd"]["pooled"]["auc_shared"] == pytest.approx(spread)
    for seed in (0, 1):
        assert (desk.out / f"seed-{seed}" / "run" / "model" / "model.json").exists()


def test_a_parquet_table_is_the_same_book_as_the_csv_table(desk: Desk):
    pd.read_csv(desk.folder / "applicants.csv").to_parquet(desk.folder / "applicants.parquet")
    study = read_study(desk.config)
    books = [book_of(read_raw(desk.folder / f"applicants.{x}").frame, study) for x in _KINDS]
    assert books[0].table.schema == books[1].table.schema
    assert books[0].lender.tolist() == books[1].lender.tolist()
    assert books[0].table.row_key.tolist() == books[1].table.row_key.tolist()
    for name, values in books[0].table.values.items():
        np.testing.assert_array_equal(values, books[1].table.values[name])


_KINDS = ("csv", "parquet")


@pytest.mark.usefixtures("undrawn")
def test_a_lender_that_failed_at_a_stage_is_in_the_warnings(desk: Desk):
    report = desk.report(*NO_EXTRAS, "--fault", "error L02 trees/1")
    assert "stage trees/1 went on without L02: unavailable" in report["warnings"]


def test_sums_are_secure_and_said_to_be(desk: Desk):
    status, _, told = desk.run(*NO_EXTRAS)
    assert status == 0
    assert "secure sums: the coordinator saw totals only" in told
    assert "one process plays all parts" in told
    report = read_report(desk.out)
    assert report["insecure"] is False
    assert report["traffic"]["by_stage"][0]["stage"] == "set-up"
    page = (desk.out / "report.html").read_text(encoding="utf-8")
    assert "secure sums" in page
    assert "Not secure" not in page


@pytest.mark.usefixtures("undrawn")
def test_plain_sums_train_the_same_model_and_are_said_to_be_insecure(
    desk: Desk, undisturbed: dict[str, Any]
):
    status, _, told = desk.run("--plain", *NO_EXTRAS)
    assert status == 0
    assert told.count("NOT SECURE: plain sums") == 2  # before training and at the end
    report = read_report(desk.out)
    assert report["insecure"] is True
    assert "Not secure" in (desk.out / "report.html").read_text(encoding="utf-8")
    assert report["model"]["digest"] == undisturbed["model"]["digest"]
    assert report["pooled"] == undisturbed["pooled"]
    assert {(desk.out / name).stat().st_mode & 0o777 for name in RESULTS} == {0o600}
    status, _, told = desk.run("--resume", *NO_EXTRAS)
    assert status == 0
    assert "this run began with --plain and goes on so; for secure sums leave --resume out" in told


@pytest.mark.usefixtures("undrawn")
def test_a_simulation_is_not_resumed_with_other_sums(desk: Desk):
    desk.report(*NO_EXTRAS)
    status, _, told = desk.run("--resume", "--plain")
    assert status == 2
    assert "began with secure sums and cannot go on with plain ones" in told
    assert "leave --plain out to go on with it" in told


@pytest.mark.usefixtures("undrawn")
def test_a_fault_that_never_happened_is_told(desk: Desk):
    status, _, told = desk.run(*NO_EXTRAS, "--fault", "drop L09 trees/1")
    assert status == 0
    assert "the fault 'drop L09 trees/1' never happened" in told


def test_help_has_examples_every_option_and_the_exit_statuses(
    capsys: pytest.CaptureFixture[str],
):
    with pytest.raises(SystemExit) as caught:
        simulate.main(["--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert text.count("python simulate.py") >= 3
    assert "exit status: 0 done · 2" in text
    for option in ("--config", "--backend", "--seeds", "--resume", "--fault", "--json", "--out"):
        assert option in text
