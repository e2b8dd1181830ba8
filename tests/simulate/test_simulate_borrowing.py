"""simulate.py --borrowing: two runs that differ in nothing but the columns."""

import json

import numpy as np
import pandas as pd
from researcher import NO_EXTRAS, STUDY, Desk, applicants, read_report

WITH_BORROWERS = STUDY.replace('lender = "bank"', 'lender = "bank"\nborrowers = "borrowers.csv"')


def _write(desk: Desk) -> pd.DataFrame:
    """Every other bad loan is one borrower's second at another bank."""
    frame = applicants()
    desk.write(WITH_BORROWERS, frame)
    bad = frame[frame["defaulted"] == 1]
    good = frame[frame["defaulted"] == 0]
    second = bad.iloc[::2]
    first = [
        good[good["bank"] != bank].iloc[at]["loan_id"] for at, bank in enumerate(second["bank"])
    ]
    number = np.arange(len(second))
    early = pd.DataFrame({"loan_id": first, "borrower": number, "day": "2005-01-01"})
    late = pd.DataFrame({"loan_id": second["loan_id"], "borrower": number, "day": "2005-02-01"})
    both = pd.concat([early, late]).drop_duplicates("loan_id")
    both.to_csv(desk.folder / "borrowers.csv", index=False)
    return frame


def test_columns_are_added_compared_and_told_everywhere(desk: Desk, undrawn: None):
    """A planted history gains, and the run without it is the run that nobody asked columns of."""
    _write(desk)
    status, shown, told = desk.run("--json", "--borrowing", *NO_EXTRAS)
    assert status == 0, told
    report = json.loads(shown.splitlines()[-1])
    found = report["borrowing"]
    assert found["auc_shared"]["gain"] > 0.02
    assert found["asked"]["differences"] == 0
    assert report["pooled"]["auc_shared"] == found["auc_shared"]["with"]
    assert "multi_lender_loan_orgnum_m12_all" in {chart["feature"] for chart in report["woe"]}
    assert "borrowing at several lenders: Other lenders' loans are on record for" in told
    assert 'id="borrowing"' in (desk.out / "report.html").read_text(encoding="utf-8")
    plain = desk.folder / "plain"
    bare = desk.report(*NO_EXTRAS, out=plain)
    assert bare["pooled"]["auc_shared"] == found["auc_shared"]["without"]
    kept = desk.out / "without-borrowing" / "model" / "model.safetensors"
    assert kept.read_bytes() == (plain / "run" / "model" / "model.safetensors").read_bytes()
    assert "borrowing" not in read_report(plain)
    assert not (plain / "without-borrowing").exists()


def test_a_study_that_names_no_borrowers_is_refused_with_a_remedy(desk: Desk):
    """Before anything is written."""
    status, _, told = desk.run("--borrowing", *NO_EXTRAS)
    assert status == 2
    assert "borrowers =" in told
    assert not desk.out.exists()
