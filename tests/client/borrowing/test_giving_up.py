"""A batch whose end never comes is given up: at the coordinator, and by two persons at a lender."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import server.deployment.control
from client.cli import main
from server.cli import main as server_main
from server.coordinator.asked import kept_answer
from server.coordinator.exchange import VoidStageError
from server.coordinator.status import read_status, write_status
from server.demo.identities import people
from server.deployment.given_up import idle_batch
from server.one_at_a_time import alone_in
from shared.errors import OperatorError
from tests.asked_consortium import CODES, AskedConsortium, applied

FOLK = [one.resident_id for one in people(8, 5)]
Said = Callable[..., tuple[int, str]]


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AskedConsortium:
    """Five lenders that keep events; the coordinator's commands reach the pretended SuperLink."""
    found = AskedConsortium(tmp_path)
    for code in CODES:
        found.keeps(code, applied(FOLK[0], code))

    @contextmanager
    def control(folder: Path) -> Iterator[Any]:
        yield found.superlink

    monkeypatch.setattr(server.deployment.control, "control_of", control)
    return found


@pytest.fixture
def coordinator(made: AskedConsortium, capsys: pytest.CaptureFixture[str]) -> Said:
    """`run WORD FOLDER …`: exit status, and all that was said."""
    return lambda word, *words: _said(server_main, capsys, "run", word, made.folder, *words)


@pytest.fixture
def lender(made: AskedConsortium, capsys: pytest.CaptureFixture[str]) -> Said:
    """`borrowing give-up` at L02, likewise."""
    words = ("borrowing", "give-up", "--folder", made.home / "L02")
    return lambda *more: _said(main, capsys, *words, *more)


def _said(program: Callable[..., int], capsys: pytest.CaptureFixture[str], *words: object) -> Any:
    status, said = program([*map(str, words)]), capsys.readouterr()
    return status, " ".join((said.out + said.err).split())


def stuck(made: AskedConsortium, name: str = "first") -> Path:
    """L02 is in a batch's sum and does not hear its end."""
    run = made.started(made.asks("L01", FOLK[0]), name)
    with pytest.raises(VoidStageError, match="close") as void:
        made.carried(run, faults=["away L02 close never"])
    assert "lianfang-server run give-up" in void.value.remedy
    return run


def no_superlink(folder: Path) -> Any:
    raise OperatorError(f"nothing runs on {folder}")


def test_given_up_on_both_sides_the_next_batch_is_answered(
    made: AskedConsortium, coordinator: Said, lender: Said
) -> None:
    """What is lost is said first, and changes nothing; done at the coordinator alone (the control)
    L02 refuses the next batch; after two persons' words there it does not.
    """
    run = stuck(made)
    status, said = coordinator("give-up", "first")
    assert status == 1
    for told in ("given to nobody: L01 has to ask anew", "run resume", "cannot be taken back"):
        assert told in said
    batch = made.asks("L03", FOLK[0])
    start = ("start", "second", "--detach", "--asked", batch)
    status, said = coordinator(*start)
    assert (status, "run give-up" in said) == (2, True)
    assert coordinator("give-up", "first", "--yes")[0] == 0
    assert coordinator(*start)[0] == 0
    made.shown()
    with pytest.raises(VoidStageError, match="rows"):
        made.carried(made.folder / "runs" / "second")
    assert "its end was not heard here" in made.outbox("L02")[-1]["purpose"]
    assert lender("--operator", "Li Na", "--yes")[0] == 1
    status, said = lender("--operator", "Wang Wei", "--yes")
    assert (status, "is given up" in said) == (0, True)
    assert made.carried(made.started(batch, "third")).finished
    assert not (run / "answer.json").exists()
    status, said = coordinator("resume", "first")
    assert (status, "was given up here" in said) == (2, True)


def test_one_person_is_not_enough_and_no_batch_is_answered_again(
    made: AskedConsortium, lender: Said
) -> None:
    """The same person in other letters is no second one; without a name nobody says anything. The
    outbox has a line, with no name in it, and the numbers are gone.
    """
    run = stuck(made)
    before = len(made.outbox("L02"))
    status, said = lender()
    assert (status, "over L01, L02, L03, L04, L05" in said) == (1, True)
    assert "one lender's exact numbers about 64 people" in said
    assert lender("--yes")[0] == 2
    assert lender("--operator", "Li Na", "--yes")[0] == 1
    status, said = lender("--operator", " LI  na", "--yes")
    assert (status, "the same person" in said) == (2, True)
    said = lender()[1]
    assert said.startswith("one person here has given it up")
    assert "another one's word is missing" in said
    assert len(made.outbox("L02")) == before
    status, said = lender("--operator", "Wang Wei", "--yes", "--json")
    assert (status, json.loads(said)["given_up"]) == (0, True)
    (line,) = made.outbox("L02")[before:]
    assert (line["kind"], line["lenders"]) == ("given-up", list(CODES))
    kept = b"".join(
        path.read_bytes() for path in (made.home / "L02/own").rglob("*") if path.is_file()
    )
    assert b"Wang" not in kept
    assert not list((made.home / "L02/own/borrowing/asked").glob("*.numbers"))
    again = made.home / "L01" / "batch.json"
    run.joinpath("given-up").touch()
    with pytest.raises(VoidStageError, match="asked"):
        made.carried(made.started(again, "again"))


def test_where_one_lender_alone_waited_the_answer_comes_all_the_same(
    made: AskedConsortium, lender: Said
) -> None:
    """It has given up its proof, so it hears the end without one: nothing is lost to the asker."""
    run = stuck(made)
    lender("--operator", "Li Na", "--yes")
    lender("--operator", "Wang Wei", "--yes")
    made.carried(run, resume=True)
    assert kept_answer(run).lenders == CODES
    assert made.asking("L01", lambda desk: desk.open(run / "answer.json")).lenders == 5


def test_where_nothing_is_stuck_nothing_is_given_up(
    made: AskedConsortium, coordinator: Said, lender: Said
) -> None:
    """A batch that nobody opened, one at work, one with an answer, one given up before; a lender
    that heard all ends, or answered none. The control: what is stuck is.
    """
    status, said = lender()
    assert (status, "outbox" in said) == (2, True)
    fresh = made.started(made.asks("L01", FOLK[0]), "fresh")
    status, said = coordinator("give-up", "fresh", "--yes")
    assert (status, "no total of batch fresh was opened" in said) == (2, True)
    made.carried(fresh)
    status, said = coordinator("give-up", "fresh", "--yes")
    assert (status, "has an end and an answer" in said) == (2, True)
    status, said = lender("--operator", "Li Na", "--yes")
    assert (status, "was heard, or given up" in said) == (2, True)
    answer = (fresh / "answer.json").read_bytes()
    (fresh / "answer.json").unlink()
    status, said = coordinator("give-up", "fresh", "--yes")
    assert (status, "only its answer is not written" in said) == (2, True)
    (fresh / "answer.json").write_bytes(answer)
    made.asks("L01", FOLK[1])
    run = stuck(made)
    assert coordinator("give-up", "first")[0] == 1
    kept = read_status(run)
    assert kept is not None
    write_status(run, replace(kept, state="running", error=""))
    turn = alone_in(run)
    for words in ((), ("--yes",)):
        status, said = coordinator("give-up", "first", *words)
        assert (status, "is at work" in said, (run / "given-up").exists()) == (2, True, False)
    with pytest.raises(OperatorError, match="is at work"):
        idle_batch(made.folder, "first", no_superlink)
    turn.release()
    assert idle_batch(made.folder, "first", no_superlink).name == "first"
    status, said = coordinator("give-up", "first")
    assert (status, "nobody is at it" in said) == (1, True)
    assert coordinator("give-up", "first", "--yes", "--json")[0] == 0
    status, said = coordinator("give-up", "first")
    assert (status, "was given up before" in said) == (2, True)


def test_a_batch_given_up_is_listed_and_verified_as_such(
    made: AskedConsortium, coordinator: Said, capsys: pytest.CaptureFixture[str]
) -> None:
    """In words, for scripts and in the help; before that it is only stuck, and not so listed."""
    run = stuck(made)
    assert "given up" not in coordinator("list")[1]
    assert coordinator("give-up", "first", "--yes")[0] == 0
    assert "given up" in coordinator("list")[1]
    (listed,) = json.loads(coordinator("list", "--json")[1])
    assert (listed["state"], listed["given_up"]) == ("stopped", True)
    status, said = _said(server_main, capsys, "verify", run, "--json")
    assert (status, json.loads(said)["why"]) == (1, "given up: a batch without an answer")
    with pytest.raises(SystemExit):
        server_main(["verify", "-h"])
    assert "is a batch that was given up" in " ".join(capsys.readouterr().out.split())


def test_in_a_wrong_folder_the_right_one_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """At the coordinator by every command about runs, at a lender as its doctor says it."""
    gone = tmp_path / "nonexist"
    for words in (("give-up", gone, "first"), ("status", gone, "first"), ("list", gone)):
        status, said = _said(server_main, capsys, "run", *words)
        assert (status, "name the coordinator's folder" in said) == (2, True)
    for place, told in ((gone, "there is no folder"), (tmp_path, "is no lender's folder")):
        status, said = _said(main, capsys, "borrowing", "give-up", "--folder", place)
        assert (status, told in said, "name the lender's folder" in said) == (2, True, True)


def test_the_help_says_what_its_exit_status_means_and_needs_no_section_of_a_desk(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Of giving up 1 is not "done", and only the desk's commands ask for [borrowing]."""
    for word, done, desk in (
        ("give-up", False, False),
        ("keep", True, False),
        ("sync", True, True),
    ):
        with pytest.raises(SystemExit):
            main(["borrowing", word, "-h"])
        said = " ".join(capsys.readouterr().out.split())
        assert ("1 done" in said, "[borrowing]" in said) == (done, desk)
        assert ("1 nothing is given up yet" in said) != done
