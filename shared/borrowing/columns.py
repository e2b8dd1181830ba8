"""An answer's cells as columns of a lender's table: what a model is trained on.

Invariants:
- There is one definition of such a column, for a consortium's schema and for the simulation.
- "No record" (−1) is the schema's code for "missing": a bin of its own. "Withheld" (−2) is a value
  below every band.
- An empty cell is refused: read as "no record" it would say that somebody had asked.
- The header that a screened book has for a cell is another name of its column: nothing needs
  renaming.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from shared.borrowing.cells import cell_named
from shared.borrowing.terms import NO_RECORD, UNTOLD, IdKind
from shared.schema import Column

PREFIX = "multi_lender_"
OF_LOANS = (
    "loan_orgnum_m3_all",
    "loan_orgnum_m12_all",
    "open_orgnum_all",
    "loan_days_since",
)
"""Cells that the simulation makes columns of: it knows openings of loans only. What any other cell
is worth to a model has not been measured."""


def header_of(kind: IdKind, cell: str) -> str:
    """The header of a cell, of an answer by this kind of identifier, in a screened book."""
    return f"{kind.name.lower()}_{cell}"


def cell_of(name: str) -> str:
    """The cell that a name is of: its own, its column's, or its header in a screened book."""
    return name.removeprefix(PREFIX).removeprefix(header_of(IdKind.ID, ""))


def column_of(cell: str) -> Column:
    """The column of a cell, of the answer by identity number. OperatorError: there is none such."""
    return Column(
        PREFIX + cell,
        "number",
        unit="band",
        low=UNTOLD,
        high=5,
        missing=(str(NO_RECORD),),
        aliases=(header_of(IdKind.ID, cell),),
        description=f"multi-lender borrowing, other lenders' part: {cell} "
        f"(band of {cell_named(cell).scale})",
        empty="refused",
    )


def schema_block(cells: Sequence[str] = OF_LOANS) -> str:
    """`[[columns]]` of these cells in TOML, to be put into a consortium's schema as it is.
    OperatorError where one is no cell.
    """
    return "\n".join(_toml(column_of(cell)) for cell in cells)


def _toml(column: Column) -> str:
    fields = {name: value for name, value in asdict(column).items() if value not in (None, (), "")}
    fields.pop("monotone")  # 0: no direction is agreed
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in fields.items()]
    return "\n".join(["[[columns]]", *lines, ""])
