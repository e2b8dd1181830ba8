"""What this lender submits to the registry: kept before it leaves, until it is answered.

Invariants:
- An event is on the disk before it is sent for the first time. After a crash the very same bytes
  are sent again; its `event_id` makes the registry take it once.
- An answer is kept before its event counts as settled; a receipt is never thrown away.
- Events leave in the order in which they were kept.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from shared.blacklist.events import Event
from shared.errors import OperatorError
from shared.secure_sum.encoding import text_of

_TABLE = """create table if not exists submissions (
    number integer primary key autoincrement, event_id blob not null unique,
    event blob not null, receipt blob, refusal text, remedy text not null default '')"""
_REMEDY = "alter table submissions add column remedy text not null default ''"


@dataclass(frozen=True)
class Settled:
    """How an event was answered: `receipt`, its text, or `refusal`, the registry's reason code and
    sentence; `remedy`: what the registry says to do about it, perhaps nothing.
    """

    event_id: bytes
    receipt: bytes | None
    refusal: str | None
    remedy: str = ""


class Submissions:
    """The journal in `path` (SQLite). OperatorError when the disk does not do its part."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._told():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._database = sqlite3.connect(path, timeout=30, isolation_level=None)
            self._database.execute("pragma journal_mode=wal").fetchall()
            self._database.execute("pragma synchronous=full")
            self._database.execute(_TABLE)
            columns = self._database.execute("pragma table_info(submissions)").fetchall()
            if "remedy" not in {column[1] for column in columns}:  # written by an earlier release
                self._database.execute(_REMEDY)

    def keep(self, events: Sequence[Event]) -> None:
        """All of them, durably, or none."""
        rows = [(event.event_id, text_of(event)) for event in events]
        with self._told(), self._transaction():
            self._database.executemany(
                "insert into submissions (event_id, event) values (?, ?)", rows
            )

    def pending(self) -> Iterator[tuple[bytes, bytes]]:
        """Names and texts of events without an answer, in order."""
        with self._told():
            rows = self._database.execute(
                "select event_id, event from submissions "
                "where receipt is null and refusal is null order by number"
            ).fetchall()
        yield from rows

    def not_refused(self) -> Iterator[bytes]:
        """Texts of all events but those that were refused, in order."""
        with self._told():
            query = "select event from submissions where refusal is null order by number"
            for (text,) in self._database.execute(query):
                yield bytes(text)

    def settle(self, answers: Sequence[Settled]) -> None:
        """Keep the registry's answers, durably."""
        rows = [(one.receipt, one.refusal, one.remedy, one.event_id) for one in answers]
        with self._told(), self._transaction():
            self._database.executemany(
                "update submissions set receipt = ?, refusal = ?, remedy = ? where event_id = ?",
                rows,
            )

    def answer(self, event_id: bytes) -> Settled | None:
        """How an event was answered; None: not yet, or it was never kept."""
        with self._told():
            row = self._database.execute(
                "select event_id, receipt, refusal, remedy from submissions where event_id = ? "
                "and (receipt is not null or refusal is not null)",
                (event_id,),
            ).fetchone()
        return None if row is None else Settled(*row)

    def receipt_before(self, event_id: bytes) -> bytes | None:
        """The last receipt of an event that was kept before this one."""
        with self._told():
            row = self._database.execute(
                "select receipt from submissions where receipt is not null and number < "
                "(select number from submissions where event_id = ?) order by number desc limit 1",
                (event_id,),
            ).fetchone()
        return None if row is None else bytes(row[0])

    def event(self, event_id: bytes) -> bytes | None:
        """The text of an event that was kept."""
        with self._told():
            row = self._database.execute(
                "select event from submissions where event_id = ?", (event_id,)
            ).fetchone()
        return None if row is None else bytes(row[0])

    def close(self) -> None:
        """Let the file go."""
        self._database.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("begin immediate")
        try:
            yield
            self._database.execute("commit")
        except BaseException:
            if self._database.in_transaction:
                self._database.execute("rollback")
            raise

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            kind = getattr(error, "sqlite_errorname", None) or type(error).__name__
            raise OperatorError(
                f"{self._path}: submissions cannot be kept ({kind}); nothing was sent",
                remedy="free space or mend the disk; what leaves must be on it first",
            ) from error
