"""Flags of a whole book as a file for a person or a program.

Invariants:
- As `client.exchange.hits_file`: whole or not at all, never over the book, no identifier, nothing
  that a spreadsheet runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from client.exchange.hits_file import write_frame
from client.rings.looking import Told

COLUMNS = (
    *(
        "line",
        "customer_ref",
        "case",
        "ring",
        "standing",
        "distance",
        "own_observation",
        "strength",
    ),
    *("score_band", "reasons", "action_hint"),
)


@dataclass(frozen=True)
class RowFlag:
    """A row of a book whose customer is in a ring or near one."""

    line: int
    ref: str
    told: Told


def write_flags(flags: Sequence[RowFlag], out: Path, *, book: Path) -> None:
    """Write .csv or .parquet; one row for each flag. Raises OperatorError."""
    rows = [
        {
            "line": one.line,
            "customer_ref": one.ref,
            "case": one.told.case.name,
            "ring": one.told.flag.ring.hex(),
            "standing": one.told.standing,
            "distance": one.told.distance,
            "own_observation": one.told.own_observation,
            "strength": one.told.flag.strength,
            "score_band": one.told.flag.score_band,
            "reasons": " ".join(one.told.flag.reasons),
            "action_hint": one.told.action_hint,
        }
        for one in flags
    ]
    write_frame(pd.DataFrame(rows, columns=list(COLUMNS)), out, book=book)
