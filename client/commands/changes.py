"""What a sync says about hits of before: which subjects are to be looked up again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from client.commands.words import counted

if TYPE_CHECKING:
    from client.exchange.changed_hits import BookRow, ChangedHit


def changed_row(one: ChangedHit) -> dict[str, Any]:
    """For scripts; `line` is 0 for a lookup by itself, under the reference; `book` and `screened`
    are empty where an older version kept the book.
    """
    rows = [
        {"book": row.file, "screened": row.day, "line": row.line, "customer_ref": row.ref}
        for row in one.rows
    ]
    return {"now": one.now.value, "rows": rows}


def changed_lines(changed: Sequence[ChangedHit]) -> Iterator[str]:
    """A line for each subject of a book, and one for those that stand in none."""
    for one in changed:
        if one.rows:
            books = groupby(one.rows, key=lambda row: (row.file, row.day))
            where = "; ".join(_book_words(*book, [*rows]) for book, rows in books)
            yield f"an earlier hit is {one.now}: {where}"
    for now in dict.fromkeys(one.now for one in changed if not one.rows):
        number = sum(one.now is now and not one.rows for one in changed)
        who = counted(number, "identifier")
        yield f"an earlier hit is {now}: {who} looked up alone, or of an entry filed here"


def _book_words(file: str, day: str, rows: Sequence[BookRow]) -> str:
    if not any(row.line for row in rows):
        return f"looked up on {day} as {', '.join(row.ref for row in rows)}"
    lines = ", ".join(f"line {row.line} {row.ref}".strip() for row in rows)
    return f"{file} of {day}, {lines}" if file else f"a book, {lines}"
