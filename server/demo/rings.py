"""A made-up case: what three lenders observed in a week, and the commands that find its ring.

Invariants:
- Together the observations show one ring of six, also without any one lender's: so it rests on no
  lender's word. Each lender's own show none: at each, only one thing is shared. A family of four
  shares a home and more, and is none.
- Nothing is pretended: the case's first week is the last whole week, so it is over; a stage takes
  no hours here, so it ends with the pages of the third lender.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path

from server.commands.serving import now
from server.demo.identities import Person, people
from server.demo.trying import Try

DESK, CASE, EDGES = "D1", "spring", "edges.csv"
SETTINGS = 'profile = "demo"\ncount_hours = 0\nedge_hours = 0\n'
_WEEKS, _PAGES = 26, (1, 1)
_COLUMNS = ("subject", "attribute_kind", "attribute", "date", "customer_ref")
_HOME, _NETWORK = "上海市浦东新区虚构路12号3栋1201室", "3c:84:6a:12:90:ef"
_GIVEN, _RING, _FAMILY, _OTHERS = 100, 6, 4, 36
"""The first `_GIVEN` made-up people are kept for the shared list."""


def first_monday() -> date:
    """Of the last week that is over."""
    today = now().date()
    return today - timedelta(days=today.weekday() + 7)


def subjects(seed: int) -> tuple[list[Person], list[Person], list[Person]]:
    """Whom lenders observe: a ring, a family, others."""
    folk = people(_GIVEN + _RING + _FAMILY + _OTHERS, seed)[_GIVEN:]
    return folk[:_RING], folk[_RING : _RING + _FAMILY], folk[_RING + _FAMILY :]


def observations(seed: int, lenders: Sequence[str]) -> dict[str, list[tuple[str, ...]]]:
    """Rows of each of three lenders, in `_COLUMNS`."""
    rows: dict[str, list[tuple[str, ...]]] = {code: [] for code in lenders}
    ring, family, others = subjects(seed)
    nowhere_else = people(_GIVEN, seed)[-3:]
    phone, guarantor, relative = (one.phone for one in nowhere_else)

    def seen(who: int, code: str, *things: tuple[str, str]) -> None:
        person, day = (*ring, *family, *others)[who], first_monday() + timedelta(days=who % 7)
        rows[code] += [(person.resident_id, *one, f"{day}", f"A-{who:04}") for one in things]

    device = ("device", _device(seed, "ring"))
    shared = (device, ("phone", phone), ("guarantor", guarantor))
    for at in range(len(ring)):
        for code, thing in zip(lenders, shared, strict=True):
            seen(at, code, thing)
    for at in range(len(family)):
        contact = ("emergency_contact", relative)
        home = (("addr_unit", _HOME), ("wifi", _NETWORK), contact)
        seen(len(ring) + at, lenders[at % 3], *home)
    for at in range(len(others)):
        own = ("device", _device(seed, f"{at}"))
        contact = ("emergency_contact", others[at - at % 2].phone)  # of every two
        seen(len(ring) + len(family) + at, lenders[at % 3], own, contact)
    return rows


def _device(seed: int, name: str) -> str:
    return "oaid:" + sha256(f"{seed}/{name}".encode()).hexdigest()[:32]


def write_observations(folder: Path, seed: int, lenders: Sequence[str]) -> None:
    """`edges.csv` into every lender's folder."""
    for code, rows in observations(seed, lenders).items():
        with (folder / code / EDGES).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([_COLUMNS, *rows])


def open_case(folder: Path, epoch: int) -> None:
    """At the desk, which serves already."""
    from server.cases.service import desk_in
    from shared.rings.kinds import Kind

    desk, store, _ = desk_in(folder / DESK)
    try:
        desk.open(CASE, first_monday(), _WEEKS, list(map(int, Kind)), epoch, pages=_PAGES)
    finally:
        store.close()


def ring_tries(folder: Path, seed: int, lenders: Sequence[str]) -> list[Try]:
    """A week at the desk, then what the last lender sees of it."""
    case, last = ("--case", CASE), ("--folder", str(folder / lenders[-1]))
    ring, family, _ = subjects(seed)
    first = (
        "count: with whom else is what I observed? No identifier leaves, only tokens of this case"
    )
    then = "edges, now that the count is closed: only of what two people share"

    def contribute(code: str, shows: str, *edges: str) -> Try:
        words = ("ring", "contribute", *edges, *case, "--now", "--folder", str(folder / code))
        return Try(f"{code}, {shows}", words, 0)

    return [
        *(contribute(code, first, str(folder / code / EDGES)) for code in lenders),
        *(contribute(code, then) for code in lenders),
        Try("fetch and verify the desk's bulletin", ("ring", "sync", *last), 0),
        Try(
            f"{lenders[-1]}'s own customers in a ring that no lender sees alone",
            ("ring", "own", *last),
            1,
        ),
        Try(
            "an applicant of the ring; asks nobody",
            ("ring", "check", "--resident-id", ring[1].resident_id, *last),
            1,
        ),
        Try(
            "one of a family with one home, network and contact: no ring",
            ("ring", "check", "--resident-id", family[2].resident_id, *last),
            0,
        ),
        Try(
            "the ring as a page for an investigator; open it in a browser",
            (
                *("ring", "show", "--resident-id", ring[1].resident_id),
                *("--html", str(folder / "ring.html"), *last),
            ),
            1,
        ),
    ]
