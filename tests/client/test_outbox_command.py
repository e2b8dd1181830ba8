"""`lianfang-client outbox` tells in plain words what left, and whether the journal holds."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from client.cli import main
from client.outbox import Outbox
from shared.secure_sum.history import Record
from tests.client.sealed_consortium import SealedConsortium
from tests.client.test_outbox import ANSWER, KEYS, MASKED

NOW = datetime(2031, 5, 6, 23, 8, 9, tzinfo=UTC)
SECOND = replace(
    MASKED,
    stage="trees/0",
    payload="gradients",
    round="9a" * 32,
    run="bc" * 32,
    slot=4,
    size=52_000,
)
REFUSAL = Record(
    "refusal", "refused: fewer lenders than this lender's floor (expected 5 or more, came 3)",
    "de" * 32, 300, "cd" * 32,
)  # fmt: skip
OTHER = replace(KEYS, agreement="ef" * 32, counter=8)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    outbox = Outbox(tmp_path / "own" / "outbox.jsonl", lambda: NOW)
    answer = replace(SECOND, kind="answer", lenders=("L01", "L02", "L03"), released="eA==")
    for record in (KEYS, MASKED, ANSWER, SECOND, answer, REFUSAL, OTHER):
        outbox.append(record)
    outbox.close()
    yield tmp_path
    monkeypatch.undo()
    time.tzset()


def lines(capsys: pytest.CaptureFixture[str], *arguments: object, status: int = 0) -> list[str]:
    assert main(["outbox", *map(str, arguments)]) == status
    return capsys.readouterr().out.splitlines()


def test_the_page_says_what_left_when_for_what_and_how_much(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line each, in local time; how many lenders an opened sum had; totals; the chain."""
    shown = lines(capsys, folder)
    assert shown[0].split() == [
        "no", "when", "what", "stage", "run", "lenders", "bytes", "hash", "purpose",
    ]  # fmt: skip
    assert shown[2].startswith(" 2  2031-05-07 07:08:09  masked numbers  census   cdcdcdcd")
    assert shown[2].endswith("400  12121212  rows by role")
    assert "2 of 3" in shown[3]
    assert "3 of 3" in shown[5]
    assert "52,000" in shown[4]
    assert "floor (expected 5 or more, came 3)" in shown[6]
    rest = "\n".join(shown[8:])
    assert "7 messages, 112,823 bytes" in rest
    assert "masked numbers  2" in rest
    assert "sums opened: 2, of 2 to 3 lenders each" in rest
    assert "refusal         1" in rest
    assert "the chain of 7 lines holds; its last link is " in rest


def test_the_folder_is_the_one_we_are_in_unless_named(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an operator would stand in it."""
    monkeypatch.chdir(folder)
    assert lines(capsys) == lines(capsys, folder)


@pytest.mark.parametrize(
    ("arguments", "numbers"),
    [
        ([], [1, 2, 3, 4, 5, 6, 7]),
        (["--since", 5], [5, 6, 7]),
        (["--since", 99], []),
        (["--refusals"], [6]),
        (["--run", "cd"], [1, 2, 3, 4, 5, 6]),
        (["--run", "efef"], [7]),
        (["--run", "bcbc"], [4, 5]),
        (["--run", "5656"], [2, 3]),
        (["--run", "cdcd", "--since", 2, "--refusals"], [6]),
    ],
)
def test_a_part_can_be_asked_for(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[object],
    numbers: list[int],
) -> None:
    """From a number on, of an agreement, run or round, or refusals; JSON and page alike."""
    (told,) = lines(capsys, folder, "--json", *arguments)
    assert [entry["number"] for entry in json.loads(told)] == numbers
    shown = lines(capsys, folder, *arguments)
    assert [int(line.split()[0]) for line in shown[1 : 1 + len(numbers)]] == numbers
    assert f"{len(numbers)} messages" in "\n".join(shown) or "nothing to show" in shown
    assert "the chain of 7 lines holds" in shown[-1]


def test_json_holds_the_fields_of_a_line_but_no_shares(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And how many members the set-up of a round had."""
    (told,) = lines(capsys, folder, "--json")
    answer = json.loads(told)[2]
    assert answer["kind"] == "answer"
    assert (answer["lenders"], answer["members"]) == (["L01", "L03"], 3)
    assert answer["at"] == "2031-05-06T23:08:09+00:00"
    assert len(answer["digest"]) == 64
    assert "released" not in answer


@pytest.mark.parametrize("arguments", [[], ["--json"], ["--since", "7"], ["--refusals"]])
def test_a_changed_journal_is_told_with_exit_status_2(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    """Whatever part is asked for; nothing of it is shown."""
    path = folder / "own" / "outbox.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"size":400', b'"size":401'))
    assert main(["outbox", str(folder), *arguments]) == 2
    captured = capsys.readouterr()
    if "--json" in arguments:  # a script reads the error where it reads all else
        assert json.loads(captured.out).keys() == {"error", "remedy"}
        captured = captured._replace(out="")
    assert captured.out == ""
    assert "outbox.jsonl, line 2:" in captured.err
    assert "remedy:" in captured.err


def test_a_cut_last_line_is_a_note_and_the_file_is_only_read(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The lender itself removes it when it starts."""
    path = folder / "own" / "outbox.jsonl"
    path.write_bytes(path.read_bytes() + b'{"agreement"')
    before = path.read_bytes()
    shown = lines(capsys, folder)
    assert "the chain of 7 lines holds" in shown[-2]
    assert "cut off by a crash" in shown[-1]
    assert path.read_bytes() == before


def test_a_text_cannot_move_the_terminals_cursor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever a coordinator may get into a refusal."""
    outbox = Outbox(tmp_path / "own" / "outbox.jsonl", lambda: NOW)
    outbox.append(replace(REFUSAL, purpose="refused\x1b[2J\r\nnothing left"))
    shown = lines(capsys, tmp_path)
    assert shown[1].endswith("refused?[2J??nothing left")


def test_no_outbox_is_told_with_a_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is made there."""
    assert main(["outbox", str(tmp_path)]) == 2
    assert "name the lender's folder" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("named", ["own", "own/outbox.jsonl", "own/vault", "client.toml"])
def test_a_place_inside_the_lenders_folder_is_told_apart_from_it(
    folder: Path, capsys: pytest.CaptureFixture[str], named: str
) -> None:
    """With the command that works."""
    assert main(["outbox", str(folder / named)]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert f"{folder / named} lies inside a lender's folder" in told
    assert f"lianfang-client outbox {folder.resolve()}" in told


def test_standing_in_own_the_folder_above_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an operator would who looks for the file."""
    monkeypatch.chdir(folder / "own")
    assert main(["outbox"]) == 2
    assert f"lianfang-client outbox {folder.resolve()}" in " ".join(capsys.readouterr().err.split())


def test_an_empty_outbox_is_no_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A lender that was asked nothing yet."""
    Outbox(tmp_path / "own" / "outbox.jsonl", lambda: NOW).close()
    assert lines(capsys, tmp_path)[0] == "nothing to show"
    assert lines(capsys, tmp_path, "--json") == ["[]"]


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    """Of the commands people will want."""
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert "lianfang-client outbox /srv/lender --since 200 --refusals" in text


def test_a_real_lenders_outbox_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """After a set-up and two stages, one without a lender in it; plain numbers are called so."""
    ours = SealedConsortium(tmp_path / "secure")
    ours.make_set_up()
    ours.stage()
    shown = "\n".join(lines(capsys, ours.folders["L01"]))
    assert "public keys for the rounds to come" in shown
    assert "4 of 4" in shown
    assert "sums opened: 1, of 4 lenders each" in shown
    plain = SealedConsortium(tmp_path / "plain", replace(ours.terms, sums="plain"))
    plain.asked("L01", plain.ask(None))
    shown = "\n".join(lines(capsys, plain.folders["L01"]))
    assert "PLAIN numbers" in shown
    assert "can be read by the coordinator" in shown
