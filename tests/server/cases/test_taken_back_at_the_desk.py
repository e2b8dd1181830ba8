"""What a lender takes back is erased at the desk as the stage ends: its own rows only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from shared.cases.case import Case
from shared.cases.case_tokens import attribute_tokens, degree_ids, pair_tags, subject_tokens
from shared.cases.degree import shared_by
from shared.cases.pages import BACK, EdgePage, EdgeRows, count_pages, edge_pages
from shared.cases.taken_back import turned
from shared.rings.kinds import Kind
from shared.secure_sum.encoding import read_text, text_of
from tests.case_lenders import Desks, Lender, Observed, outputs


@pytest.fixture
def desks(tmp_path: Path) -> Desks:
    return Desks(tmp_path / "desk")


def three() -> list[Lender]:
    """All saw the same two people with one card."""
    found = [Lender(code) for code in ("L01", "L02", "L03")]
    for lender in found:
        lender.book += [Observed(who, "card", Kind.BANK_CARD) for who in ("p", "q")]
    return found


def back_pages(case: Case, lender: Lender, week: int, rows: Sequence[Observed]) -> list[bytes]:
    """A count page and a page of edges that take these back."""
    things = outputs([one.thing for one in rows])
    people = outputs([one.person for one in rows])
    ids, tags = degree_ids(case.id, things), pair_tags(case.id, things, people)
    who, draw = lender.identity, lender.random
    numbers = [np.array([getattr(one, name) for one in rows]) for name in ("kind", "week", "band")]
    listed = np.full(len(rows), BACK)
    subject, attribute = subject_tokens(case.id, people), attribute_tokens(case.id, things)
    edges = EdgeRows(subject, attribute, *numbers, listed)
    pages = [
        *count_pages(case, week, turned(ids), turned(tags), who, draw),
        *edge_pages(case, week, edges, who, draw, lender.mark),
    ]
    return [text_of(page) for page in pages]


def second_week(
    desks: Desks, case: Case, lenders: list[Lender], back: dict[str, list[Observed]]
) -> None:
    """As `Desks.week`, in which lenders take rows back, or send nothing new."""
    pages = {one.code: back_pages(case, one, 1, back.get(one.code, [])) for one in lenders}
    desks.at(1, 1)
    for code, (count, _) in pages.items():
        desks.desk.submit(code, case.id, "count", count)
    desks.at(1, 24)
    desks.desk.tick()
    for code, (_, edges) in pages.items():
        desks.desk.submit(code, case.id, "edges", edges)
    desks.at(1, 48)
    desks.desk.tick()


def held(desks: Desks, case: Case, person: str) -> list[str]:
    """Lenders of whose edge pages at the desk some row is about a person."""
    token = subject_tokens(case.id, outputs([person]))[0].tobytes()
    pages = desks.store.pages(case.id, "edges", 9)
    return sorted({one.member for one in pages if token in read_text(EdgePage, one.text).rows})


def test_it_is_gone_from_the_desks_disk_and_counts_no_more(desks: Desks) -> None:
    """Whom all three took back is nowhere in the file; the other one (control) is, at all three."""
    lenders = three()
    case = desks.open()
    desks.week(case, lenders)
    assert held(desks, case, "p") == ["L01", "L02", "L03"]
    ids = degree_ids(case.id, outputs(["card"]))
    assert shared_by(desks.told(lenders[0], case), ids).all()
    gone = [one for one in lenders[0].book if one.person == "p"]
    second_week(desks, case, lenders, {one.code: gone for one in lenders})
    assert (held(desks, case, "p"), held(desks, case, "q")) == ([], ["L01", "L02", "L03"])
    assert not shared_by(desks.told(lenders[0], case), ids).any()  # one person has the card
    assert len(desks.bulletin(case).rows) == 256
    desks.store.close()
    left = b"".join(path.read_bytes() for path in desks.folder.iterdir())
    things, people = outputs(["card"]), outputs(["p"])
    for token in (
        subject_tokens(case.id, people),
        pair_tags(case.id, things, people),
        turned(pair_tags(case.id, things, people)),
    ):
        assert token[0].tobytes() not in left


def test_nobody_takes_back_what_another_sent(desks: Desks) -> None:
    """The very same rows from a rival change nothing of the others'; its own (control) go."""
    lenders = three()
    case = desks.open()
    desks.week(case, lenders)
    rows = [one for one in lenders[0].book if one.person == "p"]
    second_week(desks, case, lenders, {"L01": rows})
    assert held(desks, case, "p") == ["L02", "L03"]
    ids = degree_ids(case.id, outputs(["card"]))
    assert shared_by(desks.told(lenders[1], case), ids).all()


def test_the_page_that_was_sent_first_has_its_receipt_still(desks: Desks) -> None:
    """Sent again it is the same page, and what was erased of it does not come back; the case goes
    on after a restart.
    """
    lenders = three()
    case = desks.open()
    desks.week(case, lenders)
    (first,) = lenders[0].edge_pages(case, 0, None)
    with pytest.raises(Exception, match="another page"):  # drawn rows differ: the control
        desks.desk.submit("L01", case.id, "edges", first)
    (kept,) = desks.store.pages(case.id, "edges", 0, "L01")
    second_week(desks, case, lenders, {"L01": [*lenders[0].book]})
    receipt = desks.desk.submit("L01", case.id, "edges", kept.text)
    assert receipt.page == kept.digest
    assert held(desks, case, "p") == ["L02", "L03"]
    desks.restart()
    assert [head.version for head in desks.desk.heads(case.id, 0)] == [1, 2]


def test_what_was_taken_back_can_be_given_again(desks: Desks) -> None:
    """In a later week it counts as anything else."""
    lenders = three()
    case = desks.open()
    desks.week(case, lenders)
    second_week(desks, case, lenders, {"L01": [*lenders[0].book]})
    desks.week(case, lenders, 2)
    assert held(desks, case, "p") == ["L01", "L02", "L03"]
