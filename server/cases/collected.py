"""All edges of a case so far, from the pages as they came, as columns for the detector.

Invariants:
- Edges of an attribute that only one subject has tie nobody and are left out; what pages were
  filled up with is among them.
- The same edge of one lender is there once, and of two lenders twice: those are two observations.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shared.cases.case_tokens import TOKEN_BYTES, Rows
from shared.cases.degree import LEAST
from shared.cases.numbered import numbered
from shared.cases.pages import EdgePage, EdgeRows
from shared.rings.columns import distinct_count
from shared.rings.edges import Edges

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Collected:
    """`subjects`, `attributes`: tokens (…, 32) by index; `sources` (n,): number of the lender of
    each edge; `listed` (subjects,): some lender found the subject on the shared list; `sharers`
    (attributes,): distinct subjects; `by` (n,): the edge's own lender found its subject listed;
    `marks`: each lender's, of its latest page.
    """

    subjects: Rows
    attributes: Rows
    edges: Edges
    sources: Ints
    listed: npt.NDArray[np.bool_]
    sharers: Ints
    by: npt.NDArray[np.bool_]
    marks: tuple[bytes, ...]


def collected(pages: Iterable[tuple[str, EdgePage]]) -> Collected:
    """Of (lender, page)."""
    known = sorted(((lender, page) for lender, page in pages), key=lambda one: one[1].week)
    rows = [(lender, page.edges()) for lender, page in known]
    marks = {lender: page.mark for lender, page in known}
    lenders = sorted({lender for lender, _ in rows})
    sources = np.repeat(
        np.array([lenders.index(lender) for lender, _ in rows], np.int64),
        [len(one) for _, one in rows],
    )
    columns = {
        name: np.concatenate([getattr(one, name) for _, one in rows])
        for name in EdgeRows.__dataclass_fields__
        if rows
    }
    if not rows:
        return _nothing()
    people, subject = numbered(columns["subject"])
    things, attribute = numbered(columns["attribute"])
    sharers = distinct_count(attribute, subject, len(things))
    kept = np.flatnonzero(sharers[attribute] >= LEAST)
    there, subject = np.unique(subject[kept], return_inverse=True)
    used, attribute = np.unique(attribute[kept], return_inverse=True)
    by = columns["listed"][kept] > 0
    listed = np.zeros(len(there), dtype=bool)
    listed[subject[by]] = True
    edges = Edges(
        subject.astype(np.int64),
        attribute.astype(np.int64),
        columns["kind"][kept],
        columns["week"][kept].astype(np.int16),
        columns["band"][kept],
    )
    return Collected(
        people[there],
        things[used],
        edges,
        sources[kept],
        listed,
        sharers[used],
        by,
        tuple(marks[lender] for lender in lenders),
    )


def _nothing() -> Collected:
    none, tokens = np.zeros(0, np.int64), np.zeros((0, TOKEN_BYTES), np.uint8)
    no = np.zeros(0, dtype=bool)
    return Collected(tokens, tokens, Edges.of([]), none, no, none, no, ())
