"""`screen`: a book looked up as a whole; what is odd or left out is told by its line."""

from __future__ import annotations

import csv
import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from client.cli import main
from client.commands.words import ago, counted
from tests.client.lists.list_words import book_of, said
from tests.exchange_parties import Parties


def test_a_book_is_screened_and_again_without_a_network(
    exchange: Parties, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hits by line and customer reference in a file without identifiers; the second time no
    message leaves.
    """
    who, *others = exchange.people(5)
    exchange.listed("L01", who)
    exchange.synced("L03")
    book, hits = book_of(tmp_path / "book.csv", [who, *others]), tmp_path / "hits.csv"
    first = exchange.asked("L03", "screen", book, "--out", hits, status=1)
    assert isinstance(first, dict)
    assert (first["rows"], first["hits"], first["tokens_asked"]) == (5, 1, 5)
    (row,) = csv.DictReader(hits.read_text(encoding="utf-8-sig").splitlines())
    assert (row["line"], row["customer_ref"], row["action_hint"]) == ("2", "D0", "review")
    assert who.resident_id not in hits.read_text(encoding="utf-8-sig")
    outbox = exchange.lender("L03") / "own" / "outbox.jsonl"
    left = outbox.read_bytes()
    again = exchange.asked("L03", "screen", book, "--out", hits, status=1)
    assert isinstance(again, dict)
    assert (again["hits"], again["tokens_asked"]) == (1, 0)
    assert outbox.read_bytes() == left
    clean = book_of(tmp_path / "clean.csv", others)
    assert "0 hits" in exchange.run("L03", "screen", clean, "--out", hits)


def test_what_is_odd_in_a_book_is_shown_although_the_holders_are_down(
    exchange: Parties, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Line, column, masked text and the reason's word, before the error; with --json the error is a
    line of JSON too, with the same cells, and the exit status stays 2.
    """
    who = exchange.someone()
    monkeypatch.setattr("client.exchange.holders._ROUNDS", 1)
    book, bad = tmp_path / "book.csv", who.resident_id[:-1]
    bad += "1" if who.resident_id[-1] != "1" else "2"
    rows = [f"{one.resident_id},4111111111111112" for one in exchange.people(7)]
    book.write_text("\n".join(["resident_id,bank_card", *rows, f"{bad},"]) + "\n")
    path = exchange.lender("L03") / "exchange.toml"
    right = path.read_text()
    words = ("screen", book, "--out", tmp_path / "hits.csv")
    try:
        path.write_text(re.sub(r'(K\d) = "127.0.0.1:\d+"', r'\1 = "127.0.0.1:9"', right))
        told = exchange.run("L03", *words, status=2)
        assert main([*map(str, words), "--folder", str(path.parent), "--json"]) == 2
    finally:
        path.write_text(right)
    printed = exchange.capture.readouterr()  # type: ignore[union-attr]
    assert (
        told.index("line 9, resident_id") < told.index("line 2, bank_card") < told.index("error:")
    )
    for word in ("(check_digit)", "(luhn)", "(unknown_region)", "and 9 more warnings; --json"):
        assert word in told
    (text,) = printed.out.splitlines()
    said = json.loads(text)
    assert "key holders" in said["error"]
    assert said["remedy"]
    assert said["warnings"] == {"unknown_region": 7, "luhn": 7}
    assert [cell["line"] for cell in said["bad_cells"]] == [9]
    assert {(one["column"], one["warning"]) for one in said["warned_cells"]} == {
        ("resident_id", "unknown_region"),
        ("bank_card", "luhn"),
    }
    assert "error:" in printed.err
    assert bad not in told + text
    assert "4111111111111112" not in told + text


def test_points_of_a_book_are_multiplied_on_all_cores(
    exchange: Parties, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many threads as there are cores get the chunks of 256; a small lookup is one chunk."""
    pools: list[tuple[int, list[int]]] = []

    class Recorded(ThreadPoolExecutor):
        def __init__(self, workers: int, name: str) -> None:
            super().__init__(workers, name)
            self.handed: list[int] = []
            pools.append((workers, self.handed))

        def map(self, function, *chunks, **options):  # type: ignore[no-untyped-def]
            self.handed.append(len(chunks[0]))
            return super().map(function, *chunks, **options)

    monkeypatch.setattr("client.exchange.opening.ThreadPoolExecutor", Recorded)
    book = tmp_path / "book.csv"
    book.write_text("phone\n" + "".join(f"139{n:08d}\n" for n in range(300)))
    exchange.run("L03", "screen", book, "--out", tmp_path / "hits.csv")
    exchange.run("L03", "list", "check", "--phone", "13700137000")
    (workers, handed), (_, small) = pools
    assert workers == os.cpu_count()
    assert max(handed) == 2
    assert set(small) == {1}


def test_a_book_without_identifiers_says_which_headers_there_are(
    exchange: Parties, tmp_path: Path
) -> None:
    """And how to name the column; named, it is read."""
    book, hits = book_of(tmp_path / "book.csv", exchange.people(2), "ID_NO"), tmp_path / "hits.csv"
    told = exchange.run("L03", "screen", book, "--out", hits, status=2)
    assert "no column holds an identifier" in told
    assert "'ID_NO'" in told
    exchange.run("L03", "screen", book, "--out", hits, "--column", "resident_id=ID_NO")


def test_one_of_a_thing_is_told_as_one(alone: Parties, tmp_path: Path) -> None:
    """In the sentence of a screening and in others."""
    who = alone.someone()
    book = tmp_path / "book.csv"
    book.write_text(f"resident_id\n{who.resident_id}\n")
    told, _ = said(alone, "L03", "screen", book, "--out", tmp_path / "hits.csv")
    assert told.startswith("1 row, 1 identifier, version ")
    assert told.endswith("1 token asked for\n")
    alone.file("L03", who)
    assert "1 live entry\n" in said(alone, "L03", "list", "own", status=1)[0]
    assert [counted(n, "entry", "entries") for n in (0, 1, 1200)] == [
        "0 entries",
        "1 entry",
        "1,200 entries",
    ]
    assert [ago(timedelta(days=n)) for n in (0, 1, 2)] == ["today", "yesterday", "2 days ago"]


def test_hits_are_not_written_into_a_folder_that_is_not_there(
    exchange: Parties, tmp_path: Path
) -> None:
    """It is said before anything leaves, and no folder is made; once it is there, it works."""
    who = exchange.someone()
    book, out = tmp_path / "book.csv", tmp_path / "new" / "folder" / "hits.csv"
    book.write_text(f"resident_id\n{who.resident_id}\n")
    outbox = exchange.lender("L03") / "own" / "outbox.jsonl"
    before = outbox.read_bytes()
    told = exchange.run("L03", "screen", book, "--out", out, status=2)
    assert "there is no such folder; nothing was looked up" in told
    assert "remedy: make it first" in told
    assert not (tmp_path / "new").exists()
    assert outbox.read_bytes() == before
    out.parent.mkdir(parents=True)
    exchange.run("L03", "screen", book, "--out", out)
    assert out.exists()


def test_rows_that_could_not_be_looked_up_are_counted_and_named(
    exchange: Parties, tmp_path: Path
) -> None:
    """An empty cell, a wrong one: lines and number, exit status 1; a whole book says nothing of it
    (control).
    """
    book, hits = tmp_path / "book.csv", tmp_path / "hits.csv"
    good = [one.resident_id for one in exchange.people(2)]
    book.write_text("resident_id,customer_ref\n" + f"{good[0]},C1\n,C2\n{good[1]}1,C3\n,C4\n")
    _, noted = said(exchange, "L01", "screen", book, "--out", hits, status=1)
    assert "warning: 3 rows held no identifier that could be looked up: line 3, 4, 5" in noted
    found = exchange.asked("L01", "screen", book, "--out", hits, status=1)
    assert isinstance(found, dict)
    assert found["rows_not_looked_up"] == {"count": 3, "lines": [3, 4, 5]}
    book.write_text(f"resident_id\n{good[0]}\n")
    whole = exchange.asked("L01", "screen", book, "--out", hits)
    assert isinstance(whole, dict)
    assert whole["rows_not_looked_up"] == {"count": 0, "lines": []}
