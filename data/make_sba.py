"""Make the embedded demo sample, `sba_demo.csv.gz`, from a larger file of public SBA 7(a) loans,
and `sba_borrowers.csv.gz`, which says which of its loans are of one borrower.

    python data/make_sba.py SOURCE.csv.gz

Kept so that anybody can see what was done to the data; README.md beside it says why. Invariants:
- The output holds only what was known when the loan was approved, and the outcome.
- Lenders are chosen by rank of size alone and appear as codes L01 (largest) … L12; no lender name,
  place of a borrower below the state or loan number is written.
- Borrowers are numbered anew, in the order of the sample's shuffled rows, and only those with two
  loans or more in it are written at all.
- The same source gives the same bytes (fixed seed, no time stamp in the gzip header).
"""

from __future__ import annotations

import gzip
import hashlib
import io
import sys
from pathlib import Path

import numpy as np
import pandas as pd

TARGET = Path(__file__).with_name("sba_demo.csv.gz")
BORROWERS = Path(__file__).with_name("sba_borrowers.csv.gz")
LARGEST = 8
SMALL_ROWS = (200, 600)
SMALL = 4
SHUFFLE_SEED = 20180101
EXPECTED_ROWS = 27_275
# Entries of the lender column that are bookkeeping of the agency, not lenders.
NOT_A_LENDER = r"^$|CLOSED LENDER|^SBA\b|ENFORCEMENT|MISSING|UNKNOWN"


def main(arguments: list[str]) -> int:
    """Read the source, write the sample, print the table for README.md."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    source = pd.read_csv(arguments[0], dtype=str, keep_default_na=False)
    rows, codes = chosen_rows(source)
    sample = demo_rows(rows, codes)
    print(lender_table(sample))
    for target, table in ((TARGET, sample), (BORROWERS, borrower_rows(rows))):
        blob = packed(table)
        target.write_bytes(blob)
        digest = hashlib.sha256(blob).hexdigest()
        print(f"\n{target.name}: {len(table):,} rows, {len(blob):,} bytes, sha256 {digest}")
    return 0


def chosen_lenders(source: pd.DataFrame) -> list[str]:
    """The 8 largest lenders and 4 small ones spread over 200 … 600 rows, largest first."""
    rows = source["Bank"][source["Bank"] != ""].value_counts()
    rows = rows.sort_index().sort_values(ascending=False, kind="stable")
    small = rows[(rows >= SMALL_ROWS[0]) & (rows <= SMALL_ROWS[1])].index
    places = [int((place + 0.5) * len(small) / SMALL) for place in range(SMALL)]
    chosen = [*rows.index[:LARGEST], *(small[place] for place in places)]
    assert not pd.Series(chosen).str.contains(NOT_A_LENDER, case=False).any()
    assert len(set(chosen)) == LARGEST + SMALL
    return chosen


def chosen_rows(source: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, str]]:
    """The chosen lenders' rows, shuffled, with all columns; and the lenders' codes."""
    codes = {name: f"L{rank:02d}" for rank, name in enumerate(chosen_lenders(source), start=1)}
    rows = source[source["Bank"].isin(list(codes))]
    assert len(rows) == EXPECTED_ROWS
    order = np.random.default_rng(SHUFFLE_SEED).permutation(len(rows))
    return rows.iloc[order].reset_index(drop=True), codes


def demo_rows(rows: pd.DataFrame, codes: dict[str, str]) -> pd.DataFrame:
    """The sample: approval-time columns and the outcome only."""
    sample = approval_columns(rows)
    sample.insert(0, "lender", rows["Bank"].map(codes))
    sample.insert(1, "loan_id", np.arange(1, len(rows) + 1))
    sample["charged_off"] = rows["MIS_Status"].map({"CHGOFF": "1", "P I F": "0"})
    assert sample["charged_off"].notna().all()
    return sample


def borrower_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """Loans of borrowers with two or more: number in the sample, borrower, day of approval."""
    borrower = rows["BorrowerId"]
    several = borrower.map(borrower.value_counts()) > 1
    assert (borrower != "").all()
    assert rows["ApprovalDate"].str.fullmatch(r"\d{4}-\d\d-\d\d").all()
    return pd.DataFrame(
        {
            "loan_id": np.flatnonzero(several) + 1,
            "borrower": pd.factorize(borrower[several])[0] + 1,
            "day": rows.loc[several, "ApprovalDate"].to_numpy(),
        }
    )


def approval_columns(rows: pd.DataFrame) -> pd.DataFrame:
    """Features known at approval; an empty text is a missing value."""
    granted = pd.to_numeric(rows["GrAppv"])
    franchise = pd.to_numeric(rows["FranchiseCode"]) > 1
    return pd.DataFrame(
        {
            "approval_year": rows["ApprovalFY"].str.removesuffix(".0"),
            "approval_month": rows["ApprovalDate"].str[5:7].str.lstrip("0"),
            "amount_approved": rows["GrAppv"],
            "guaranteed_share": (pd.to_numeric(rows["SBA_Appv"]) / granted).round(4),
            "employees": rows["NoEmp"],
            "new_business": recoded(rows["NewExist"], {"2.0": "yes", "1.0": "no"}),
            "jobs_created": rows["CreateJob"],
            "jobs_retained": rows["RetainedJob"],
            "franchise": franchise.map({True: "yes", False: "no"}),
            "urban_rural": recoded(
                rows["UrbanRural"], {"1": "urban", "2": "rural", "0": "undefined"}
            ),
            "revolving_line": recoded(rows["RevLineCr"], {"Y": "yes", "N": "no"}),
            "low_doc": recoded(rows["LowDoc"], {"Y": "yes", "N": "no"}),
            "sector": rows["NAICS"].where(rows["NAICS"].str.len() == 6, "00").str[:2],
            "state": rows["State"],
            "lender_in_state": (rows["BankState"] == rows["State"]).map({True: "yes", False: "no"}),
        }
    )


def recoded(column: pd.Series, meanings: dict[str, str]) -> pd.Series:
    """Codes as plain words; a code without a meaning becomes an empty text, that is missing."""
    return column.map(meanings).fillna("")


def packed(sample: pd.DataFrame) -> bytes:
    """The sample as gzipped UTF-8 CSV without file name or time, so that bytes repeat."""
    text = sample.to_csv(index=False, lineterminator="\n")
    out = io.BytesIO()
    with gzip.GzipFile(filename="", fileobj=out, mode="wb", compresslevel=9, mtime=0) as file:
        file.write(text.encode())
    return out.getvalue()


def lender_table(sample: pd.DataFrame) -> str:
    """Rows and charged-off share of each lender, as Markdown."""
    bad = sample["charged_off"] == "1"
    lines = ["| lender | rows | charged off | re-weighted |", "|---|---:|---:|---:|"]
    for code, part in bad.groupby(sample["lender"]):
        lines.append(f"| {code} | {len(part):,} | {part.mean():.1%} | {reweighted(part):.1%} |")
    lines.append(f"| all | {len(bad):,} | {bad.mean():.1%} | {reweighted(bad):.1%} |")
    return "\n".join(lines)


def reweighted(bad: pd.Series) -> float:
    """Charged-off share after undoing the choice-based sampling (weights: README.md)."""
    weights = bad.map({True: 5.532, False: 24.976})
    return float((weights * bad).sum() / weights.sum())


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
