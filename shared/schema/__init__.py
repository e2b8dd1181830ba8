"""The credit table and the label contract: what every lender must read in the same way.

    document (parsed TOML) ── parse_schema ──► Schema ──┐
                                                        ├─ check_frame ─► CheckedTable
    DataFrame (a lender's own file, read by the client) ┘                 (Table, warnings)

Nothing here opens a file. What a lender's file may look like and what each refusal means:
docs/schema.md.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from shared.schema.column import Column
from shared.schema.document import parse_schema
from shared.schema.finding import Finding
from shared.schema.label import LabelContract
from shared.schema.schema import Schema
from shared.schema.table import Table

if TYPE_CHECKING:
    from shared.schema.check import CheckedTable, check_frame
    from shared.schema.infer import infer_schema

_WITH_PANDAS = {"CheckedTable": "check", "check_frame": "check", "infer_schema": "infer"}
"""Loaded when first asked for: key holders and registry read no table, and start without it."""


def __getattr__(name: str) -> Any:
    if name not in _WITH_PANDAS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WITH_PANDAS[name]}"), name)


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
