"""Which subjects this lender asked about are no longer on the list as they were.

    changed tags of a sync ── tokens kept here (who was asked about) ── books kept here ──▶ rows

Invariants:
- Nobody is asked: what this lender looked up is compared here, with what the list held before.
- Only tags that were listed before count, so what is told is about earlier hits; subjects this
  lender filed itself are among them. A customer is named by a book's line and reference alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from client.exchange.cache import TokenCache
from client.exchange.index import ListIndex
from client.exchange.screened_book import all_kept
from client.exchange.sorted_keys import Numbers
from shared.blacklist.rows import Flag

_CHUNK = 1 << 16


class Now(StrEnum):
    """What became of a hit. `GONE`: corrected, withdrawn, suspended or expired."""

    GONE = "gone"
    DISPUTED = "disputed"
    CHANGED = "changed"


@dataclass(frozen=True)
class ChangedHit:
    """`rows`: line and reference in books screened here; none: it was looked up by itself."""

    now: Now
    rows: tuple[tuple[int, str], ...]


def changed_hits(
    caches: Iterable[TokenCache], index: ListIndex, touched: Collection[bytes]
) -> list[ChangedHit]:
    """The subjects behind `touched`, tags of rows that were listed before, that have a token in a
    cache; `index`: as it is now. Raises OperatorError.
    """
    found = []
    for cache in caches:
        for number in _numbers(cache, touched):
            rows = tuple(sorted(set(_rows(cache, number))))
            found.append(ChangedHit(_now(index, cache, number), rows))
    return found


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


def _rows(cache: TokenCache, number: int) -> Iterator[tuple[int, str]]:
    for book in all_kept(cache):
        row, subject = book.cells()
        at = np.unique(row[np.isin(subject, np.flatnonzero(book.token == number))])
        yield from zip(map(int, book.lines(at)), book.refs(at), strict=True)
