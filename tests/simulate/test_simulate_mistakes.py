"""What a tired researcher does wrong ends with one clear message and no traceback."""

import errno
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from researcher import NO_EXTRAS, STUDY, Desk, applicants, read_report

import simulate

pytestmark = pytest.mark.usefixtures("undrawn")
MADE = STUDY.replace('lender = "bank"\n', "[data.partition]\nlenders = 4\n")


def _refused(desk: Desk, *arguments: str, status: int = 2) -> str:
    """What is told on standard error, on one line, by a run that must be refused."""
    got, out, told = desk.run(*arguments, *NO_EXTRAS)
    assert got == status, told
    assert out == ""
    assert "Traceback" not in told
    assert "error:" in told
    assert "remedy:" in told
    return re.sub(r"\s+", " ", told)


def _written(desk: Desk, name: str, content: bytes) -> None:
    (desk.folder / name).write_bytes(content)


TABLES: dict[str, tuple[Callable[[pd.DataFrame], bytes], str]] = {
    "header only": (lambda f: f.iloc[:0].to_csv(index=False).encode(), "'defaulted'"),
    "nothing": (lambda f: b"", "is empty"),
    "zero bytes": (lambda f: b"a,b\n\0,1\n", "holds zero bytes"),
    "workbook": (lambda f: b"PK\x03\x04....", "a spreadsheet workbook"),
    "wrong encoding": (
        lambda f: f.to_csv(index=False).encode() + b"\xff\xff\xff",
        "neither UTF-8 nor GB 18030",
    ),
    "cut line": (
        lambda f: f.to_csv(index=False).encode() + b"A9,3\n",
        "not every line has the header's 7 cells",
    ),
    "doubled header": (
        lambda f: f.assign(Income=1).to_csv(index=False).encode(),
        "columns with the same name: 'income', 'Income'",
    ),
    "doubled row key": (
        lambda f: pd.concat([f, f.iloc[:2]]).to_csv(index=False).encode(),
        "the same row key occurs more than once (4 cells)",
    ),
    "three labels": (
        lambda f: f.assign(defaulted=np.arange(len(f)) % 3).to_csv(index=False).encode(),
        "which of its 3 values means bad cannot be seen",
    ),
    "one label": (
        lambda f: f.assign(defaulted=1).to_csv(index=False).encode(),
        "label 'defaulted'",
    ),
    "label not there": (
        lambda f: f.drop(columns="defaulted").to_csv(index=False).encode(),
        "there is no column 'defaulted'",
    ),
    "infinite": (
        lambda f: (
            f.assign(income=f["income"].where(f.index != 3, np.inf)).to_csv(index=False).encode()
        ),
        "column 'income': infinite (1 cell)",
    ),
    "no features": (
        lambda f: f[["loan_id", "bank", "defaulted"]].to_csv(index=False).encode(),
        "there are no feature columns",
    ),
    "prohibited column": (
        lambda f: f.assign(religion="x").to_csv(index=False).encode(),
        "this field is prohibited in the consortium (religion)",
    ),
    "two lenders": (
        lambda f: f[f["bank"].isin(f["bank"].unique()[:2])].to_csv(index=False).encode(),
        "the table has 2 lenders, 3 are needed",
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_that_cannot_be_used_is_named_with_what_to_do(name: str, desk: Desk):
    made, what = TABLES[name]
    desk.config.write_text(STUDY.replace('time = "year"\n', ""), encoding="utf-8")
    _written(desk, "applicants.csv", made(applicants()))
    assert what in _refused(desk)
    assert not desk.out.joinpath("report.json").exists()


STUDIES = {
    "no such table": (STUDY.replace("applicants.csv", "absent.csv"), "absent.csv: cannot be read"),
    "a folder for a table": (STUDY.replace("applicants.csv", "."), "cannot be read"),
    "wrong key": (STUDY.replace("rounds", "round"), "[run] has an unknown key 'round'"),
    "wrong section": (STUDY.replace("[run]", "[runs]"), "unknown key 'runs'"),
    "broken": (STUDY.replace("[run]", "[run"), "study.toml"),
    "no rounds": (STUDY.replace("rounds = 2", "rounds = 0"), "rounds 0 is not at least 1"),
    "unknown family": (STUDY + 'family = "forest"\n', "family 'forest' is not one of boosted"),
    "too large a test share": (STUDY + "test_share = 0.9\n", "test_share 0.9 is not within"),
    "two lenders suffice": (STUDY + "minimum_lenders = 2\n", "demo profile's floor of 3"),
    "no patience": (STUDY + "patience = 0\n", "patience and deadline are not seconds above 0"),
    "a deadline before patience is over": (STUDY + "deadline = 10\n", "the deadline the longer"),
    "unknown partition": (MADE.replace("[run]", 'kind = "idd"\n[run]'), "kind 'idd' is unknown"),
    "no such lender column": (STUDY.replace('"bank"', '"banks"'), "no column 'banks'"),
    "no such time column": (STUDY.replace('"year"', '"years"'), "no column 'years'"),
    "schema not there": (
        STUDY.replace('label = "defaulted"', 'schema = "s.toml"'),
        "s.toml",
    ),
}


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_that_cannot_be_used_is_named_with_what_to_do(name: str, desk: Desk):
    text, what = STUDIES[name]
    desk.config.write_text(text, encoding="utf-8")
    assert what in _refused(desk)
    assert not desk.out.joinpath("report.json").exists()


def test_a_study_that_is_not_there_is_named(desk: Desk):
    desk.config.unlink()
    assert "study.toml: cannot be read" in _refused(desk)
    assert not desk.out.exists()


@pytest.mark.parametrize(
    ("cutoff", "what"), [("1990", "295 of 295 rows are later"), ("2050", "0 of 295 rows are later")]
)
def test_a_time_that_splits_nothing_is_refused_before_training(cutoff: str, what: str, desk: Desk):
    desk.write(STUDY + f"out_of_time = {cutoff}\n")
    status, _, told = desk.run("--no-references")
    assert status == 2
    assert what in told
    assert not (desk.out / "run").exists()


def test_a_time_without_a_time_column_is_refused_before_training(desk: Desk):
    desk.write(STUDY.replace('time = "year"\n', "") + "out_of_time = 2005\n")
    status, _, told = desk.run("--no-references")
    assert status == 2
    assert "needs a schema with a time column" in told
    assert not (desk.out / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("--rounds", "0"), "0 is not at least 1"),
        (("--rounds", "many"), "invalid"),
        (("--lenders", "-2"), "-2 is not at least 1"),
        (("--seeds", "-1"), "-1 is not within"),
        (("--family", "forest"), "invalid choice"),
        (("--backend", "cloud"), "invalid choice"),
        (("--epochs", "3"), "unrecognized arguments"),
    ],
)
def test_an_option_that_cannot_be_used_ends_with_the_usage(
    arguments: tuple[str, ...], what: str, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit) as caught:
        simulate.main(list(arguments))
    assert caught.value.code == 2
    assert what in capsys.readouterr().err


def test_too_few_lenders_are_refused_at_once_not_waited_for(desk: Desk):
    assert "the table has 2 lenders, 3 are needed" in _refused(desk, "--lenders", "2")


def test_a_fault_that_is_not_understood_is_refused(desk: Desk):
    assert "fault 'drop L01' is not understood" in _refused(desk, "--fault", "drop L01")


def test_faults_are_refused_where_nothing_would_cause_them(desk: Desk):
    told = _refused(desk, "--fault", "drop L01 trees/1", "--backend", "ray")
    assert "faults need the inprocess backend" in told


def test_a_folder_that_cannot_be_made_is_named(desk: Desk):
    desk.out.write_text("a file in the way")
    told = _refused(desk)
    assert str(desk.out) in told
    assert "another --out" in told
    assert desk.out.read_text() == "a file in the way"


def test_a_folder_that_may_not_be_written_to_is_named(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    def denied(path: Path, *given: object, **named: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "mkdir", denied)  # an administrator may write everywhere
    assert f"{desk.out}: Permission denied" in _refused(desk)


def test_a_run_of_something_else_in_the_output_folder_is_not_removed(desk: Desk):
    (desk.out / "run").mkdir(parents=True)
    (desk.out / "run" / "agreement.json").write_text("precious")
    assert "holds something that is not an earlier simulation" in _refused(desk)
    assert (desk.out / "run" / "agreement.json").read_text() == "precious"


def test_a_report_of_something_else_in_the_output_folder_is_not_overwritten(desk: Desk):
    desk.out.mkdir()
    (desk.out / "report.json").write_text("precious")
    assert "nothing was overwritten" in _refused(desk)
    assert (desk.out / "report.json").read_text() == "precious"


def test_other_files_in_the_output_folder_are_left_alone(desk: Desk):
    desk.out.mkdir()
    (desk.out / "notes.txt").write_text("precious")
    desk.report(*NO_EXTRAS)
    assert (desk.out / "notes.txt").read_text() == "precious"


def test_nothing_to_resume_is_told(desk: Desk):
    assert "holds no simulation to resume" in _refused(desk, "--resume")


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"seeds": 3}', '{"seeds": [], "x": 1}'])
def test_a_damaged_note_of_what_was_asked_is_named(content: str, desk: Desk):
    desk.out.mkdir()
    (desk.out / "simulation.json").write_text(content)
    assert "simulation.json cannot be used" in _refused(desk, "--resume")


def test_a_run_is_not_resumed_over_a_table_that_has_changed(desk: Desk):
    desk.report(*NO_EXTRAS)
    desk.write(STUDY, applicants().assign(age=lambda frame: frame["age"] + 1))
    assert "began with another table or other settings" in _refused(desk, "--resume")


def test_a_damaged_checkpoint_is_named_not_served(desk: Desk):
    desk.report(*NO_EXTRAS)
    path = desk.out / "run" / "stages" / "00002.stage"
    path.write_bytes(path.read_bytes()[:-4])
    assert f"checkpoint {path} cannot be used" in _refused(desk, "--resume")


def test_too_few_answers_end_with_their_own_status_and_can_be_resumed(
    desk: Desk, undisturbed: dict[str, Any]
):
    desk.write(STUDY + "patience = 1\ndeadline = 20\n")
    faults = [word for i in (1, 2, 3) for word in ("--fault", f"drop L0{i} trees/1")]
    told = _refused(desk, *faults, status=3)
    assert "stage trees/1, masked input: 2 lenders answered, 4 are needed" in told
    assert "L03: unavailable" in told
    assert "--resume" in told
    resumed = desk.report("--resume")
    assert resumed["model"]["digest"] == undisturbed["model"]["digest"]


def test_a_full_disk_is_told_and_the_run_goes_on_when_there_is_space(
    desk: Desk, undisturbed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    fsync = os.fsync

    def full(handle: int) -> None:
        if len(list((desk.out / "run" / "stages").glob("*.stage"))) >= 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        told = _refused(desk)
    assert f"{desk.out / 'run' / 'stages'} cannot be written to: No space left on device" in told
    resumed = desk.report("--resume")
    assert resumed["model"]["digest"] == undisturbed["model"]["digest"]
    assert read_report(desk.out) == resumed


def test_a_full_disk_while_lenders_folders_are_written_is_told(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    def full(*given: object, **named: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(desk.out / "run"))

    with monkeypatch.context() as patch:
        patch.setattr(pd.DataFrame, "to_parquet", full)
        assert "No space left on device" in _refused(desk)
    assert desk.report("--resume")["data"]["rows"] == 295
