"""A week of a case: count, told degrees, edges, bulletin."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from server.cases.desk import ClosedError
from server.cases.settings import Settings
from shared.cases.case_tokens import attribute_tokens, subject_tokens
from shared.cases.degree import shared_by
from shared.cases.pages import EdgePage
from shared.errors import OperatorError, PeerError
from shared.rings.kinds import Kind
from shared.secure_sum.encoding import read_text
from tests.case_lenders import MONDAY, Desks, Lender, Observed, innocents, outputs, ring
from tests.identities import fixed_random


@pytest.fixture
def desks(tmp_path: Path) -> Desks:
    return Desks(tmp_path / "desk")


def three() -> list[Lender]:
    return [Lender(code) for code in ("L01", "L02", "L03")]


def test_a_ring_over_three_lenders_is_flagged_at_each_of_them(desks: Desks) -> None:
    """Its members as members, with one body for all; of sixty honest people nobody."""
    lenders = three()
    members, honest = ring(lenders), innocents(lenders)
    case = desks.open()
    bulletin = desks.week(case, lenders)
    for lender in lenders:
        flags = lender.flags(case, bulletin, members + honest)
        assert set(flags) == set(members)
        assert {flag.distance for flag in flags.values()} == {0}
        assert {flag.score_band for flag in flags.values()} == {"90-100"}
    (key,) = {flag.ring_key for flag in flags.values()}
    assert key is not None
    body = bulletin.body(key)
    assert body is not None
    assert len(body.members) == 6
    assert {edge.confirmed for edge in body.edges} == {2}
    assert "nobody_listed" in body.counter_evidence


def test_listed_members_are_marked_and_counted_as_seeds(desks: Desks) -> None:
    """One lender's word is enough for the mark."""
    lenders = three()
    members = ring(lenders)
    lenders[0].listed = {members[0]}
    case = desks.open()
    bulletin = desks.week(case, lenders)
    key = lenders[0].flags(case, bulletin, members)[members[0]].ring_key
    assert key is not None
    body = bulletin.body(key)
    assert body is not None
    assert [one.listed for one in body.members].count(True) == 1
    assert "nobody_listed" not in body.counter_evidence


def test_a_lender_is_told_of_its_own_shared_ids_only(desks: Desks) -> None:
    """Not of another's, nor of those that one subject alone has; all are told as many."""
    lenders = three()
    ring(lenders[:2])
    lenders[2].book += [Observed("x", "alone", Kind.PHONE), Observed("x", "r card 0", Kind.PAYEE)]
    case = desks.open()
    desks.at(0, 1)
    for lender in lenders:
        for page in lender.count_pages(case, 0):
            desks.desk.submit(lender.code, case.id, "count", page)
        assert desks.desk.told(lender.code, case.id) == (-1, b"")
    desks.at(0, 24)
    desks.desk.tick()
    told = {lender.code: desks.told(lender, case) for lender in lenders}
    assert {len(ids) for ids in told.values()} == {512}
    third = lenders[2]
    assert shared_by(told["L03"], third.ids(case, 0)).tolist() == [False, True]
    assert not shared_by(told["L03"], lenders[0].ids(case, 0)[:1]).any()
    assert shared_by(told["L01"], lenders[0].ids(case, 0)).all()


def test_a_pair_counts_once_however_often_it_is_sent(desks: Desks) -> None:
    """One subject at two lenders, sent each week, is one subject."""
    lenders = three()
    for lender in lenders:
        lender.book.append(Observed("same person", "same phone", Kind.PHONE))
    case = desks.open()
    for week in (0, 1):
        desks.week(case, lenders, week)
        told = desks.told(lenders[0], case)
        assert not shared_by(told, lenders[0].ids(case, week)).any()
    lenders[1].book.append(Observed("another", "same phone", Kind.PHONE))
    desks.week(case, lenders, 2)
    assert shared_by(desks.told(lenders[0], case), lenders[0].ids(case, 2)).all()


def test_singletons_never_come_into_the_graph(desks: Desks) -> None:
    """What only one subject has stays at its lender, also from who watches the desk; a lender that
    sends all it has gives it away (control)."""
    lenders = three()
    ring(lenders)
    innocents(lenders)
    case = desks.open()
    desks.week(case, lenders)
    alone = attribute_tokens(case.id, outputs([f"own device {one}" for one in range(60)]))
    people = subject_tokens(case.id, outputs([f"honest {one}" for one in range(60)]))
    pages = [*desks.store.pages(case.id, "edges", 9), *desks.store.pages(case.id, "count", 9)]
    everything = b"".join(read_text(EdgePage, one.text).rows for one in pages[:3])
    counted = b"".join(one.text for one in pages[3:])
    assert not any(one.tobytes() in everything + counted for one in alone)
    assert all(one.tobytes() in everything for one in people)  # they share a home's telephone
    leak = lenders[0].edge_pages(case, 0, None)
    given = read_text(EdgePage, leak[0]).rows
    assert sum(one.tobytes() in given for one in alone) == 20


def test_with_too_few_lenders_nothing_is_told_and_nothing_closes(desks: Desks) -> None:
    """The third one that has sent all its pages makes the stage end, at once for all."""
    lenders = three()
    ring(lenders)
    case = desks.open(pages=(2, 1))
    desks.at(0, 30)
    pages = {lender.code: lender.count_pages(case, 0) for lender in lenders}
    for lender in lenders[:2]:
        for page in pages[lender.code]:
            desks.desk.submit(lender.code, case.id, "count", page)
    desks.desk.submit("L03", case.id, "count", pages["L03"][0])
    assert desks.desk.tick() == 0
    assert desks.desk.told("L01", case.id) == (-1, b"")
    desks.desk.submit("L03", case.id, "count", pages["L03"][1])
    assert desks.desk.tick() == 1
    assert desks.desk.told("L01", case.id)[0] == 0


def test_pages_come_in_their_window_only(desks: Desks) -> None:
    """Before the week is over, after its hours, or in the other stage they are refused; the same
    page again is answered as before, also after the window."""
    lenders = three()
    case = desks.open()
    page = lenders[0].count_pages(case, 0)[0]
    for week, hours in ((0, -1), (-1, 5)):
        desks.at(week, hours)
        with pytest.raises(ClosedError):
            desks.desk.submit("L01", case.id, "count", page)
    desks.at(0, 0)
    receipt = desks.desk.submit("L01", case.id, "count", page)
    with pytest.raises(ClosedError):
        desks.desk.submit("L01", case.id, "edges", lenders[0].edge_pages(case, 0, None)[0])
    for lender in lenders[1:]:
        desks.desk.submit(lender.code, case.id, "count", lender.count_pages(case, 0)[0])
    desks.at(0, 24)
    assert desks.desk.submit("L01", case.id, "count", page) == receipt
    late = Lender("L04").count_pages(case, 0)[0]
    with pytest.raises(ClosedError):  # the hours are over, whether or not the desk has ticked
        desks.desk.submit("L04", case.id, "count", late)
    desks.desk.tick()
    assert desks.desk.submit("L01", case.id, "count", page) == receipt


def test_another_page_at_the_same_place_is_refused(desks: Desks) -> None:
    """A lender cannot take back or double what it sent."""
    lender = Lender("L01")
    case = desks.open()
    desks.at(0, 1)
    first, second = (lender.count_pages(case, 0)[0] for _ in range(2))
    desks.desk.submit("L01", case.id, "count", first)
    with pytest.raises(PeerError, match="another page"):
        desks.desk.submit("L01", case.id, "count", second)
    with pytest.raises(PeerError, match="who signed"):
        desks.desk.submit("L02", case.id, "count", first)
    with pytest.raises(PeerError, match="no such case"):
        desks.desk.submit("L01", bytes(16), "count", first)


def test_a_ring_keeps_its_name_and_changes_its_key(desks: Desks) -> None:
    """While at least half of its members stay; bulletins follow one another."""
    lenders = three()
    members = ring(lenders)
    case = desks.open()
    names, keys = set(), set()
    for week in (0, 1):
        flags = lenders[0].flags(case, desks.week(case, lenders, week), members)
        names |= {flag.ring for flag in flags.values()}
        keys |= {flag.ring_key for flag in flags.values()}
    assert (len(names), len(keys)) == (1, 2)
    assert [head.version for head in desks.desk.heads(case.id, 0)] == [1, 2]


def test_a_desk_begun_anew_publishes_the_same_bytes(tmp_path: Path) -> None:
    """Nothing of a week is held for the next one; other draws give other bytes (control)."""
    found = []
    for name, again, seed in (("on", False, "x"), ("anew", True, "x"), ("other", True, "y")):
        desks, lenders = Desks(tmp_path / name), three()
        ring(lenders)
        case = desks.open()
        desks.week(case, lenders, 0)
        if again:
            desks.restart()
        ring(lenders, name="later")
        desks.desk._random = fixed_random(seed)
        desks.week(case, lenders, 1)
        found.append(desks.desk.content(case.id, 2))
    assert found[0] == found[1] != found[2]


def test_a_case_that_is_over_takes_nothing_and_is_forgotten(desks: Desks) -> None:
    """After `keep_weeks` no page of it is left in the file; its heads are."""
    lenders = three()
    ring(lenders)
    case = desks.open(weeks=1)
    desks.week(case, lenders)
    assert desks.desk.standings()[0].stage == "over"
    with pytest.raises(ClosedError):
        desks.desk.submit("L04", case.id, "count", Lender("L04").count_pages(case, 0)[0])
    token = subject_tokens(case.id, outputs(["r person 0"]))[0].tobytes()
    page = next(iter(desks.store.pages(case.id, "edges", 9)))
    desks.at(27, 0)
    desks.desk.tick()
    assert not [*desks.store.pages(case.id, "edges", 9)]
    assert desks.desk.told("L01", case.id) == (-1, b"")
    with pytest.raises(PeerError, match="no such bulletin"):
        desks.desk.content(case.id, 1)
    assert len(desks.desk.heads(case.id, 0)) == 1
    desks.store.close()
    left = b"".join(path.read_bytes() for path in desks.folder.iterdir())
    assert page.text[:200] not in left
    assert token not in left


def test_terms_that_no_case_has_are_refused(desks: Desks, tmp_path: Path) -> None:
    """Two lenders would be told about each other, which only the demo allows."""
    kinds = [int(kind) for kind in Kind]
    with pytest.raises(OperatorError, match="about the other"):
        desks.desk.open("x", MONDAY, 4, kinds, 1, minimum_lenders=2)
    with pytest.raises(OperatorError, match="Monday"):
        desks.desk.open("x", MONDAY + timedelta(days=1), 4, kinds, 1)
    demo = Desks(tmp_path / "demo", settings=Settings(profile="demo"))
    demo.desk.open("x", MONDAY, 4, kinds, 1, minimum_lenders=2)


def test_an_empty_week_makes_a_bulletin_of_drawn_rows(desks: Desks) -> None:
    """So whether something was found cannot be told from its size."""
    lenders = three()
    case = desks.open()
    empty = desks.week(case, lenders, 0)
    ring(lenders)
    found = desks.week(case, lenders, 1)
    assert empty.head.size == found.head.size
    assert (empty.head.rows, empty.head.bodies) == (256, 8)
