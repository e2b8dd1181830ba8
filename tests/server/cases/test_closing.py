"""A case that its desk ends early: no more pages, and a last bulletin that says so."""

from __future__ import annotations

import json
import secrets
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from server.actor import write_actor
from server.authority import create_authority
from server.cases.desk import ClosedError
from server.cases.service import desk_in
from server.cli import main
from shared.cases.bulletin import BulletinForkError, check_follows
from shared.errors import OperatorError, PeerError
from shared.rings.kinds import Kind
from tests.case_lenders import MONDAY, Desks, Lender, ring


@pytest.fixture
def desks(tmp_path: Path) -> Desks:
    return Desks(tmp_path / "desk")


def three() -> list[Lender]:
    return [Lender(code) for code in ("L01", "L02", "L03")]


def test_the_last_bulletin_says_so_and_has_what_was_found(desks: Desks) -> None:
    """The rings of weeks that are over stand in it; the one before (control) is not closed."""
    lenders = three()
    members = ring(lenders)
    case = desks.open()
    before = desks.week(case, lenders)
    assert not before.head.closed
    desks.at(1, 1)
    desks.desk.submit("L01", case.id, "count", lenders[0].count_pages(case, 1)[0])
    head = desks.desk.close(case.id)
    bulletin = desks.bulletin(case)
    assert bulletin.head == head
    assert (head.closed, head.version, head.week) == (True, 2, 0)
    assert {*lenders[0].flags(case, bulletin, members)} == {*members}
    assert [one.stage for one in desks.desk.standings()] == ["closed"]
    assert not [page for page in desks.store.pages(case.id, "count", 9) if b'"week":1' in page.text]


@pytest.mark.parametrize("week", [0, 1])
def test_nothing_more_is_taken_or_told_and_it_is_forgotten_as_at_its_end(
    desks: Desks, week: int
) -> None:
    """In its first week, too; before it is closed (control) the page is taken."""
    lenders = three()
    case = desks.open()
    if week:
        desks.week(case, lenders)
    desks.at(week, 1)
    pages = {one.code: one.count_pages(case, week)[0] for one in lenders}
    desks.desk.submit("L01", case.id, "count", pages["L01"])
    desks.desk.close(case.id)
    with pytest.raises(ClosedError):
        desks.desk.submit("L02", case.id, "count", pages["L02"])
    assert desks.desk.told("L01", case.id) == (-1, b"")
    with pytest.raises(OperatorError, match="over already"):
        desks.desk.close(case.id)
    desks.restart()
    desks.at(week, 48)
    desks.desk.tick()
    assert len(desks.desk.heads(case.id, 0)) == week + 1
    desks.at(week + 27, 0)
    desks.desk.tick()
    assert not [*desks.store.pages(case.id, "count", 9)]
    with pytest.raises(PeerError, match="no such bulletin"):
        desks.desk.content(case.id, week + 1)
    desks.open()  # its name is free


def test_after_the_last_bulletin_none_follows(desks: Desks) -> None:
    """A desk that goes on with a closed case has signed its lie."""
    lenders = three()
    case = desks.open()
    first = desks.week(case, lenders).head
    second = desks.week(case, lenders, 1).head
    check_follows(first, second)
    closed = replace(first, closed=True)
    with pytest.raises(BulletinForkError):
        check_follows(closed, replace(second, before=closed.head))


def test_a_process_that_closes_beside_one_that_serves(desks: Desks) -> None:
    """What the serving process saw before is no ground for a step: the case stays closed, and its
    stage is not ended a second time.
    """
    lenders = three()
    case = desks.open()
    desks.at(0, 1)
    for lender in lenders:
        desks.desk.submit(lender.code, case.id, "count", lender.count_pages(case, 0)[0])
    desks.at(0, 24)
    (seen,) = desks.store.cases()
    beside = Desks(desks.folder, desks.clock)
    beside.desk.close(case.id)
    beside.store.close()
    assert not desks.store.move(seen, "edges", 1)
    assert desks.desk.tick() == 0
    assert [one.stage for one in desks.desk.standings()] == ["closed"]


def test_the_command_says_what_it_costs_and_closes_with_yes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without --yes, and for a name that no case has, nothing is closed."""
    now = datetime.now(UTC)
    authority = create_authority("Five", days=40, now=now, random=secrets.token_bytes)
    home = tmp_path / "d1"
    write_actor(home, authority, "D1", "desk", days=30, now=now, random=secrets.token_bytes)
    assert main(["cases", "init", str(home), "--code", "D1", "--profile", "demo"]) == 0
    desk, store, _ = desk_in(home)
    case = desk.open("spring", MONDAY, 4, [*map(int, Kind)], 1).case
    store.close()
    words = ["cases", "close", str(home)]
    assert main([*words, "spring"]) == 2
    assert "then give --yes" in " ".join(capsys.readouterr().err.split())
    assert main([*words, "autumn", "--yes"]) == 2
    assert "no case that goes on is called so" in " ".join(capsys.readouterr().err.split())
    assert main(["cases", "status", str(home), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["cases"][0]["stage"] == "waiting"
    assert main([*words, case.id.hex()[:6], "--yes", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "closed": "spring",
        "case": case.id.hex(),
        "bulletin": 1,
    }
    assert main(["cases", "status", str(home)]) == 0
    assert "closed; bulletin 1" in capsys.readouterr().out
