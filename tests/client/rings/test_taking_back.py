"""What was contributed by mistake is taken back: here at once, at the desk with the next pages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from client.rings.edges_file import Observations, Seen
from client.rings.taken_back import Counted
from shared.cases.pages import EdgePage
from shared.rings.kinds import Kind
from shared.secure_sum.encoding import read_text
from shared.tokens.identifiers import Canonical
from tests.case_lenders import Desks
from tests.client.rings.near_desk import DownError, NearLender, lender


class World:
    """Three lenders, each of which saw a person of its own and `wrong` with one device."""

    def __init__(self, folder: Path, desks: Desks, stack: ExitStack) -> None:
        self.desks, self.case = desks, desks.open()
        self.lenders = [
            stack.enter_context(lender(folder / code, desks, self.case, code))
            for code in ("L01", "L02", "L03")
        ]
        self.a, self.b, self.c = self.lenders
        for one in self.lenders:
            one.saw((one.desk.code, Kind.DEVICE, "shared", 0), ("wrong", Kind.DEVICE, "shared", 0))

    def week(self, week: int, whom: list[NearLender] | None = None) -> None:
        for hours in (1.0, 25.0):
            self.desks.at(week, hours)
            for one in whom or self.lenders:
                one.go_on()
            self.desks.at(week, hours + 23)
            self.desks.desk.tick()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    desks = Desks(tmp_path / "D1")
    with ExitStack() as stack:
        yield World(tmp_path, desks, stack)
    desks.store.close()


def file_of(*seen: tuple[str, str, int]) -> Observations:
    """A file's rows: person, thing, week."""
    return Observations(
        tuple(Canonical("resident_id", who) for who, _, _ in seen),
        tuple("" for _ in seen),
        tuple(Canonical("device", what) for _, what, _ in seen),
        tuple(Seen(at, at, Kind.DEVICE, week, 0) for at, (_, _, week) in enumerate(seen)),
    )


WRONG = file_of(("wrong", "shared", 0))


def taken(one: NearLender, found: Observations = WRONG) -> Counted:
    names, unknown = one.kept.back.named(found)
    counted = one.kept.back.counted(names, unknown)
    one.kept.back.want(names)
    return counted


def at_desk(world: World, person: str) -> list[str]:
    """Lenders whose pages at the desk have an edge of a person."""
    pages = world.desks.store.pages(world.case.id, "edges", 9)
    token = world.a.token(person)
    return sorted({one.member for one in pages if token in read_text(EdgePage, one.text).rows})


def names_of(one: NearLender) -> set[str]:
    return {person.identifier.value for person in one.kept.people()}


def test_what_never_left_is_forgotten_at_once(world: World) -> None:
    """Its identifiers are gone, nothing of it is on a page; what stays (control) leaves."""
    assert taken(world.a) == Counted(here=1, people=1)
    assert names_of(world.a) == {"L01"}
    assert [who.identifier.value for who, _ in world.a.kept.uncounted()] == ["L01"]
    world.week(0)
    assert (at_desk(world, "wrong"), "L01" in at_desk(world, "L01")) == (["L02", "L03"], True)


def test_what_left_is_erased_at_the_desk_by_the_next_weeks_pages_and_then_here(
    world: World,
) -> None:
    """By as many pages as ever; another lender's same observation (control) stays."""
    world.week(0)
    assert at_desk(world, "wrong") == ["L01", "L02", "L03"]
    assert taken(world.a) == Counted(sent=1, people=1)
    assert taken(world.a) == Counted(before=1)  # given again: nothing more
    assert "wrong" in names_of(world.a)
    sent = len(world.a.desk.sent)
    world.week(1)
    assert len(world.a.desk.sent) - sent == 2
    assert at_desk(world, "wrong") == ["L02", "L03"]
    assert names_of(world.a) == {"L01"}
    assert {one.identifier.value for one in world.a.kept.attributes()} == {"shared"}
    sizes = {len(text) for text in world.a.desk.sent[sent:]}
    assert sizes == {len(text) for text in world.b.desk.sent[sent:]}


def test_a_page_that_came_too_late_took_nothing_back(world: World) -> None:
    """It goes with the next week's; and stays kept here until then."""
    world.week(0)
    taken(world.a)
    world.a.desk.dies_at = len(world.a.desk.sent)
    world.desks.at(1, 1)
    with pytest.raises(DownError):
        world.a.go_on()
    late = lender(world.a.folder.parent / "L04", world.desks, world.case, "L04")
    with late as fourth:
        world.week(1, [world.b, world.c, fourth])
        assert at_desk(world, "wrong") == ["L01", "L02", "L03"]
        world.desks.at(2, 1)
        assert world.a.go_on().late == 1
        assert "wrong" in names_of(world.a)
        world.week(2, [world.a, world.b, world.c])
        assert at_desk(world, "wrong") == ["L02", "L03"]
        assert "wrong" not in names_of(world.a)


def test_what_may_have_arrived_with_late_pages_is_taken_back_there_too(world: World) -> None:
    """A page whose answer was lost before its stage closed is at the desk, and is not taken for one
    that never left.
    """
    world.a.desk.dies_at, world.a.desk.taken_first = 0, True
    world.desks.at(0, 1)
    with pytest.raises(DownError):
        world.a.go_on()
    for one in (world.b, world.c):
        one.go_on()
    world.desks.at(0, 24)
    world.desks.desk.tick()
    assert world.a.go_on().late == 1
    assert taken(world.a) == Counted(sent=1, people=1)


def test_a_pair_stays_while_another_observation_of_it_does(world: World) -> None:
    """Seen in two weeks, taken back in one: the count keeps the pair, the graph the other edge."""
    world.a.saw(("wrong", Kind.DEVICE, "shared", 1))
    world.week(0)
    assert taken(world.a) == Counted(sent=1, people=1)
    assert world.a.kept.uncounted(back=True) == []
    world.week(1)
    token = world.a.token("wrong")
    weeks = {week for *_, week in world.a.kept.observed(token)}
    assert weeks == {1}
    assert names_of(world.a) == {"L01", "wrong"}


def test_given_again_before_the_pages_are_made_it_stays(world: World) -> None:
    """A mistake about a mistake; after them (control) it is new."""
    world.week(0)
    taken(world.a)
    assert world.a.saw(("wrong", Kind.DEVICE, "shared", 0)) == 0
    world.week(1)
    assert at_desk(world, "wrong") == ["L01", "L02", "L03"]
    taken(world.a)
    world.week(2)
    assert at_desk(world, "wrong") == ["L02", "L03"]
    assert world.a.saw(("wrong", Kind.DEVICE, "shared", 0)) == 1


def test_by_reference_and_what_stands_for_nothing(world: World) -> None:
    """All of a customer's; rows and references that name nothing kept are counted."""
    back = world.a.kept.back
    names, unknown = back.of_refs(["ref wrong", "ref nobody"])
    assert (back.counted(names, unknown).here, unknown) == (1, 1)
    others = file_of(("wrong", "shared", 1), ("nobody", "shared", 0), ("wrong", "other", 0))
    assert back.named(others) == ([], 3)
    assert back.of_refs([""]) == ([], 1)


def test_what_only_one_person_has_leaves_no_token_when_it_is_taken_back(world: World) -> None:
    """Counted, and nobody else's: its pair goes back, and no page has it as an edge; what was
    shared (control) goes back as one.
    """
    world.a.saw(("wrong", Kind.DEVICE, "alone", 0))
    world.week(0)
    alone = [one.token for one in world.a.kept.attributes() if one.identifier.value == "alone"]
    assert taken(world.a, file_of(("wrong", "alone", 0), ("wrong", "shared", 0))).sent == 2
    sent = len(world.a.desk.sent)
    world.week(1)
    edges = [read_text(EdgePage, text) for text in world.a.desk.sent[sent:] if b"EdgePage" in text]
    rows = b"".join(page.rows for page in edges)
    assert alone[0] not in rows
    assert world.a.token("wrong") in rows
    assert names_of(world.a) == {"L01"}
