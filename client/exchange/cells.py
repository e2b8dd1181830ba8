"""Cells that are told to a person: what has no canonical form, and what is odd.

Invariants:
- A cell's text is masked before it gets here.
"""

from __future__ import annotations

from typing import NamedTuple


class WarnedCell(NamedTuple):
    """A cell that is looked up as it is, and is to be looked at: `warning`, one word. `line` as in
    the file, `text` masked.
    """

    line: int
    column: str
    text: str
    warning: str


class BadCell(NamedTuple):
    """A cell that has no canonical form; `line` as in the file, `text` masked."""

    line: int
    column: str
    text: str
    reason: str
    what: str
    remedy: str
