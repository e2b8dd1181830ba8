"""The demo's people are nobody's, its folder is its own, and its services end with it; its lenders
see its ring only together.

That it runs as a whole is shown by the README's test.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from server.demo.folders import LENDERS, MARKER, WARNING, cast_of, made_folders
from server.demo.identities import MOST, people
from server.demo.processes import Running, has_ended, services
from server.demo.rings import CASE, DESK, first_monday, observations, open_case, subjects
from server.demo.story import Demo
from server.demo.trying import Try, one_client, tried
from server.demo.watch import Watch
from shared.errors import OperatorError
from shared.rings.detect import detect
from shared.rings.edges import Edges
from shared.rings.kinds import Kind
from shared.tokens.identifiers import canonical

TODAY = date(2031, 5, 6)


def test_people_are_well_formed_of_no_region_and_the_same_for_a_seed() -> None:
    """Right check characters, region 990000, telephone numbers kept for fiction."""
    found = people(MOST, seed=3)
    for person in found[:200]:
        rid = canonical("resident_id", person.resident_id, today=TODAY)
        assert (rid.value, rid.warnings) == (person.resident_id, ("unknown_region",))
        assert canonical("phone", person.phone, today=TODAY).value == person.phone
        assert person.phone[5:10] == "55501"
    assert len({one.resident_id for one in found}) == len({one.phone for one in found}) == MOST
    assert people(5, seed=3) == found[:5]
    assert people(5, seed=4) != found[:5]


def test_the_cast_has_three_of_four_listed_people_in_the_book() -> None:
    """And somebody who is on neither."""
    cast = cast_of(1)
    assert {*cast.listed} & {*cast.book} == {*cast.listed[:3]}
    assert not {cast.unlisted, cast.another} & {*cast.book, *cast.listed}
    assert cast.unlisted != cast.another


def test_a_folder_with_something_else_in_it_is_not_touched(tmp_path: Path) -> None:
    """An earlier demo's is replaced; one that is running is left alone."""
    mine = tmp_path / "thesis.txt"
    mine.write_text("years of work")
    with pytest.raises(OperatorError, match="something else"), made_folders(tmp_path, 1):
        pass
    assert mine.read_text() == "years of work"
    folder = tmp_path / "exchange"
    with made_folders(folder, 1):
        assert WARNING in (folder / MARKER).read_text()
        (folder / "left.txt").write_text("of the first")
        with pytest.raises(OperatorError, match="is running"), made_folders(folder, 1):
            pass
    with made_folders(folder, 2):
        assert not (folder / "left.txt").exists()


def test_services_end_with_the_block_and_one_that_cannot_start_is_named(tmp_path: Path) -> None:
    """A key holder is a process of its own; one that cannot start is told with its log."""
    with made_folders(tmp_path / "x", 1):
        wanted = [("K1", "keyholder")]
        with services(tmp_path / "x", wanted) as running:
            process = running["K1"].process
            assert not has_ended(running["K1"])
        assert process.poll() == 0
        wrong = tmp_path / "x" / "K2" / "keyholder.toml"
        wrong.write_text("[keyholder]\n")
        with pytest.raises(OperatorError, match="K2 has ended") as told:  # noqa: SIM117
            with services(tmp_path / "x", [("K2", "keyholder")]):
                pass
        assert "keyholder.context" in str(told.value)


class Ending:
    """Stands for a process; `status` None: it runs."""

    def __init__(self) -> None:
        self.status: int | None = None

    def poll(self) -> int | None:
        return self.status


def watched(folder: Path, told: list[str]) -> tuple[dict[str, Ending], Watch]:
    """Two of three key holders, the registry and the case desk are needed."""
    processes = {code: Ending() for code in ("K1", "K2", "K3", "R1", "D1")}
    for code in processes:
        (folder / code).mkdir()
        (folder / code / "log.txt").write_text(f"last words of {code}\n")
    running = {
        code: Running(code, one, "a:1")  # type: ignore[arg-type]
        for code, one in processes.items()
    }
    return processes, Watch(folder, running, ("R1", "D1"), 2, told.append)


def test_the_demo_goes_on_without_one_key_holder_and_ends_without_two(tmp_path: Path) -> None:
    """Who has ended is told once, with who goes on; where too few are left its log is shown."""
    told: list[str] = []
    processes, watch = watched(tmp_path, told)
    watch.look()
    assert told == []
    processes["K2"].status = -9
    watch.look()
    watch.look()
    (line,) = told
    assert "key holder K2 has ended" in line
    assert "K1 and K3 go on: any 2 key holders answer" in line
    processes["K3"].status = 0
    with pytest.raises(OperatorError, match="K3 has ended\n  last words of K3"):
        watch.look()


@pytest.mark.parametrize("code", ["R1", "D1"])
def test_the_demo_ends_without_its_registry_or_its_desk(tmp_path: Path, code: str) -> None:
    """Each is the only one of its kind."""
    told: list[str] = []
    processes, watch = watched(tmp_path, told)
    processes[code].status = 1
    with pytest.raises(OperatorError, match=f"last words of {code}"):
        watch.look()
    assert told == []


def test_a_folder_that_is_not_the_demos_is_refused_before_a_word_is_said(tmp_path: Path) -> None:
    """Whoever reads that certificates are being made believes it."""
    (tmp_path / "notes.txt").write_text("mine")
    told: list[str] = []
    with pytest.raises(OperatorError, match="something else"):
        Demo(tmp_path, 1, told.append).check()
    assert told == []


def rings_of(rows: list[tuple[str, int, str]]) -> list[tuple[set[str], bool]]:
    """Rings found in (subject, kind, attribute): resident ids, and whether they are published."""
    who, what = (sorted({row[at] for row in rows}) for at in (0, 2))
    edges = Edges.of([(who.index(a), what.index(c), kind, 0, 0) for a, kind, c in rows])
    found = detect(edges, week=0).rings
    return [({who[at] for at in ring.members}, ring.score >= 60) for ring in found]


@pytest.mark.parametrize("seed", [1, 2])
def test_only_together_do_lenders_see_the_ring_and_the_family_is_none(seed: int) -> None:
    """One ring with exactly its six; at each lender alone nothing. Everybody is seen in the week
    that is over, and nobody of the ring is on the shared list.
    """
    seen = {
        code: [(row[0], int(Kind[row[1].upper()]), row[2]) for row in rows]
        for code, rows in observations(seed, LENDERS).items()
    }
    ring, family, _ = subjects(seed)
    together = [row for rows in seen.values() for row in rows]
    assert rings_of(together) == [({one.resident_id for one in ring}, True)]
    assert {one.resident_id for one in family} <= {row[0] for row in together}
    assert [rings_of(rows) for rows in seen.values()] == [[], [], []]
    for code in LENDERS:  # the ring rests on no single lender's word
        rest = [row for other, rows in seen.items() if other != code for row in rows]
        assert rings_of(rest) == [({one.resident_id for one in ring}, True)]
    cast = cast_of(seed)
    assert not {*ring, *family} & {*cast.listed, cast.unlisted, cast.another, *cast.book}
    days = {row[3] for rows in observations(seed, LENDERS).values() for row in rows}
    weeks = {(date.fromisoformat(day) - first_monday()).days // 7 for day in days}
    assert weeks == {0}


def test_the_case_is_over_its_first_week_and_waits_for_no_hour(tmp_path: Path) -> None:
    """Its count is open at once, and is to close as soon as all have counted."""
    from server.cases.service import desk_in

    with made_folders(tmp_path / "x", 1):
        open_case(tmp_path / "x", epoch=1)
        desk, store, _ = desk_in(tmp_path / "x" / DESK)
        (standing,) = desk.standings()
        store.close()
    assert (standing.signed.case.name, standing.stage, standing.week) == (CASE, "count", 0)
    assert standing.closes == standing.opens
    assert standing.signed.case.minimum_lenders == len(LENDERS)


def test_a_clients_commands_go_one_after_another_and_a_wrong_one_is_told(tmp_path: Path) -> None:
    """Status and words of each, as of a process of its own; words it does not know end nothing."""
    with one_client() as typed:
        wrong = tried(Try("", ("list", "sync", "--folder", str(tmp_path)), 0), typed)
        unknown = tried(Try("", ("no-such-command",), 2), typed)
        known = tried(Try("", ("list", "check", "-h"), 0), typed)
    assert (wrong.status, wrong.right) == (2, False)
    assert "no file exchange.toml" in wrong.output
    assert (unknown.status, unknown.right, known.status) == (2, True, 0)
    assert "usage" in known.output
