"""All that is wrong with a file of subjects, told at once: line by line, then a count.

Invariants:
- One error names up to twenty lines, in order, and says how many more there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from shared.errors import OperatorError

SHOWN = 20


class BadRow(NamedTuple):
    """`line` of the file, 0: there is no file; `what` is wrong, values masked."""

    line: int
    what: str


def refuse(bad: Sequence[BadRow], about: str, remedy: str) -> None:
    """OperatorError unless there is nothing. `about`: the file, or what was to be done."""
    if not bad:
        return
    if len(bad) == 1:
        where = f"{about}: line {bad[0].line}: " if bad[0].line else ""
        raise OperatorError(where + bad[0].what, remedy=remedy)
    lines = [f"  line {one.line}: {one.what}" for one in sorted(bad)[:SHOWN]]
    if len(bad) > SHOWN:
        lines.append(f"  … and {len(bad) - SHOWN:,} more")
    told = "\n".join([f"{about}: {len(bad):,} rows or cells are wrong", *lines])
    raise OperatorError(told, remedy=remedy)
