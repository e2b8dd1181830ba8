"""A researcher's own table and study in a folder, and simulate.py over them in this process."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import simulate
from tests.federation import table

BANKS = {
    "L01": "Lender of Nowhere of Nowhere",
    "L02": "Acme Savings & Loan",
    "L03": "Третий Банк",
    "L04": "某某农村商业银行",
    "L05": "Zed Lending, Inc.",
}
STUDY = """
[data]
path = "applicants.csv"
label = "defaulted"
row_key = "loan_id"
time = "year"
lender = "bank"
[run]
rounds = 2
"""
NO_EXTRAS = ("--no-references", "--no-out-of-time", "--no-list")


def applicants() -> pd.DataFrame:
    """The tiny consortium's rows, with banks' names for codes."""
    frame = table()
    return frame.assign(bank=frame["lender"].map(BANKS)).drop(columns="lender")


@dataclass(frozen=True)
class Desk:
    """A researcher's folder. `run` is the command line after `--config … --out …`."""

    folder: Path
    capture: pytest.CaptureFixture[str] | None

    @property
    def config(self) -> Path:
        return self.folder / "study.toml"

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def write(self, study: str = STUDY, frame: pd.DataFrame | None = None) -> None:
        """Put a study and a table into the folder."""
        self.config.write_text(study, encoding="utf-8")
        rows = applicants() if frame is None else frame
        rows.to_csv(self.folder / "applicants.csv", index=False)

    def run(self, *arguments: str, out: Path | None = None) -> tuple[int, str, str]:
        """Exit status, standard output and standard error of simulate.py."""
        where = ("--config", str(self.config), "--out", str(out or self.out))
        status = simulate.main([*where, *arguments])
        assert self.capture is not None
        shown = self.capture.readouterr()
        return status, shown.out, shown.err

    def report(self, *arguments: str, out: Path | None = None) -> dict[str, Any]:
        """report.json of a run that must succeed."""
        status, _, told = self.run(*arguments, out=out)
        assert status == 0, told
        return read_report(out or self.out)


def read_report(out: Path) -> dict[str, Any]:
    return json.loads((out / "report.json").read_text(encoding="utf-8"))


def timeless(report: dict[str, Any]) -> dict[str, Any]:
    """A report without what may differ between two runs of the same study."""
    return {key: value for key, value in report.items() if key != "seconds"}
