"""Lenders' and coordinator's folders for a run, as `client` and `server` expect them.

RUN/agreement.json                     the coordinator's copy
RUN/lenders/L01/client.toml            member, table, agreement, secret
RUN/lenders/L01/agreement.json         the lender's own copy
RUN/lenders/L01/table.parquet          its rows, as the researcher's file has them
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from server.coordinator.rounds import AGREEMENT
from server.simulation.book import Book
from shared.training.agreement import Agreement

LENDERS = "lenders"


def found(folder: Path, agreement: Agreement, book: Book) -> list[Path]:
    """Write all folders of a new run (an earlier one there is removed); returns the lenders'."""
    if (folder / AGREEMENT).exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    terms = json.dumps(agreement.to_dict(), indent=1, ensure_ascii=False)
    for code in book.codes:
        home = folder / LENDERS / code
        home.mkdir(parents=True)
        (home / "agreement.json").write_text(terms, encoding="utf-8")
        (home / "client.toml").write_text(_settings(code, agreement.seed), encoding="utf-8")
        rows = book.frame.iloc[book.position[book.lender == code]]
        rows[list(agreement.schema.required)].to_parquet(home / "table.parquet", index=False)
    (folder / AGREEMENT).write_text(terms, encoding="utf-8")  # last: a run is there, or it is not
    return lender_folders(folder)


def lender_folders(folder: Path) -> list[Path]:
    """The lenders' folders of a run, in order of their codes."""
    return sorted(path for path in (folder / LENDERS).iterdir() if path.is_dir())


def _settings(code: str, seed: int) -> str:
    # A simulated lender's secret follows from the seed, so that a run can be repeated.
    secret = int.from_bytes(hashlib.sha256(f"lianfang|{seed}|{code}".encode()).digest()[:7], "big")
    return (
        f'[lender]\nmember = "{code}"\ntable = "table.parquet"\n'
        f'agreement = "agreement.json"\nsecret = {secret}\n'
    )
