"""The whole exchange on loopback in this process: key holders, a registry, lenders' folders."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import pytest

from client.cli import main
from server.actor import write_actor
from server.demo.identities import Person, people
from server.keyholder.ceremony import Relay
from server.keyholder.service import Serving as Holder
from server.registry.publishing import AT_ONCE
from server.registry.service import Serving, serve
from tests.server.keyholder.key_holders import AUTHORITY, CONTEXT, NOW, served

MAKER, CHECKER = "Li Na", "Wang Wei"
TWO = ("--operator", MAKER, "--checker", CHECKER)
TERMS = (
    *("--reason", "F101", "--confidence", "confirmed", "--event-date", "2026-01-05"),
    *("--product", "consumer", "--outcome", "refused", "--notice", "exempt:court_order"),
)
_EVERYBODY: list[Person] = people(400, seed=7)
PEOPLE: list[Person] = _EVERYBODY[:40]
"""Whom a test may name by number; nobody of them comes from `Parties.people`."""


@dataclass
class Parties:
    """`folder` holds a folder for each lender: L01, L02, L03."""

    folder: Path
    holders: dict[str, Holder]
    relay: Relay
    registry: Serving
    capture: pytest.CaptureFixture[str] | None = None
    unknown: Iterator[Person] = field(default_factory=lambda: iter(_EVERYBODY[len(PEOPLE) :]))

    def people(self, count: int) -> list[Person]:
        """Of whom nobody here has heard: tests that share the parties need not agree on whom."""
        return list(islice(self.unknown, count))

    def someone(self) -> Person:
        """One of them."""
        return next(self.unknown)

    def lender(self, code: str) -> Path:
        return self.folder / code

    def run(self, code: str, *words: object, status: int = 0) -> str:
        """What a lender's command prints; its exit status must be as said."""
        assert self.capture is not None
        got = main([*map(str, words), "--folder", str(self.lender(code))])
        printed = self.capture.readouterr()
        assert got == status, printed.out + printed.err
        return printed.out if status != 2 else printed.err

    def asked(self, code: str, *words: object, status: int = 0) -> object:
        """The same as JSON."""
        return json.loads(self.run(code, *words, "--json", status=status))

    def synced(self, code: str, rows: int = 0) -> None:
        """Sync when so many rows are published."""
        self.registry.registry.tick()
        assert self.capture is not None
        words = ["list", "sync", "--json", "--folder", str(self.lender(code))]
        status = main(words)  # 1: hits of before are others now
        printed = self.capture.readouterr()
        assert status in (0, 1), printed.out + printed.err
        assert json.loads(printed.out)["rows"] >= rows

    def file(self, code: str, person: Person, *more: object, status: int = 0) -> str:
        """List one person; the entry's name."""
        evidence = f"forged_document={self.folder / 'case.txt'}"
        words = ("--resident-id", person.resident_id, "--operator", MAKER, "--evidence", evidence)
        filed = self.asked(code, "list", "file", *words, *TERMS, *more, status=status)
        assert isinstance(filed, list)
        return str(filed[0]["entry"])

    def listed(self, code: str, person: Person, *more: object) -> str:
        """List one person, approved."""
        entry = self.file(code, person, *more)
        self.run(code, "list", "approve", entry, "--operator", CHECKER)
        return entry


@contextmanager
def parties(folder: Path) -> Iterator[Parties]:
    """Everything started; the first key is made, its epoch not opened yet."""
    (folder / "case.txt").write_text("what a case file would hold")
    with served(folder, profile="demo") as (holders, relay):
        write_actor(
            folder / "R1", AUTHORITY, "R1", "registry", days=300, now=NOW,
            random=secrets.token_bytes,
        )  # fmt: skip
        registry = serve(
            folder / "R1", "127.0.0.1:0", profile="demo", batches=AT_ONCE, tick_seconds=3600
        )
        try:
            relay.generate()
            for code in ("L01", "L02", "L03"):
                enrol(folder / code, code, holders, registry.port)
            yield Parties(folder, holders, relay, registry)
        finally:
            registry.stop()


def enrol(folder: Path, code: str, holders: dict[str, Holder], registry: int) -> None:
    """A lender's folder."""
    random = secrets.token_bytes
    write_actor(folder, AUTHORITY, code, "lender", days=300, now=NOW, random=random)
    lines = [f'{one} = "127.0.0.1:{holder.port}"\n' for one, holder in holders.items()]
    (folder / "exchange.toml").write_text(
        f'[exchange]\nmember = "{code}"\ncontext = "{CONTEXT}"\n[registry]\ncode = "R1"\n'
        f'address = "127.0.0.1:{registry}"\n[holders]\n' + "".join(lines)
    )


def open_epoch(found: Parties) -> None:
    """The epoch is proposed by L01, L02 consents; all of them know it."""
    opened = found.asked("L01", "list", "open-epoch", *TWO)
    assert isinstance(opened, dict)
    found.run("L02", "list", "consent", opened["events"][0], *TWO)
    for code in ("L01", "L02", "L03"):
        found.synced(code)
