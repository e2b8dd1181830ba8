"""Three lenders in a case, with key holders, a registry and a case desk on loopback.

Six people of a ring share devices, cards, a telephone and a guarantor, each seen by two lenders;
others have things of their own, and now and then a telephone of two.
"""

from __future__ import annotations

import csv
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from server.actor import write_actor
from server.cases.service import Serving, serve
from server.demo.identities import Person, people
from shared.cases.case import Case
from shared.rings.kinds import Kind
from tests.exchange_parties import Parties, open_epoch, parties
from tests.server.keyholder.key_holders import AUTHORITY, NOW

LENDERS = ("L01", "L02", "L03")
EVERYBODY: list[Person] = people(70, seed=11)
RING, HONEST = EVERYBODY[:6], EVERYBODY[6:66]
ALONE = EVERYBODY[66]
"""Whom L01 alone saw with a device of the ring, once; a customer of L03's, too."""
HEADER = ("subject", "attribute_kind", "attribute", "date", "amount", "customer_ref")
_TODAY = datetime.now(UTC).date()
FIRST = _TODAY - timedelta(days=_TODAY.weekday() + 21)
"""A Monday: three weeks of the case are over."""
Row = tuple[str, str, str, str, str, str]


def device(name: str) -> str:
    return "oaid:" + sha256(name.encode()).hexdigest()[:32]


def phone(number: int) -> str:
    return f"139{sha256(f'{number}'.encode()).digest().hex().translate(_DIGITS)[:8]}"


_DIGITS = str.maketrans("abcdef", "012345")


def card(number: int) -> str:
    return f"62220200{number:04d}1234"


def ref(person: Person) -> str:
    """What lenders call a customer."""
    return f"A-{EVERYBODY.index(person):04d}"


def row(person: Person, kind: str, what: str, week: int = 0, amount: str = "") -> Row:
    day = FIRST + timedelta(weeks=week, days=2)
    return person.resident_id, kind, what, day.isoformat(), amount, ref(person)


def books() -> dict[str, list[Row]]:
    """What each lender has seen."""
    seen: dict[str, list[Row]] = {code: [] for code in LENDERS}
    for number, person in enumerate(RING):
        for code in (LENDERS[number % 3], LENDERS[(number + 1) % 3]):
            seen[code] += [
                row(person, "device", device(f"ring {number // 3}")),
                row(person, "bank_card", card(number % 2)),
                row(person, "phone", phone(number // 2 % 2)),
                row(person, "guarantor", phone(99)),
            ]
    for number, person in enumerate(HONEST):
        code = LENDERS[number % 3]
        seen[code] += [
            row(person, "device", device(f"own {number}")),
            row(person, "emergency_contact", phone(1000 + number // 2)),
        ]
    seen["L01"].append(row(ALONE, "device", device("ring 0")))
    seen["L03"].append(row(ALONE, "device", device("its own")))
    return seen


def write_rows(path: Path, rows: Sequence[Sequence[str]], header: Sequence[str] = HEADER) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path


@dataclass
class Rings:
    """`folder` holds each lender's edges as <code>.csv."""

    parties: Parties
    desk: Serving
    case: Case

    def edges(self, code: str) -> Path:
        return self.parties.folder / f"{code}.csv"

    def run(self, code: str, *words: object, status: int = 0) -> str:
        return self.parties.run(code, "ring", *_at_once(words), status=status)

    def asked(self, code: str, *words: object, status: int = 0) -> object:
        return self.parties.asked(code, "ring", *_at_once(words), status=status)

    @contextmanager
    def kept_only(self, code: str, edges: Path) -> Iterator[None]:
        """A file is kept here and nothing of it has left; it is taken back at the end."""
        settings = self.parties.lender(code) / "exchange.toml"
        text = settings.read_text()
        settings.write_text(text.replace(f":{self.desk.port}", ":1"))
        try:
            self.run(code, "contribute", edges, "--case", "spring", status=2)
            yield
        finally:
            self.run(code, "retract", edges, "--case", "spring", "--yes")
            settings.write_text(text)

    def week(self, first: bool = False) -> None:
        """Everybody counts, then sends edges; the desk publishes; everybody fetches it."""
        for code in LENDERS:
            given = [self.edges(code)] if first else []
            self.asked(code, "contribute", *given, "--case", "spring")
        self.desk.desk.tick()
        for code in LENDERS:
            self.asked(code, "contribute", "--case", "spring")
        self.desk.desk.tick()
        for code in LENDERS:
            self.asked(code, "sync")


def _at_once(words: Sequence[object]) -> Sequence[object]:
    """Pages leave now, not at a drawn moment."""
    return (*words, "--now") if words[0] == "contribute" else words


@contextmanager
def ring_parties(folder: Path) -> Iterator[Rings]:
    """Everything started, the case is open, nobody has contributed."""
    with parties(folder) as found:
        place = folder / "D1"
        write_actor(place, AUTHORITY, "D1", "desk", days=300, now=NOW, random=secrets.token_bytes)
        (place / "cases.toml").write_text('profile = "demo"\ncount_hours = 0\nedge_hours = 0\n')
        desk = serve(place, "127.0.0.1:0", tick_seconds=3600)
        try:
            signed = desk.desk.open("spring", FIRST, 8, [*map(int, Kind)], 1, pages=(1, 1))
            for code in LENDERS:
                settings = found.lender(code) / "exchange.toml"
                section = f'[cases]\ncode = "D1"\naddress = "127.0.0.1:{desk.port}"\n'
                settings.write_text(settings.read_text() + section)
                write_rows(folder / f"{code}.csv", books()[code])
            yield Rings(found, desk, signed.case)
        finally:
            desk.stop()


def ready(rings: Rings) -> None:
    """The key epoch is open, and the first week is done."""
    open_epoch(rings.parties)
    rings.week(first=True)


def the_ring(rings: Rings, code: str = "L01") -> str:
    (found,) = rings.asked(code, "own", status=1)
    return str(found["ring"])


def left(rings: Rings, code: str) -> int:
    """Bytes of the journal of everything that left."""
    return (rings.parties.lender(code) / "own" / "outbox.jsonl").stat().st_size
