"""One lender's trouble is refused at that lender; the run goes on and the report says so."""

import json
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from server.coordinator.exchange import Policy, VoidStageError
from server.report.page import render
from server.simulation.assessment import report_of
from server.simulation.comparison import Comparison, compare
from server.simulation.outcome import read_outcome
from server.simulation.study import References
from tests.federation import STAGES, Consortium, founded_in, study, table


@pytest.fixture
def consortium(tmp_path: Path) -> Consortium:
    return founded_in(tmp_path / "run")


def _rows(home: Path) -> pd.DataFrame:
    return pd.read_parquet(home / "table.parquet")


def _as_csv(home: Path, content: bytes) -> None:
    (home / "table.csv").write_bytes(content)
    settings = (home / "client.toml").read_text(encoding="utf-8")
    (home / "client.toml").write_text(settings.replace("table.parquet", "table.csv"))


def _header_only(home: Path) -> None:
    _rows(home).iloc[:0].to_parquet(home / "table.parquet")


def _no_file(home: Path) -> None:
    (home / "table.parquet").unlink()


def _without_a_column(home: Path) -> None:
    _rows(home).drop(columns="age").to_parquet(home / "table.parquet")


def _renamed_column(home: Path) -> None:
    _rows(home).rename(columns={"age": "years"}).to_parquet(home / "table.parquet")


def _doubled_header(home: Path) -> None:
    text = _rows(home).assign(Age=1).to_csv(index=False)
    _as_csv(home, text.encode())


def _wrong_encoding(home: Path) -> None:
    text = _rows(home).replace({"region": {"north": "nördlich"}}).to_csv(index=False)
    _as_csv(home, text.encode("latin-1").replace(b"\xf6", b"\xf6\xff"))


def _spreadsheet(home: Path) -> None:
    _as_csv(home, b"PK\x03\x04" + b"\0" * 100)


def _third_label(home: Path) -> None:
    rows = _rows(home)
    rows.loc[0, "defaulted"] = 2
    rows.to_parquet(home / "table.parquet")


def _infinite(home: Path) -> None:
    rows = _rows(home)
    rows.loc[0, "income"] = np.inf
    rows.to_parquet(home / "table.parquet")


def _no_label(home: Path) -> None:
    text = _rows(home).astype({"defaulted": "str"})
    text.loc[0, "defaulted"] = ""
    _as_csv(home, text.to_csv(index=False).encode())


def _other_terms(home: Path) -> None:
    terms = json.loads((home / "agreement.json").read_text(encoding="utf-8"))
    (home / "agreement.json").write_text(json.dumps(terms | {"test_share": 0.3}))


def _damaged_terms(home: Path) -> None:
    (home / "agreement.json").write_text("{")


def _misspelt_setting(home: Path) -> None:
    text = (home / "client.toml").read_text(encoding="utf-8")
    (home / "client.toml").write_text(text.replace("table =", "tabel ="))


TROUBLES: dict[Callable[[Path], None], tuple[str, str]] = {
    _header_only: ("operator", "the file has no rows"),
    _no_file: ("operator", "cannot be read (there is no such file)"),
    _without_a_column: ("operator", "column 'age': there is no such header"),
    _renamed_column: ("operator", "column 'age': there is no such header"),
    _doubled_header: ("operator", "column 'age': 2 headers name this column: 'age', 'Age'"),
    _wrong_encoding: ("operator", "neither UTF-8 nor GB 18030"),
    _spreadsheet: ("operator", "a spreadsheet workbook"),
    _third_label: ("operator", "a value the label contract does not know (1 cell)"),
    _infinite: ("operator", "column 'income': infinite (1 cell)"),
    _no_label: ("operator", "column 'defaulted': no label (1 cell)"),
    _other_terms: ("peer", "an agreement this lender does not hold"),
    _damaged_terms: ("operator", "mend the file's syntax"),
    _misspelt_setting: ("operator", "no entry 'table'"),
}


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.__name__.strip("_"))
def test_a_lender_in_trouble_refuses_says_why_to_itself_and_the_run_goes_on(
    trouble: Callable[[Path], None], consortium: Consortium, caplog: pytest.LogCaptureFixture
):
    code, why = TROUBLES[trouble]
    trouble(consortium.folder / "lenders" / "L04")
    with caplog.at_level(logging.ERROR, logger="lianfang.client"):
        consortium.conducted()
    own = [record.message for record in caplog.records if record.name == "lianfang.client"]
    assert why in own[0]
    outcome = read_outcome(consortium.folder, consortium.book)
    assert sorted(outcome.results) == ["L01", "L02", "L03", "L05"]
    for record in outcome.records:
        assert record.members == ("L01", "L02", "L03", "L05")
        (missing,) = record.missing
        evidence = trouble is _other_terms
        told = why if evidence else "see the lender's own log"
        assert missing.startswith(f"L04: refused ({'agreement' if evidence else code}")
        assert told in missing


def test_the_report_says_who_took_no_part_and_is_whole_for_the_others(consortium: Consortium):
    _header_only(consortium.folder / "lenders" / "L04")
    consortium.conducted()
    outcome = read_outcome(consortium.folder, consortium.book)
    asked = study(references=References(pooled=True, local=True, fedavg_mlp=True))
    comparison = compare(consortium.book, outcome, asked)
    report = report_of(asked, consortium.book, outcome, comparison, {"total": 1.0})
    text = json.dumps(report, allow_nan=False)
    gone = next(lender for lender in report["lenders"] if lender["code"] == "L04")
    assert (gone["rows"], gone["auc_shared"], gone["auc_personal"]) == (58, None, None)
    assert "L04: took no part to the end; it has no personal model" in report["warnings"]
    assert (
        f"{len(STAGES)} stages, census the first, went on without "
        "L04: refused (operator error; see the lender's own log)" in report["warnings"]
    )
    assert all(one["auc_shared"] is not None for one in report["lenders"] if one is not gone)
    page = render(json.loads(text))
    assert "took no part to the end" in page


def _one_class(frame: pd.DataFrame, lender: str, bad: int) -> pd.DataFrame:
    return frame.assign(defaulted=frame["defaulted"].where(frame["lender"] != lender, bad))


UNUSUAL: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "only good rows": lambda frame: _one_class(frame, "L02", 0),
    "only bad rows": lambda frame: _one_class(frame, "L02", 1),
    "a column nobody knows": lambda frame: frame.assign(
        income=frame["income"].where(frame["lender"] != "L02")
    ),
    "a column that is always the same": lambda frame: frame.assign(
        age=frame["age"].where(frame["lender"] != "L02", 40)
    ),
    "three rows": lambda frame: frame[
        (frame["lender"] != "L02") | (frame.groupby("lender").cumcount() < 3)
    ].reset_index(drop=True),
    "one row": lambda frame: frame[
        (frame["lender"] != "L02") | (frame.groupby("lender").cumcount() < 1)
    ].reset_index(drop=True),
}


@pytest.mark.parametrize("name", UNUSUAL)
def test_an_unusual_lender_takes_part_and_has_a_personal_model(name: str, tmp_path: Path):
    consortium = founded_in(tmp_path / "run", UNUSUAL[name](table()))
    consortium.conducted()
    outcome = read_outcome(consortium.folder, consortium.book)
    assert all(len(record.members) == 5 for record in outcome.records)
    assert "local_weight" in outcome.results["L02"]
    assert np.isfinite(outcome.personal).all()
    report = report_of(study(), consortium.book, outcome, Comparison(), {"total": 1.0})
    json.dumps(report, allow_nan=False)
    render(report)


def test_levels_nobody_declared_are_read_as_unseen(tmp_path: Path):
    consortium = founded_in(tmp_path / "run")
    home = consortium.folder / "lenders" / "L02"
    rows = _rows(home)
    rows.loc[:9, "region"] = "overseas"
    rows.to_parquet(home / "table.parquet")
    run = consortium.conducted()
    counts = run.preparation.bins.counts["region"]
    training = counts.sum()
    assert counts[:, -2].sum() > 0  # the code of unseen levels
    assert training == run.preparation.census.rows


def test_test_rows_of_one_class_give_no_measures_and_no_nan(tmp_path: Path):
    frame = table()
    consortium = founded_in(tmp_path / "run", frame)
    consortium.conducted()
    tested = read_outcome(consortium.folder, consortium.book)
    ids = consortium.book.table.row_key[tested.test]
    frame.loc[frame["loan_id"].isin(ids), "defaulted"] = 0
    good = founded_in(tmp_path / "good", frame)
    good.conducted()
    outcome = read_outcome(good.folder, good.book)
    report = report_of(study(), good.book, outcome, Comparison(), {"total": 1.0})
    assert report["pooled"]["auc_shared"] is None
    assert report["pooled"]["federated"] == {
        "auc": None,
        "half_width": None,
        "ks": None,
        "ks_bound": None,
    }
    json.dumps(report, allow_nan=False)
    render(report)


def test_a_table_of_one_class_cannot_train_and_says_so(tmp_path: Path):
    consortium = founded_in(tmp_path / "run")
    for home in consortium.homes:
        _rows(home).assign(defaulted=0).to_parquet(home / "table.parquet")
    with pytest.raises(VoidStageError, match="a model needs both classes"):
        consortium.conducted(policy=Policy(3, patience=1.0, deadline=5.0))
