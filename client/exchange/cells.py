"""Cells that are told to a person: what has no canonical form, and what is odd.

Invariants:
- A finding's text is masked before it gets here.
- A spreadsheet's marks of a text ('… and ="…") are no part of an identifier; nothing else is taken
  away.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_FORMULA = re.compile(r'\s*="([^"]*)"\s*')


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


def unmarked(text: str) -> str:
    """An identifier's text without the marks that make a spreadsheet take it for a text."""
    found = _FORMULA.fullmatch(text)
    if found:
        return found[1]
    plain = text.lstrip()
    return plain[1:] if plain.startswith("'") else text
