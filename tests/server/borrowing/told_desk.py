"""Lenders that have told a borrowing desk of people, and what lies in its folder then."""

from __future__ import annotations

from typing import Any

from server.demo.identities import people
from tests.borrowing_members import Borrowers, applied

PEOPLE = people(60, seed=11)


def told(made: Borrowers, people_of: Any = lambda code: PEOPLE[:3]) -> None:
    """Everybody tells of some people."""
    for code, lender in made.lenders.items():
        lender.contribute(
            [applied(one, made.day(1), f"A{at}") for at, one in enumerate(people_of(code))]
        )


def rows_of(made: Borrowers) -> list[tuple[Any, ...]]:
    """Events as they lie in the desk's file."""
    with made.desk.store.transaction() as connection:
        return connection.execute("SELECT * FROM events").fetchall()


def files_of(made: Borrowers) -> bytes:
    """All bytes that whoever takes the desk's folder has, its write-ahead log included."""
    return b"".join(path.read_bytes() for path in sorted(made.desk.folder.glob("*")))
