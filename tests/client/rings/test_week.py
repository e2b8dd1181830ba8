"""A lender's week at the desk: what leaves, once, whatever stops in between."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from client.rings.known_case import KnownCase
from client.rings.parties import Shared, Standing, check_standing
from client.rings.week import LyingDeskError, least_drawn
from shared.cases.case import Case
from shared.cases.case_tokens import Rows
from shared.cases.numbered import whole
from shared.cases.pages import CountPage, EdgePage, EdgeRows, count_room
from shared.cases.said import read_shared
from shared.errors import PeerError
from shared.rings.kinds import Kind
from shared.secure_sum.encoding import read_text
from tests.case_lenders import AUTHORITY, Desks
from tests.client.rings.near_desk import DownError, NearLender, lender


@pytest.fixture
def desks(tmp_path: Path) -> Iterator[Desks]:
    found = Desks(tmp_path / "D1")
    yield found
    found.store.close()


class World:
    """Three lenders of one case; A has seen `own` with others, B and C know one of them each."""

    def __init__(self, folder: Path, desks: Desks, stack: ExitStack, pages: int = 1) -> None:
        self.desks, self.stack, self.folder = desks, stack, folder
        self.case: Case = desks.open((pages, pages))
        self.a, self.b, self.c = (self.opened(code) for code in ("L01", "L02", "L03"))

    def opened(self, code: str) -> NearLender:
        return self.stack.enter_context(lender(self.folder / code, self.desks, self.case, code))

    def others(self) -> None:
        for one in (self.b, self.c):
            one.go_on()

    def closes(self, week: int, hours: float) -> None:
        self.desks.at(week, hours)
        self.desks.desk.tick()


@pytest.fixture
def world(tmp_path: Path, desks: Desks) -> Iterator[World]:
    with ExitStack() as stack:
        yield World(tmp_path, desks, stack)


def edges_of(one: NearLender, since: int = 0) -> EdgeRows:
    """All rows of the edge pages that left, drawn ones included."""
    pages = [read_text(EdgePage, text) for text in one.desk.sent[since:] if b"EdgePage" in text]
    rows = [page.edges() for page in pages]
    return EdgeRows(
        *(
            np.concatenate([getattr(row, name) for row in rows])
            for name in ("subject", "attribute", "kind", "week", "band", "listed")
        )
    )


def sent_with(one: NearLender, thing: str, since: int = 0) -> list[int]:
    """The weeks of the observations of a thing that left."""
    rows = edges_of(one, since)
    (token,) = [each.token for each in one.kept.attributes() if each.identifier.value == thing]
    at = whole(rows.attribute) == whole(np.frombuffer(token, np.uint8).reshape(1, -1))
    return sorted(int(week) for week in rows.week[at])


def test_only_what_is_shared_leaves_as_edges(world: World) -> None:
    """Of two things seen here, the one that another lender has seen too leaves as an edge."""
    world.a.saw(("p1", Kind.DEVICE, "shared", 0), ("p1", Kind.PHONE, "own", 0))
    world.b.saw(("p2", Kind.DEVICE, "shared", 0))
    world.desks.at(0, 1)
    assert world.a.go_on().items == 2
    world.others()
    world.closes(0, 24)
    done = world.a.go_on()
    assert (done.items, done.shared) == (1, 1)
    assert (sent_with(world.a, "shared"), sent_with(world.a, "own")) == ([0], [])


def test_what_is_shared_later_leaves_with_its_own_week(world: World) -> None:
    """A thing that another lender sees in the second week brings the first week's observation."""
    world.a.saw(("p1", Kind.DEVICE, "thing", 0))
    world.desks.at(0, 1)
    for one in (world.a, world.b, world.c):
        one.go_on()
    world.closes(0, 24)
    for one in (world.a, world.b, world.c):
        one.go_on()
    world.closes(0, 48)
    assert sent_with(world.a, "thing") == []
    world.b.saw(("p2", Kind.DEVICE, "thing", 1))
    world.desks.at(1, 1)
    world.a.go_on()
    world.others()
    world.closes(1, 24)
    since = len(world.a.desk.sent)
    assert world.a.go_on().items == 1
    assert sent_with(world.a, "thing", since) == [0]
    world.closes(1, 25)
    assert world.a.go_on().pages == 0  # and not again


def test_every_week_has_as_many_pages_of_one_size_whatever_there_is(world: World) -> None:
    """A lender with nothing to say sends as much as one with much."""
    world.a.saw(*(("p1", Kind.DEVICE, f"thing {number}", 0) for number in range(40)))
    world.desks.at(0, 1)
    for one in (world.a, world.b, world.c):
        one.go_on()
    assert {len(one.desk.sent) for one in (world.a, world.b, world.c)} == {1}
    sizes = {
        len(read_text(CountPage, one.desk.sent[0]).rows) for one in (world.a, world.b, world.c)
    }
    assert len(sizes) == 1


@pytest.mark.parametrize("taken_first", [False, True], ids=["before it left", "before the answer"])
@pytest.mark.parametrize("dies_at", [0, 1, 2, 3])
def test_stopped_in_between_nothing_leaves_twice(
    tmp_path: Path, desks: Desks, dies_at: int, taken_first: bool
) -> None:
    """Wherever the power goes, the same bytes leave again, and the desk has each page once."""
    with ExitStack() as stack:
        world = World(tmp_path, desks, stack, pages=2)
        world.a.saw(("p1", Kind.DEVICE, "shared", 0))
        world.b.saw(("p2", Kind.DEVICE, "shared", 0))
        one = world.a
        one.desk.dies_at, one.desk.taken_first = dies_at, taken_first
        sent: list[bytes] = []

        def due() -> None:
            nonlocal one
            try:
                one.go_on()
            except DownError:
                sent.extend(one.desk.sent)
                one.kept.close()
                one = world.opened("L01")
                one.go_on()

        desks.at(0, 1)
        due()
        world.others()
        world.closes(0, 24)
        due()
        everything = sent + one.desk.sent
        assert len({*everything}) == 4
        assert len(everything) == 4 + taken_first
        assert desks.store.contributors(world.case.id, "edges", 0, 2) == 1
        assert one.go_on().pages == 0


def test_what_came_too_late_goes_with_the_next_week(world: World) -> None:
    """Pairs on a page that a closed week did not take are counted a week later; and without that
    (control) they never would be.
    """
    world.a.saw(("p1", Kind.DEVICE, "thing", 0))
    world.desks.at(0, 1)
    world.a.desk.dies_at = 0
    with pytest.raises(DownError):
        world.a.go_on()
    d = world.opened("L04")
    for one in (world.b, world.c, d):
        one.go_on()
    world.closes(0, 24)
    assert world.a.kept.uncounted() == []  # the control: they are on the page that was not sent
    late = world.a.go_on()
    assert (late.stage, late.late) == ("edges", 1)
    assert len(world.a.kept.uncounted()) == 1
    for one in (world.b, world.c, d):
        one.go_on()
    world.closes(0, 48)
    world.desks.at(1, 1)
    assert world.a.go_on().items == 1


def test_a_second_week_costs_new_identifiers_only(world: World) -> None:
    """Holders are asked about each identifier once, for the purpose `ring`."""
    world.a.saw(("p1", Kind.DEVICE, "thing", 0))
    assert world.a.holders.asked == [("ring", 1), ("ring", 1)]
    assert world.a.saw(("p1", Kind.DEVICE, "thing", 0)) == 0
    assert world.a.saw(("p1", Kind.DEVICE, "thing", 1), ("p2", Kind.DEVICE, "thing", 1)) == 2
    world.desks.at(0, 1)
    world.a.go_on()
    assert world.a.holders.asked == [("ring", 1)] * 3


def test_who_is_on_the_list_is_marked_at_its_edges(world: World) -> None:
    """The bit is of the people this lender finds listed, and of nobody else."""
    world.a.listed = {"p1"}
    world.a.saw(("p1", Kind.DEVICE, "shared", 0), ("p2", Kind.DEVICE, "shared", 0))
    world.desks.at(0, 1)
    world.a.go_on()
    world.others()
    world.closes(0, 24)
    world.a.go_on()
    rows = edges_of(world.a)
    marked = {one.tobytes() for one in rows.subject[rows.listed > 0]}
    assert marked == {world.a.token("p1")}


def test_what_was_contributed_is_kept_sealed(world: World, tmp_path: Path) -> None:
    """No file holds an identifier, a reference or a token; with the secret they are read back."""
    world.a.saw(("330102199001011234", Kind.DEVICE, "oaid:feedfeedfeedfeed", 0))
    world.desks.at(0, 1)
    world.a.go_on()
    token = world.a.token("330102199001011234")
    (person,) = world.a.kept.people()
    assert (person.identifier.value, person.ref) == (
        "330102199001011234",
        "ref 330102199001011234",
    )
    files = [path for path in (tmp_path / "L01").rglob("*") if path.is_file()]
    content = b"".join(path.read_bytes() for path in files)
    for secret in (b"330102199001011234", b"feedfeed", token, token.hex().encode(), b"ref 33"):
        assert secret not in content


def lied(world: World, told: Callable[[NearLender], Rows]) -> list[bytes]:
    """What leaves when the desk says that `told` is shared, of a lender that alone has all."""
    one = world.a
    one.saw(*((f"p{number}", Kind.DEVICE, f"own {number}", 0) for number in range(20)))
    world.desks.at(0, 1)
    one.go_on()
    (standing,) = one.desk.cases()
    one.desk.cases = lambda: [replace(standing, stage="edges")]  # type: ignore[method-assign]
    rows = told(one)
    said = world.desks.desk.said_shared("L01", world.case.id, 0, rows.tobytes())
    shared = Shared(said, rows)
    one.desk.told = lambda case, week: shared  # type: ignore[method-assign]
    left: list[bytes] = []

    def submit(standing: Standing, stage: str, text: bytes, page: bytes) -> bytes:
        left.append(text)
        raise DownError

    one.desk.submit = submit  # type: ignore[method-assign]
    with pytest.raises(DownError):
        one.go_on()
    return left


def counted_by(one: NearLender) -> Rows:
    return read_text(CountPage, one.desk.sent[0]).pairs()[0]


def test_a_desk_that_says_that_everything_is_shared_gets_nothing(world: World) -> None:
    """Among a count page's ids are drawn ones, which nobody else has; what it signed is kept."""
    with pytest.raises(LyingDeskError, match="drawn here for nobody") as lie:
        lied(world, counted_by)
    assert not world.a.kept.has_pages("edges", 0)
    known = KnownCase(world.folder / "known", "D1", AUTHORITY.certificate)
    kept = json.loads(known.accuse_told(lie.value.shared).read_text())
    said, ids = (b64decode(kept[name]) for name in ("said", "ids"))
    now = world.desks.clock.now
    authority = AUTHORITY.certificate
    assert read_shared(said, ids, world.case, 0, "L01", "D1", authority, now).week == 0


def test_what_only_this_lender_has_would_leave_without_drawn_rows(world: World) -> None:
    """Control: a desk that could tell the drawn rows apart would get every singleton."""

    def without_drawn(one: NearLender) -> Rows:
        ids = counted_by(one)
        drawn = one.kept.drawn(0, count_room(one.case))[:, 0]
        return ids[~np.isin(whole(ids), whole(drawn))]

    (page,) = lied(world, without_drawn)
    mine = {world.a.token(f"p{number}") for number in range(20)}
    assert mine <= {one.tobytes() for one in read_text(EdgePage, page).edges().subject}


def test_a_full_week_has_drawn_rows_too_and_they_look_like_others(world: World) -> None:
    """One row of 32 is drawn however much there is; another week's are others."""
    one = world.a
    one.saw(*((f"p{number}", Kind.DEVICE, f"own {number}", 0) for number in range(520)))
    world.desks.at(0, 1)
    done = one.go_on()
    room = count_room(one.case)
    assert (done.items, done.waiting) == (room - least_drawn(one.case), 520 - done.items)
    drawn = [whole(one.kept.drawn(week, 64)[:, 0]) for week in (0, 1)]
    assert np.isin(drawn[0], whole(counted_by(one))).sum() == least_drawn(one.case) == 16
    assert not np.isin(drawn[0], drawn[1]).any()


@pytest.mark.parametrize(
    "wrong", [{"week": 10**6}, {"week": 4}, {"week": 1}, {"bulletin": 99}], ids=str
)
def test_a_desk_at_a_week_that_cannot_be_is_refused(world: World, wrong: dict[str, int]) -> None:
    """Beyond the case, or before the week is over; as it is, it is taken (control)."""
    world.desks.at(0, 1)
    (standing,) = world.a.desk.cases()
    now = world.desks.clock.now
    check_standing(standing, now)
    with pytest.raises(PeerError, match="nothing was sent"):
        check_standing(replace(standing, **wrong), now)  # type: ignore[arg-type]
