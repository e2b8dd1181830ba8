"""A lender's folder on disk, as a member institution keeps it."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from shared.schema import Table
from shared.training.agreement import Agreement
from tests.identities import CREDENTIALS, authority_of, identity_under, lay_down

NOW = datetime.now(UTC)
AUTHORITY = authority_of(now=NOW)
"""Certifies the lender of every folder made here."""


def frame_of(table: Table) -> pd.DataFrame:
    """The rows as a lender's export holds them: texts for levels, empty cells for missing ones."""
    frame = pd.DataFrame({"loan_id": table.row_key, "year": table.time, "bad_flag": table.bad})
    for column in table.schema.columns:
        values = table.values[column.name]
        if column.kind == "category":
            texts = [*column.levels, "elsewhere", None]
            values = [texts[code] for code in values]
        frame[column.name] = values
    return frame.astype({"year": int})


def make_folder(parent: Path, member: str, frame: pd.DataFrame, terms: Agreement) -> Path:
    """`client.toml`, the agreement, the rows as CSV and an identity, in the member's own folder."""
    folder = parent / member
    folder.mkdir(parents=True)
    frame.to_csv(folder / "loans.csv", index=False)
    (folder / "terms.json").write_text(json.dumps(terms.to_dict()))
    (folder / "client.toml").write_text(
        f'[lender]\nmember = "{member}"\ntable = "loans.csv"\nagreement = "terms.json"\n'
        "secret = 7\n" + CREDENTIALS
    )
    lay_down(folder, identity_under(AUTHORITY, member, now=NOW), AUTHORITY)
    return folder
