"""`borrowing keep | ask | open` and `run start --asked`: what people type, and what is said."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import client.borrowing.opening
import server.deployment.control
from client.borrowing.asking import Asking
from client.cli import main
from server.cli import main as server_main
from server.demo.identities import people
from tests.asked_consortium import CODES, HEADER, AskedConsortium, applied

FOLK = [one.resident_id for one in people(8, 5)]
Type = Callable[..., tuple[int, str, str]]


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AskedConsortium:
    """Commands reach the pretended key holders and SuperLink."""
    found = AskedConsortium(tmp_path)

    @contextmanager
    def opened(folder: Path, **_: object) -> Iterator[Asking]:
        with found.desk(folder.name) as desk:
            yield desk

    @contextmanager
    def control(folder: Path) -> Iterator[Any]:
        yield found.superlink

    monkeypatch.setattr(client.borrowing.opening, "open_asking", opened)
    monkeypatch.setattr(server.deployment.control, "control_of", control)
    return found


@pytest.fixture
def typed(capsys: pytest.CaptureFixture[str]) -> Type:
    def run(program: Callable[..., int], *words: object) -> tuple[int, str, str]:
        status = program([*map(str, words)])
        said = capsys.readouterr()
        return status, said.out, " ".join(said.err.split())

    return run


def test_from_files_to_a_table_by_the_commands(
    made: AskedConsortium, typed: Type, tmp_path: Path
) -> None:
    """Four others know the first person, so it is to be looked at; the second nobody knows."""
    for code in CODES:
        path = tmp_path / f"{code}.csv"
        path.write_text(f"{HEADER}{applied(FOLK[0], code)}\n")
        status, out, _ = typed(main, "borrowing", "keep", path, "--folder", made.home / code)
        assert (status, "1 event kept, as 1 row under tokens; 1 row here now" in out) == (0, True)
    book, batch = tmp_path / "book.csv", tmp_path / "batch.json"
    book.write_text(f"resident_id,customer_ref\n{FOLK[0]},C-1\n{FOLK[1]},C-2\n")
    home = ("--folder", made.home / "L01")
    status, out, _ = typed(main, "borrowing", "ask", book, "--out", batch, *home, "--json")
    told = json.loads(out)
    assert (status, told["rows"], told["tokens"]) == (0, 2, 2)
    assert FOLK[0] not in batch.read_text()

    start = ("run", "start", made.folder, "asked-1")
    status, out, _ = typed(server_main, *start, "--asked", batch, "--detach")
    assert (status, "asked-1 was accepted" in out) == (0, True)
    run = made.folder / "runs" / "asked-1"
    made.shown()
    made.carried(run)
    answer, out_csv = run / "answer.json", tmp_path / "elsewhere.csv"
    words = ("borrowing", "open", answer, "--out", out_csv, *home)
    status, out, _ = typed(main, *words)
    assert status == 1
    assert "5 lenders in the total, your own numbers taken off; 1 to look at" in out
    assert "never a decision" in out
    found = pd.read_csv(out_csv)
    assert found["customer_ref"].tolist() == ["C-1", "C-2"]
    assert found["app_orgnum_d7_all"].tolist() == [3, -1]
    assert found["triggers"].fillna("").tolist() == ["d7", ""]
    status, out, _ = typed(main, *words, "--json")
    assert json.loads(out)["lenders"] == 5


def test_what_cannot_be_asked_is_said_before_anything_starts(
    made: AskedConsortium, typed: Type, tmp_path: Path
) -> None:
    """No batch, an unsigned one, a revoked asker's, another consortium's, options of a model;
    control: the honest one is accepted.
    """
    batch = made.asks("L01", FOLK[0])
    start = ("run", "start", made.folder, "asked-1", "--detach")
    for words, told in (
        (("--asked", tmp_path / "none"), "cannot be read"),
        (("--asked", made.home / "L01" / "book.csv"), "not the text of one Batch"),
        (("--asked", batch, "--rounds", 3), "are of a model"),
        (("--anew",), "--anew is for a batch"),
    ):
        status, _, err = typed(server_main, *start, *words)
        assert (status, told in err) == (2, True), err
    changed = tmp_path / "changed.json"
    changed.write_text(batch.read_text().replace('"epoch":1', '"epoch":2'))
    assert typed(server_main, *start, "--asked", changed)[0] == 2
    (made.folder / "revoked.json").write_text('["L01"]')
    status, _, err = typed(server_main, *start, "--asked", batch)
    assert (status, "L01 is revoked" in err) == (2, True)
    (made.folder / "revoked.json").unlink()
    assert not (made.folder / "runs").exists()
    assert typed(server_main, *start, "--asked", batch)[0] == 0


def test_a_book_of_too_many_people_makes_no_batch(
    made: AskedConsortium, typed: Type, tmp_path: Path
) -> None:
    """65 tokens; control: 64 do."""
    folk = [one.resident_id for one in people(65, 9)]
    book, batch = tmp_path / "book.csv", tmp_path / "batch.json"
    words = ("borrowing", "ask", book, "--out", batch, "--folder", made.home / "L01")
    book.write_text("resident_id\n" + "\n".join(folk))
    status, _, err = typed(main, *words)
    assert (status, "65 tokens are asked about" in err) == (2, True)
    assert not batch.exists()
    book.write_text("resident_id\n" + "\n".join(folk[:64]))
    assert typed(main, *words)[0] == 0
