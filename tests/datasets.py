"""The public data sets that tests learn from, each in its own odd format.

They lie outside the repository (two have no open licence). `load` skips the test with the place it
looked at, which `pytest -ra` prints; set LIANFANG_DATASETS to the folder that holds them.
"""

import gzip
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
FOLDER = Path(os.environ.get("LIANFANG_DATASETS", REPOSITORY.parent / "shared" / "data"))

GERMAN_FIELDS = [
    *("checking", "duration", "history", "purpose", "amount", "savings", "employed_since"),
    *("instalment_rate", "status_sex", "other_debtors", "residence_since", "property", "age"),
    *("other_plans", "housing", "existing_credits", "job", "dependants", "telephone"),
    *("foreign_worker", "class"),
]


class DataSet(NamedTuple):
    """A table as its publisher left it, and what `infer_schema` must be told about it."""

    frame: pd.DataFrame
    label: str
    bad: str
    categories: list[str]
    lender: str | None


def load(name: str) -> DataSet:
    """One of `NAMES`; skips the calling test when the data sets are not there."""
    if name != "sba_demo" and not FOLDER.is_dir():
        pytest.skip(f"data sets not found at {FOLDER}: set LIANFANG_DATASETS")
    return _READERS[name]()


def _sba_demo() -> DataSet:
    path = REPOSITORY / "data" / "sba_demo.csv.gz"
    frame = pd.read_csv(path, dtype="str", keep_default_na=False, na_values=[""])
    return DataSet(frame, "charged_off", "1", ["sector", "state"], "lender")


def _german() -> DataSet:
    path = _existing("german_credit/german.data")
    frame = pd.read_csv(path, sep=" ", header=None, names=GERMAN_FIELDS, dtype="str")
    return DataSet(frame, "class", "2", [], None)


def _polish(year: int) -> DataSet:
    """ARFF: names in `@attribute` lines, then plain comma-separated rows with ? for missing."""
    with gzip.open(_existing(f"polish_bankruptcy/{year}year.arff.gz"), "rt") as file:
        head, _, rows = file.read().partition("@data")
    names = [line.split()[1] for line in head.splitlines() if line.startswith("@attribute")]
    frame = pd.read_csv(io.StringIO(rows.lstrip()), header=None, names=names, dtype="str")
    return DataSet(frame, "class", "1", [], None)


def _pakdd() -> DataSet:
    path = _existing("pakdd2009_private_label/pakdd2009_modeling_40k.tsv.gz")
    frame = pd.read_csv(path, sep="\t", dtype="str", keep_default_na=False, na_values=[""])
    codes = ["PROFESSION_CODE", "AREA_CODE_RESIDENCIAL_PHONE", "PAYMENT_DAY"]
    return DataSet(frame, "TARGET_LABEL_BAD=1", "1", codes, "ID_SHOP")


def _uci() -> DataSet:
    frame = pd.read_csv(_existing("uci_default_credit_card/UCI_Credit_Card.csv.gz"))
    return DataSet(frame, "default.payment.next.month", "1", ["SEX", "EDUCATION", "MARRIAGE"], None)


def _gmsc() -> DataSet:
    frame = pd.read_csv(_existing("give_me_some_credit/cs-training.csv.gz"))
    return DataSet(frame, "SeriousDlqin2yrs", "1", [], None)


def _existing(path: str) -> Path:
    if not (FOLDER / path).is_file():
        pytest.skip(f"data set not found at {FOLDER / path}: set LIANFANG_DATASETS")
    return FOLDER / path


_READERS: dict[str, Callable[[], DataSet]] = {
    "sba_demo": _sba_demo,
    "german": _german,
    "polish1": lambda: _polish(1),
    "polish5": lambda: _polish(5),
    "pakdd": _pakdd,
    "uci": _uci,
    "gmsc": _gmsc,
}
NAMES = tuple(_READERS)
