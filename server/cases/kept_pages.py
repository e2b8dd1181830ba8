"""What the pages in a desk's file say: the graph, the pairs, and what lenders took back of them.

Invariants:
- A page that cannot be read is damage, never an empty page.
- Of what a lender takes back, its own rows of earlier weeks become drawn ones; nobody else's do.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from server.cases.collected import Collected, collected
from server.cases.store import DamagedError, Kept, KeptPage, Rewritten, Store
from shared.cases.case import Case
from shared.cases.case_tokens import TOKEN_BYTES, Rows
from shared.cases.pages import CountPage, EdgePage, Page, Stage
from shared.cases.taken_back import taken_back, without
from shared.errors import PeerError
from shared.secure_sum.encoding import read_text, text_of
from shared.tokens.group import RandomBytes

KINDS: dict[str, tuple[Stage, Any]] = {"count": ("count", CountPage), "edges": ("edges", EdgePage)}
"""Stages that take pages, and of which kind."""


def graph_of(store: Store, case: Case, week: int) -> Collected:
    """All edges of weeks up to this one; none before week 0."""
    pages = store.pages(case.id, "edges", week)
    return collected((page.member, _read(store, EdgePage, page)) for page in pages)


def pairs_of(store: Store, case: Case, week: int, member: str | None = None) -> tuple[Rows, Rows]:
    """Degree ids and pair tags (n, 32) of all, or of one lender."""
    pages = store.pages(case.id, "count", week, member)
    found = [_read(store, CountPage, page).pairs() for page in pages]
    if not found:
        none = np.zeros((0, TOKEN_BYTES), np.uint8)
        return none, none
    ids, tags = zip(*found, strict=True)
    return np.vstack(ids), np.vstack(tags)


def rewritten(store: Store, kept: Kept, random: RandomBytes) -> Iterator[Rewritten]:
    """Pages of which something is taken back as the open stage ends, and what they hold then."""
    stage, kind = KINDS[kept.stage]
    for member in store.members(kept.case.id, stage, kept.week):
        found = store.pages(kept.case.id, stage, kept.week, member)
        pages = [_read(store, kind, page) for page in found]
        for page, rows in zip(pages, taken_back(pages, kept.week), strict=True):
            if rows.any():
                text = text_of(without(page, rows, kept.case, random))
                yield Rewritten(member, page.week, page.number, text)


def _read(store: Store, kind: type[Page], page: KeptPage) -> Page:
    try:
        return read_text(kind, page.text)
    except PeerError as error:
        raise DamagedError(store.path, "a page cannot be read") from error
