"""What commands of the list are given, and what they print."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

from client.cli import main
from server.demo.identities import Person
from tests.exchange_parties import Parties


def check(exchange: Parties, code: str, who: Person, status: int) -> dict[str, object]:
    words = ("list", "check", "--resident-id", who.resident_id)
    found = exchange.asked(code, *words, status=status)
    assert isinstance(found, dict)
    return found


def live(exchange: Parties, code: str) -> list[dict[str, object]]:
    """A lender's own entries, whatever they wait for."""
    assert exchange.capture is not None
    main(["list", "own", "--json", "--folder", str(exchange.lender(code))])
    found = json.loads(exchange.capture.readouterr().out)
    assert isinstance(found, list)
    return found


def book_of(path: Path, people: Sequence[Person], header: str = "resident_id") -> Path:
    lines = [f"客户号,{header}", *(f"D{n},{who.resident_id}" for n, who in enumerate(people))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def said(exchange: Parties, code: str, *words: object, status: int = 0) -> tuple[str, str]:
    """Standard output and standard error."""
    assert exchange.capture is not None
    got = main([*map(str, words), "--folder", str(exchange.lender(code))])
    printed = exchange.capture.readouterr()
    assert got == status, printed.out + printed.err
    return printed.out, printed.err


def cases(path: Path, *rows: tuple[str, ...]) -> Path:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    path.write_text(text.getvalue(), encoding="utf-8")
    return path
