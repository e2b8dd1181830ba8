"""Which subjects this lender asked about are no longer on the list as they were.

    changed tags of a sync ── tokens kept here (who was asked about) ── books kept here ──▶ rows

Invariants:
- Nobody is asked: what this lender looked up is compared here, with what the list held before.
- Only tags that were listed before count, so what is told is about earlier hits; subjects this
  lender filed itself are among them. A customer is named by a book's file, line and reference.
- Tags that stand in one row of a book are of one subject, which is told once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from client.exchange.cache import TokenCache
from client.exchange.index import ListIndex
from client.exchange.screened_book import all_kept
from client.exchange.sorted_keys import Numbers
from shared.blacklist.rows import Flag

_CHUNK = 1 << 16


Reference = Callable[[bytes], "tuple[str, str] | None"]


class Now(StrEnum):
    """What became of a hit. `GONE`: corrected, withdrawn, suspended or expired."""

    GONE = "gone"
    DISPUTED = "disputed"
    CHANGED = "changed"


@dataclass(frozen=True, order=True)
class BookRow:
    """Where a customer stands: a book's file and the ISO day it was read, line (0: it was looked up
    by itself) and reference.
    """

    file: str
    day: str
    line: int
    ref: str


@dataclass(frozen=True)
class ChangedHit:
    """`rows`: in books screened here, file empty for a reference it was looked up under by itself;
    none: it was looked up without one, or filed here.
    """

    now: Now
    rows: tuple[BookRow, ...]


def changed_hits(
    caches: Iterable[TokenCache],
    index: ListIndex,
    touched: Collection[bytes],
    reference: Reference = lambda _: None,
) -> list[ChangedHit]:
    """The subjects behind `touched`, tags of rows that were listed before, that have a token in a
    cache; `index`: as it is now; `reference`: under which a tag was looked up by itself, and when.
    Raises OperatorError.
    """
    found: list[ChangedHit] = []
    for cache in caches:
        for number in _numbers(cache, touched):
            rows = {*_rows(cache, number)}
            alone = reference(cache.tags(np.array([number], np.int64))[0].tobytes())
            if alone is not None:
                rows.add(BookRow("", alone[1], 0, alone[0]))
            found = _joined(found, ChangedHit(_now(index, cache, number), tuple(sorted(rows))))
    return found


def _joined(found: Sequence[ChangedHit], one: ChangedHit) -> list[ChangedHit]:
    """With one more, which is the same subject as those that stand in a row with it."""
    same = [other for other in found if {*other.rows} & {*one.rows}]
    rest = [other for other in found if other not in same]
    rows = {row for other in (one, *same) for row in other.rows}
    return [*rest, ChangedHit(_of_all([other.now for other in (one, *same)]), tuple(sorted(rows)))]


def _of_all(nows: Sequence[Now]) -> Now:
    """Gone only if all are."""
    if len({*nows}) == 1:
        return nows[0]
    return Now.DISPUTED if Now.DISPUTED in nows else Now.CHANGED


def _numbers(cache: TokenCache, touched: Collection[bytes]) -> Iterator[int]:
    for start in range(0, len(cache) if touched else 0, _CHUNK):
        numbers: Numbers = np.arange(start, min(start + _CHUNK, len(cache)), dtype=np.int64)
        for number, tag in zip(numbers, cache.tags(numbers), strict=True):
            if tag.tobytes() in touched:
                yield int(number)


def _now(index: ListIndex, cache: TokenCache, number: int) -> Now:
    pairs = index.find(cache.tags(np.array([number], np.int64)))
    rows = [index.row(int(one)) for one in pairs.found]
    if not rows:
        return Now.GONE
    return Now.DISPUTED if any(row.flags & Flag.DISPUTED for row in rows) else Now.CHANGED


def _rows(cache: TokenCache, number: int) -> Iterator[BookRow]:
    for book in all_kept(cache):
        row, subject = book.cells()
        at = np.unique(row[np.isin(subject, np.flatnonzero(book.token == number))])
        for line, ref in zip(book.lines(at), book.refs(at), strict=True):
            yield BookRow(book.file, book.day, int(line), ref)
