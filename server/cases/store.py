"""The desk's one file, `cases.sqlite`: cases, lenders' pages as they came, bulletins as they left.

Invariants:
- Durable, its owner's only, deleted for good: as every `DurableFile`.
- Pages are kept as they were signed, but for rows that were taken back, and read with the digests
  of what they hold; counts and graphs are made of them anew each time, so nothing can be counted
  twice, and a page that was changed on disk is found.
- A case goes on from where it was seen to stand, or not at all: two processes take no step twice.
- A damaged file is never served from.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from server.durable import DurableFile
from shared.cases.bulletin import Head
from shared.cases.case import MOST_CASES, Case, SignedCase
from shared.cases.pages import Stage
from shared.errors import OperatorError, PeerError
from shared.secure_sum.encoding import read_text, text_of

FILE = "cases.sqlite"
VERSION = 2
FORGOTTEN = "forgotten"
"""The stage of a case of which only the heads are left."""
KEPT_CONTENTS = 2
"""Bulletins whose content is kept: whoever is reading the last but one may finish."""
_TABLES = """
CREATE TABLE cases (
    id BLOB PRIMARY KEY, text BLOB NOT NULL, week INTEGER NOT NULL, stage TEXT NOT NULL,
    since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE pages (
    id BLOB NOT NULL, stage TEXT NOT NULL, week INTEGER NOT NULL, member TEXT NOT NULL,
    number INTEGER NOT NULL, digest BLOB NOT NULL, received INTEGER NOT NULL, text BLOB NOT NULL,
    held BLOB NOT NULL,
    PRIMARY KEY (id, stage, week, member, number)
) STRICT;
CREATE TABLE bulletins (
    id BLOB NOT NULL, version INTEGER NOT NULL, head BLOB NOT NULL, content BLOB,
    PRIMARY KEY (id, version)
) STRICT;
CREATE TABLE rings (
    id BLOB NOT NULL, ring BLOB NOT NULL, members BLOB NOT NULL, PRIMARY KEY (id, ring)
) STRICT, WITHOUT ROWID;
"""


class DamagedError(OperatorError):
    """The file does not hold what was written: nothing is served from it."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(
            f"{path} is damaged: {what}",
            remedy="keep this copy and restore the latest backup; lenders send again what it lacks",
        )


@dataclass(frozen=True)
class Kept:
    """A case where it stands. `stage`: count, edges, finding, over or closed; `since`: when that
    stage began, in seconds since 1970.
    """

    signed: SignedCase
    week: int
    stage: str
    since: int

    @property
    def case(self) -> Case:
        """The case itself."""
        return self.signed.case


@dataclass(frozen=True)
class KeptPage:
    """A page as it came; `digest`: what it had then."""

    member: str
    digest: bytes
    received: int
    text: bytes


@dataclass(frozen=True)
class Rewritten:
    """What the page at a place holds instead, as something of it was taken back."""

    member: str
    week: int
    number: int
    text: bytes


class Store(DurableFile):
    """The open file in a desk's folder. OperatorError when it cannot be used."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / FILE, _TABLES, VERSION)

    def cases(self) -> list[Kept]:
        """All cases, by name."""
        rows = self._rows("SELECT text, week, stage, since FROM cases")
        try:
            kept = [Kept(read_text(SignedCase, text), *rest) for text, *rest in rows]
        except PeerError as error:
            raise DamagedError(self.path, "a case cannot be read") from error
        return sorted(kept, key=lambda one: (one.case.name, one.case.id))

    def add_case(self, signed: SignedCase, since: int) -> None:
        """A new case, at the count of its first week. OperatorError for one more than lenders read:
        they would refuse all of them.
        """
        with self.transaction() as run:
            query = "SELECT count(*) FROM cases WHERE stage <> ?"
            if run.execute(query, (FORGOTTEN,)).fetchone()[0] >= MOST_CASES:
                raise OperatorError(
                    f"there are {MOST_CASES} cases; no other was opened",
                    remedy="wait until one that is over is forgotten (keep_weeks in cases.toml)",
                )
            row = (signed.case.id, text_of(signed), 0, "count", since)
            run.execute("INSERT INTO cases VALUES (?, ?, ?, ?, ?)", row)

    def move(self, kept: Kept, stage: str, since: int, rewritten: Sequence[Rewritten] = ()) -> bool:
        """The case is in another stage from now on, and pages hold something else; False, and
        nothing of it: it does not stand where `kept` says any more.
        """
        case = kept.case.id
        with self.transaction() as run:
            if not _stands(run, kept):
                return False
            _rewrite(run, kept, rewritten)
            _move(run, case, kept.week, stage, since)
        if rewritten:
            self.clean()
        return True

    def page(
        self, case: bytes, stage: Stage, week: int, member: str, number: int
    ) -> KeptPage | None:
        """The page at a place."""
        where = (case, stage, week, member, number)
        rows = self._rows(
            "SELECT member, digest, received, text FROM pages WHERE id = ? AND stage = ?"
            " AND week = ? AND member = ? AND number = ?",
            where,
        )
        return next((KeptPage(*row) for row in rows), None)

    def add_page(self, kept: Kept, stage: Stage, number: int, page: KeptPage) -> bool:
        """Keep a page while the case stands where `kept` says; False: it has gone on."""
        with self.transaction() as run:
            if not _stands(run, kept):
                return False
            row = (kept.case.id, stage, kept.week, page.member, number)
            held = sha256(page.text).digest()
            values = (*row, page.digest, page.received, page.text, held)
            run.execute("INSERT INTO pages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
        return True

    def contributors(self, case: bytes, stage: Stage, week: int, pages: int) -> int:
        """How many lenders have sent all their pages of a week."""
        query = (
            "SELECT count(*) FROM (SELECT member FROM pages WHERE id = ? AND stage = ? AND week = ?"
            " GROUP BY member HAVING count(*) = ?)"
        )
        ((found,),) = self._rows(query, (case, stage, week, pages))
        return int(found)

    def members(self, case: bytes, stage: Stage, week: int) -> list[str]:
        """Lenders that sent a page of a week."""
        query = (
            "SELECT DISTINCT member FROM pages WHERE id = ? AND stage = ? AND week = ?"
            " ORDER BY member"
        )
        return [member for (member,) in self._rows(query, (case, stage, week))]

    def pages(
        self, case: bytes, stage: Stage, until: int, member: str | None = None
    ) -> Iterator[KeptPage]:
        """All pages of weeks up to `until`, of one member or of all; DamagedError."""
        query = "SELECT rowid FROM pages WHERE id = ? AND stage = ? AND week <= ?"
        ask: tuple[object, ...] = (case, stage, until)
        if member is not None:
            query, ask = f"{query} AND member = ?", (*ask, member)
        for (row,) in self._rows(f"{query} ORDER BY member, week, number", ask):
            get = "SELECT member, digest, received, text, held FROM pages WHERE rowid = ?"
            for *found, held in self._rows(get, (row,)):
                page = KeptPage(*found)
                if sha256(page.text).digest() != held:
                    raise DamagedError(self.path, "a page is not the one that was taken")
                yield page

    def heads(self, case: bytes, since: int) -> list[Head]:
        """Heads of all bulletins after a version; DamagedError."""
        query = "SELECT head FROM bulletins WHERE id = ? AND version > ? ORDER BY version"
        try:
            return [read_text(Head, head) for (head,) in self._rows(query, (case, since))]
        except PeerError as error:
            raise DamagedError(self.path, "a bulletin's head cannot be read") from error

    def content(self, head: Head, case: bytes) -> bytes | None:
        """What a head signs, if it is still kept; DamagedError."""
        query = "SELECT content FROM bulletins WHERE id = ? AND version = ?"
        found = [content for (content,) in self._rows(query, (case, head.version))]
        if len(found) != 1 or (found[0] is not None and _other(found[0], head)):
            raise DamagedError(self.path, "a bulletin is not the one that was signed")
        return None if found[0] is None else bytes(found[0])

    def rings(self, case: bytes) -> dict[bytes, frozenset[bytes]]:
        """The rings of the last bulletin, and their members' tokens."""
        rows = self._rows("SELECT ring, members FROM rings WHERE id = ?", (case,))
        return {
            ring: frozenset(members[at : at + 32] for at in range(0, len(members), 32))
            for ring, members in rows
        }

    def publish(
        self,
        kept: Kept,
        head: Head,
        content: bytes,
        rings: dict[bytes, frozenset[bytes]],
        after: tuple[int, str, int],
        rewritten: Sequence[Rewritten] = (),
    ) -> bool:
        """A bulletin, and where the case stands after it (week, stage, since); pages of a stage
        that was still open are deleted. False, and nothing of it: it does not stand where `kept`
        says any more.
        """
        case = kept.case.id
        with self.transaction() as run:
            if not _stands(run, kept):
                return False
            row = (case, head.version, text_of(head), content)
            run.execute("INSERT INTO bulletins VALUES (?, ?, ?, ?)", row)
            forget = "UPDATE bulletins SET content = NULL WHERE id = ? AND version <= ?"
            run.execute(forget, (case, head.version - KEPT_CONTENTS))
            run.execute("DELETE FROM rings WHERE id = ?", (case,))
            rows = [(case, ring, b"".join(sorted(who))) for ring, who in rings.items()]
            run.executemany("INSERT INTO rings VALUES (?, ?, ?)", rows)
            if kept.stage != "finding":
                _rewrite(run, kept, rewritten)
                unfinished = "DELETE FROM pages WHERE id = ? AND week = ?"
                run.execute(unfinished, (case, kept.week))
            _move(run, case, *after)
        if kept.stage != "finding":
            self.clean()
        return True

    def forget(self, case: bytes) -> None:
        """Delete all that lenders sent for a case, and its bulletins' content; heads stay."""
        with self.transaction() as run:
            for table in ("pages", "rings"):
                run.execute(f"DELETE FROM {table} WHERE id = ?", (case,))  # noqa: S608
            run.execute("UPDATE bulletins SET content = NULL WHERE id = ?", (case,))
            run.execute("UPDATE cases SET stage = ? WHERE id = ?", (FORGOTTEN, case))
        self.clean()


def _other(content: bytes, head: Head) -> bool:
    return sha256(content).digest() != head.content


def _stands(run: sqlite3.Connection, kept: Kept) -> bool:
    here = (kept.case.id, kept.week, kept.stage)
    query = "SELECT 1 FROM cases WHERE id = ? AND week = ? AND stage = ?"
    return run.execute(query, here).fetchone() is not None


def _rewrite(run: sqlite3.Connection, kept: Kept, pages: Sequence[Rewritten]) -> None:
    query = (
        "UPDATE pages SET text = ?, held = ? WHERE id = ? AND stage = ? AND week = ?"
        " AND member = ? AND number = ?"
    )
    for page in pages:
        place = (kept.case.id, kept.stage, page.week, page.member, page.number)
        run.execute(query, (page.text, sha256(page.text).digest(), *place))


def _move(run: sqlite3.Connection, case: bytes, week: int, stage: str, since: int) -> None:
    query = "UPDATE cases SET week = ?, stage = ?, since = ? WHERE id = ?"
    run.execute(query, (week, stage, since, case))
