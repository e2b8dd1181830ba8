"""The versions of a public list as sets of identifiers by entry. Names never leave this module.

Every entry has its number (as an account of the publisher's), an organisation its name, a person
the passports in the remarks.
"""

import csv
import gzip
import io
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from shared.tokens.identifiers import Canonical, IdentifierError, canonical
from tests.client.exchange.stand_in import TODAY
from tests.datasets import FOLDER

VERSIONS = ("2021-08-18", "2022-08-08", "2023-12-28", "2024-05-03")
_PASSPORT = re.compile(r"Passport ([A-Z0-9][A-Z0-9 -]{4,20}[A-Z0-9])")

Entries = dict[int, frozenset[Canonical]]
Book = dict[tuple[str, str], str]


def versions() -> dict[str, Entries]:
    """Version → entry → its canonical identifiers; skips the test when the data are not there."""
    folder = FOLDER / "ofac_sdn"
    if not folder.is_dir():
        pytest.skip(f"data set not found at {folder}: set LIANFANG_DATASETS")
    return {version: _entries(folder / f"sdn_{version}.csv.gz") for version in VERSIONS}


def _entries(path) -> Entries:  # type: ignore[no-untyped-def]
    text = gzip.decompress(path.read_bytes()).decode("latin-1")
    rows = [row for row in csv.reader(io.StringIO(text)) if row and row[0].strip().isdigit()]
    return {int(row[0]): frozenset(_identifiers(row)) for row in rows}


def _identifiers(row: list[str]) -> list[Canonical]:
    texts = [("account", f"SDN:{int(row[0]):08d}")]
    if row[2].strip() == "-0-":
        texts.append(("employer", row[1]))
    texts += [("passport", found) for found in _PASSPORT.findall(row[11])][:10]
    found = []
    for kind, text in texts:
        try:
            found.append(canonical(kind, text, today=TODAY)._replace(warnings=()))
        except IdentifierError:
            continue
    return found


def write_book(folder: Path, subjects: Sequence[Canonical]) -> Path:
    """A loan book with one identifier in a row, by its place."""
    kinds = ("account", "employer", "passport")
    lines = [",".join(["customer_ref", *kinds])]
    for at, one in enumerate(subjects):
        lines.append(",".join([str(at), *(one.value if one.kind == k else "" for k in kinds)]))
    path = folder / "book.csv"
    path.write_text("\n".join([*lines, ""]), "utf-8")
    return path
