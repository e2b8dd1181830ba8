"""The credit table and the label contract: what every lender must read in the same way.

    document (parsed TOML) ── parse_schema ──► Schema ──┐
                                                        ├─ check_frame ─► CheckedTable
    DataFrame (a lender's own file, read by the client) ┘                 (Table, warnings)

Nothing here opens a file. What a lender's file may look like and what each refusal means:
docs/schema.md.
"""

from shared.schema.check import CheckedTable, check_frame
from shared.schema.column import Column
from shared.schema.document import parse_schema
from shared.schema.finding import Finding
from shared.schema.infer import infer_schema
from shared.schema.label import LabelContract
from shared.schema.schema import Schema
from shared.schema.table import Table

__all__ = [
    "CheckedTable",
    "Column",
    "Finding",
    "LabelContract",
    "Schema",
    "Table",
    "check_frame",
    "infer_schema",
    "parse_schema",
]
