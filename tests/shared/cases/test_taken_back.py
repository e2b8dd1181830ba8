"""Rows that take back others: only own ones, only earlier ones, and no page changes its size."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from shared.cases.case_tokens import attribute_tokens, degree_ids, pair_tags, subject_tokens
from shared.cases.degree import at_least, shared_by
from shared.cases.pages import (
    BACK,
    CountPage,
    EdgePage,
    EdgeRows,
    count_pages,
    edge_pages,
)
from shared.cases.taken_back import taken_back, turned, without
from shared.rings.kinds import Kind
from shared.secure_sum.encoding import text_of
from tests.case_lenders import CASE, Lender, outputs
from tests.identities import fixed_random

ONE_PAGE = replace(CASE, count_pages=1)
PEOPLE, THINGS = ["p0", "p1", "p2"], ["t0", "t1", "t2"]
DRAW = fixed_random("taken back")


def counted(week: int, back: int = 0, lender: str = "L01") -> CountPage:
    """A page of three pairs, or of so many of them taken back."""
    people, things = outputs(PEOPLE), outputs(THINGS)
    ids, tags = degree_ids(ONE_PAGE.id, things), pair_tags(ONE_PAGE.id, things, people)
    if back:
        ids, tags = turned(ids[:back]), turned(tags[:back])
    (page,) = count_pages(ONE_PAGE, week, ids, tags, Lender(lender).identity, DRAW)
    return page


def observed(week: int, listed: list[int], lender: str = "L01") -> EdgePage:
    """A page of edges of week 0: of the first people, with these marks."""
    n = len(listed)
    rows = EdgeRows(
        subject_tokens(ONE_PAGE.id, outputs(PEOPLE[:n])),
        attribute_tokens(ONE_PAGE.id, outputs(THINGS[:n])),
        np.full(n, int(Kind.DEVICE)),
        np.zeros(n, int),
        np.zeros(n, int),
        np.array(listed),
    )
    (page,) = edge_pages(ONE_PAGE, week, rows, Lender(lender).identity, DRAW, bytes(32))
    return page


def test_a_pair_that_is_taken_back_and_what_takes_it_back_go() -> None:
    """Two of three pairs, and the two rows that say so; the third and all drawn rows stay."""
    first, second = taken_back([counted(0), counted(1, back=2)], 1)
    assert (first.sum(), second.sum()) == (2, 2)
    first, second = taken_back([counted(0), counted(1)], 1)  # the control: the same pairs, again
    assert not first.any()
    assert not second.any()


def test_an_edge_that_is_taken_back_goes_whoever_was_listed() -> None:
    """The mark of a listed person is no part of what is compared."""
    first, second = taken_back([observed(0, [0, 1, 0]), observed(1, [BACK, BACK])], 1)
    assert (first.sum(), second.sum()) == (2, 2)
    first, _ = taken_back([observed(0, [0, 1, 0]), observed(1, [0, 1])], 1)
    assert not first.any()


def test_what_takes_back_nothing_counts_for_nothing() -> None:
    """A turned pair is another degree id: the thing has one person still, and a plain made-up pair
    (control) would have made it two.
    """
    page = counted(1, back=1)
    (rows,) = taken_back([page], 1)
    assert not rows.any()
    ids, tags = (np.vstack(both) for both in zip(counted(0).pairs(), page.pairs(), strict=True))
    own = degree_ids(ONE_PAGE.id, outputs(THINGS[:1]))
    assert not shared_by(at_least(ids, tags), own).any()
    tags = np.vstack([tags, turned(tags[:1])])
    assert shared_by(at_least(np.vstack([ids, own]), tags), own).all()
    (edge,) = taken_back([observed(1, [BACK])], 1)
    assert edge.sum() == 1  # it is erased all the same


@pytest.mark.parametrize("page", [counted(0), observed(0, [0, 1, 0])], ids=["count", "edges"])
def test_a_page_without_some_rows_has_the_same_size(page: CountPage | EdgePage) -> None:
    """Others are drawn in their place; all that is not erased stays where it was."""
    rows = np.zeros(512, bool)
    rows[[3, 100]] = True
    after = without(page, rows, ONE_PAGE, DRAW)
    assert len(text_of(after)) == len(text_of(page))
    width = len(page.rows) // 512
    old, new = (np.frombuffer(one.rows, np.uint8).reshape(512, width) for one in (page, after))
    assert ((old != new).any(axis=1) == rows).all()
    assert replace(after, rows=page.rows) == page
