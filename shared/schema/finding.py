"""What was found in a lender's file: one problem of one column, with masked examples.

Invariants:
- A finding never holds a cell's text: only its first and last character and a class of length,
  and nothing at all of texts of up to two characters.
- A report is bounded: at most `REPORTED` findings of `EXAMPLES` examples each, with full counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared.errors import OperatorError

EXAMPLES = 5
REPORTED = 20


@dataclass(frozen=True)
class Finding:
    """One problem: `column` as the schema (or the file) calls it, `what` is wrong, the `remedy`.

    `count` is the number of cells concerned (0: the column as a whole); `examples` are the first
    few as (line in the file, masked text).
    """

    column: str
    what: str
    remedy: str
    count: int = 0
    examples: tuple[tuple[int, str], ...] = ()

    def __str__(self) -> str:
        cells = f" ({self.count:,} cell{'s' * (self.count != 1)})" if self.count else ""
        lines = [f"column {self.column!r}: {self.what}{cells}"]
        lines += [f"    line {line}: {text}" for line, text in self.examples]
        if self.count > len(self.examples) > 0:
            lines.append(f"    … and {self.count - len(self.examples):,} more")
        return "\n".join([*lines, f"    → {self.remedy}"])


def masked(text: str) -> str:
    """A text with everything but its ends hidden, and its length only as a class."""
    length = len(text)
    if length == 0:
        return "(empty)"
    size = "1–2" if length < 3 else "3–8" if length < 9 else "9–18" if length < 19 else "over 18"
    if length < 3:
        shown = "•••"
    elif length < 5:
        shown = f"{text[0]}•••"
    else:
        shown = f"{text[0]}•••{text[-1]}"
    return f"{shown} ({size} characters)".replace("\n", " ").replace("\r", " ")


def refusal(source: str, findings: Sequence[Finding]) -> OperatorError:
    """The error that carries every finding, up to `REPORTED`, about the file `source`."""
    shown = [f"  {finding}" for finding in findings[:REPORTED]]
    if len(findings) > REPORTED:
        shown.append(f"  … and {len(findings) - REPORTED} more problems")
    head = f"{source}: {len(findings)} problem{'s' * (len(findings) != 1)}, nothing was taken over"
    return OperatorError(
        "\n".join([head, *shown]),
        remedy="mend the file where it comes from and read it again; what each message means: "
        "docs/schema.md",
    )
