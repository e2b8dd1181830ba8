"""The demo's people are nobody's, its folder is its own, and its services end with it.

That it runs as a whole is shown by the README's test.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from server.demo.folders import MARKER, WARNING, cast_of, made_folders
from server.demo.identities import MOST, people
from server.demo.processes import Running, has_ended, services
from server.demo.story import Demo
from server.demo.watch import Watch
from shared.errors import OperatorError
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
    """Two of three key holders and the registry are needed."""
    processes = {code: Ending() for code in ("K1", "K2", "K3", "R1")}
    for code in processes:
        (folder / code).mkdir()
        (folder / code / "log.txt").write_text(f"last words of {code}\n")
    running = {
        code: Running(code, one, "a:1")  # type: ignore[arg-type]
        for code, one in processes.items()
    }
    return processes, Watch(folder, running, "R1", 2, told.append)


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


def test_the_demo_ends_without_its_registry(tmp_path: Path) -> None:
    """It is the only one of its kind."""
    told: list[str] = []
    processes, watch = watched(tmp_path, told)
    processes["R1"].status = 1
    with pytest.raises(OperatorError, match="last words of R1"):
        watch.look()
    assert told == []


def test_a_folder_that_is_not_the_demos_is_refused_before_a_word_is_said(tmp_path: Path) -> None:
    """Whoever reads that certificates are being made believes it."""
    (tmp_path / "notes.txt").write_text("mine")
    told: list[str] = []
    with pytest.raises(OperatorError, match="something else"):
        Demo(tmp_path, 1, told.append).check()
    assert told == []
