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
from shared.cases.degree import whole
from shared.cases.pages import EdgePage, EdgeRows
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
    subject, attribute = whole(columns["subject"]), whole(columns["attribute"])
    kept = _shared(subject, attribute)
    subjects, subject_of = np.unique(subject[kept], return_inverse=True)
    attributes, attribute_of = np.unique(attribute[kept], return_inverse=True)
    listed = np.zeros(len(subjects), dtype=bool)
    listed[subject_of[columns["listed"][kept] > 0]] = True
    edges = Edges(
        subject_of.astype(np.int64),
        attribute_of.astype(np.int64),
        columns["kind"][kept],
        columns["week"][kept].astype(np.int16),
        columns["band"][kept],
    )
    pairs = np.unique(attribute_of * len(subjects) + subject_of) // max(len(subjects), 1)
    sharers = np.bincount(pairs, minlength=len(attributes))
    return Collected(
        _rows(subjects),
        _rows(attributes),
        edges,
        sources[kept],
        listed,
        sharers,
        columns["listed"][kept] > 0,
        tuple(marks[lender] for lender in lenders),
    )


def _shared(subject: npt.NDArray[np.void], attribute: npt.NDArray[np.void]) -> Ints:
    """Rows of attributes that two subjects have or more."""
    person, thing = (np.unique(one, return_inverse=True)[1] for one in (subject, attribute))
    pairs = np.unique(thing * (int(person.max()) + 1) + person) // (int(person.max()) + 1)
    return np.flatnonzero((np.bincount(pairs) >= 2)[thing])


def _rows(values: npt.NDArray[np.void]) -> Rows:
    return values.view(np.uint8).reshape(-1, TOKEN_BYTES)


def _nothing() -> Collected:
    none, tokens = np.zeros(0, np.int64), np.zeros((0, TOKEN_BYTES), np.uint8)
    no = np.zeros(0, dtype=bool)
    return Collected(tokens, tokens, Edges.of([]), none, no, none, no, ())
