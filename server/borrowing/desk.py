"""The borrowing desk itself, without a network: take pages, publish tables, hand them out.

Invariants:
- A page is answered with a receipt only after its transaction is durable; the same page answers
  with the same receipt, another one under its name with a refusal. An event told twice is one.
- A lender contributes under its own code only, and takes back only what it told itself.
- What is out of its term is deleted before anything is published.
- Nothing is published before enough lenders have contributed. A version is durable, rows first,
  before its head can be had; a version is made once.
- It is told subject tokens, never identifiers, and nobody asks it about a subject: all fetch the
  whole table.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import numpy as np
from numpy.typing import NDArray

from server.borrowing.publishing import Published, publish
from server.borrowing.store import Store
from shared.blacklist.events import check_signer, event_digest
from shared.blacklist.receipt import BEGINNING, Receipt, log_head
from shared.borrowing.events import kept
from shared.borrowing.pages import ContributionPage, Rows, read_page
from shared.borrowing.table import TableHead, read_head
from shared.borrowing.terms import LEAST_OF_CLASS, LenderClass
from shared.errors import PeerError
from shared.identity.certificate import Identity

MOST_PAGES = 16
"""In one submission."""
_AHEAD = 1  # days: a lender's own date may be tomorrow's in UTC
_log = logging.getLogger("lianfang.borrowing")


class RefusedError(PeerError):
    """A page that is not taken; `reason`: a short code."""

    def __init__(self, reason: str, what: str, *, remedy: str = "") -> None:
        super().__init__(what, remedy=remedy)
        self.reason = reason


@dataclass(frozen=True)
class Terms:
    """`contributors` lenders at least before anything is told, so that beside whoever reads there
    are as many as an answer needs (`told.py`); a table a day, or, `at_once`, with
    every page; at most `events` are kept of one lender, and `pages` taken a day. `classes`: of
    lenders, by code, in the consortium's word: one that chose its own could make a class large
    enough to be told.
    """

    contributors: int = LEAST_OF_CLASS + 1
    at_once: bool = False
    events: int = 5_000_000
    pages: int = 40_000
    classes: Mapping[str, LenderClass] = field(default_factory=dict)


TERMS = Terms()


class BorrowingDesk:
    """Over an open store. `clock`: the time with a zone; `random`: as `os.urandom`."""

    def __init__(
        self,
        store: Store,
        identity: Identity,
        authority: bytes,
        *,
        clock: Callable[[], datetime],
        random: Callable[[int], bytes],
        terms: Terms = TERMS,
    ) -> None:
        self._store, self._identity, self._authority = store, identity, authority
        self._clock, self._random, self._terms = clock, random, terms
        self._turn = threading.Lock()
        self._changed = True  # since the last version, as far as this process knows
        self._held: dict[int, int] = {}  # events of a member, where known; guarded by transactions
        self._pages: tuple[int, dict[int, int]] = (0, {})  # a day, and pages of each member in it

    @property
    def code(self) -> str:
        """Its code."""
        return self._identity.member.code

    @property
    def certificate(self) -> bytes:
        """Its identity's certificate (DER), under which it signs."""
        return self._identity.member.certificate

    def submit(self, peer: str, texts: Sequence[bytes]) -> list[Receipt | RefusedError]:
        """An answer for each page of the member `peer`, in order. OperatorError: for none."""
        if not 1 <= len(texts) <= MOST_PAGES:
            raise PeerError(f"1 to {MOST_PAGES} pages are submitted at a time")
        try:
            with self._store.transaction() as connection:
                answers = [self._answer(connection, peer, text) for text in texts]
        except BaseException:
            self._held.clear()  # nothing of it stays
            raise
        self._changed = True
        return answers  # only now: the transaction is over

    def tick(self) -> TableHead | None:
        """What time brings: erasure, and the next version if it is due. Pages are taken meanwhile,
        and are in the version after it.
        """
        with self._turn:
            now = self._clock()
            last, begun = self.latest(), self._begun()
            if begun is None:
                return None
            day = max(now.date(), begun if last is None else last.day)
            moved = day > (begun if last is None else last.day)
            if not (moved or (self._terms.at_once and self._changed)):
                return None
            self._changed = False
            erased = self._erase(day.toordinal())
            made = publish(
                self._store,
                self._identity,
                last,
                day=day,
                at=max(int(now.timestamp()), 0 if last is None else last.at),
                contributors=self._terms.contributors,
                classes=self._terms.classes,
                random=self._random,
            )
            if erased or made is not None:
                self._store.clean()
        if made is not None:
            _log.info("version %d: %d rows", made.version, made.rows)
        return made

    def latest(self) -> TableHead | None:
        """The last head; None before the first version."""
        with self._store.transaction() as connection:
            row = connection.execute(
                "SELECT text FROM heads ORDER BY version DESC LIMIT 1"
            ).fetchone()
        return None if row is None else read_head(row[0], self.code, self._authority)

    def heads(self, since: int) -> list[bytes]:
        """Texts of the heads after this version, in order; since 0: only the last."""
        with self._store.transaction() as connection:
            query = "SELECT text FROM heads WHERE version > ? ORDER BY version"
            texts = [text for (text,) in connection.execute(query, (since,))]
        return texts if since else texts[-1:]

    def table(self, version: int) -> NDArray[np.uint8] | None:
        """The rows of the last version as bytes; None when this is not the last one."""
        return self._store.table(version)

    def _begun(self) -> date | None:
        """The day of the first page; None: there is none yet."""
        with self._store.transaction() as connection:
            row = connection.execute("SELECT received FROM pages WHERE seq = 1").fetchone()
        return None if row is None else datetime.fromtimestamp(row[0], UTC).date()

    def _answer(
        self, connection: sqlite3.Connection, peer: str, text: bytes
    ) -> Receipt | RefusedError:
        try:
            page = read_page(text)
            if page.member != peer:
                raise RefusedError("not_yours", "a page is submitted by who signed it")
            if page.registry != self.code:
                raise RefusedError("registry", f"the page is for {page.registry}")
            known = self._known(connection, page)
            return known if known is not None else self._take(connection, page)
        except RefusedError as error:
            return error
        except PeerError as error:
            return RefusedError("malformed", error.what, remedy=error.remedy)

    def _known(self, connection: sqlite3.Connection, page: ContributionPage) -> Receipt | None:
        row = connection.execute(
            "SELECT digest, seq, received, head, receipt FROM pages WHERE page = ?",
            (page.event_id,),
        ).fetchone()
        if row is None:
            return None
        digest, seq, received, head, signature = row
        if digest != event_digest(page):
            raise RefusedError("other_content", "another page was submitted under this name")
        return Receipt(
            registry=self.code,
            event_id=page.event_id,
            digest=digest,
            seq=seq,
            received=received,
            head=head,
            signature=signature,
        )

    def _take(self, connection: sqlite3.Connection, page: ContributionPage) -> Receipt:
        now = self._clock()
        check_signer(page, self._authority, now)
        today, rows = now.date().toordinal(), page.table()
        if (rows["day"] > today + _AHEAD).any():
            raise RefusedError(
                "day", "an event is of a day to come", remedy="check the file, and the clock"
            )
        member = self._member(connection, page)
        self._check_pages(member, today)
        held, before = self._held_of(connection, member), connection.total_changes
        if page.retract:
            _retract(connection, member, rows)
            self._held[member] = held - (connection.total_changes - before)
        else:
            if held + len(rows) > self._terms.events:
                raise RefusedError(
                    "full", f"this desk keeps at most {self._terms.events:,} events of a lender"
                )
            _insert(connection, member, page.epoch, rows)  # what is over goes with the next tick
            self._held[member] = held + (connection.total_changes - before)
        last = connection.execute(
            "SELECT seq, received, head FROM pages ORDER BY seq DESC LIMIT 1"
        ).fetchone()
        seq, received, head = last or (0, 0, BEGINNING)
        digest, received = event_digest(page), max(received, int(now.timestamp()))
        head = log_head(head, seq + 1, received, digest)
        receipt = Receipt(
            registry=self.code,
            event_id=page.event_id,
            digest=digest,
            seq=seq + 1,
            received=received,
            head=head,
        ).signed(self._identity.private)
        connection.execute(
            "INSERT INTO pages VALUES (?, ?, ?, ?, ?, ?, ?)",
            (page.event_id, member, digest, seq + 1, received, head, receipt.signature),
        )
        return receipt

    def _member(self, connection: sqlite3.Connection, page: ContributionPage) -> int:
        """The number of the page's lender, whose secret is that of its last page."""
        if page.member not in self._terms.classes:
            raise RefusedError(
                "class",
                f"this desk has not been told which class of lenders {page.member} is of",
                remedy="ask its operator to name it in [classes] of borrowing.toml",
            )
        connection.execute(
            "INSERT INTO members (code, own) VALUES (?, ?) ON CONFLICT (code) "
            "DO UPDATE SET own = excluded.own",
            (page.member, page.own),
        )
        (number,) = connection.execute(
            "SELECT number FROM members WHERE code = ?", (page.member,)
        ).fetchone()
        return int(number)

    def _held_of(self, connection: sqlite3.Connection, member: int) -> int:
        """How many events of a member are kept; counted once, then kept in step."""
        if member not in self._held:
            query = "SELECT count(*) FROM events WHERE member = ?"
            (self._held[member],) = connection.execute(query, (member,)).fetchone()
        return self._held[member]

    def _check_pages(self, member: int, today: int) -> None:
        """One page more of a member today; each is kept for good, whatever is on it."""
        if self._pages[0] != today:
            self._pages = today, {}
        number = self._pages[1].get(member, 0) + 1
        if number > self._terms.pages:
            raise RefusedError(
                "many", f"this desk takes at most {self._terms.pages:,} pages of a lender a day"
            )
        self._pages[1][member] = number

    def _erase(self, today: int) -> int:
        """Delete what is out of its term; how many events."""
        with self._store.transaction() as connection:
            published = Published.read(connection, self._terms.classes)
            over = published.rows[~kept(published.events, today)]
            _delete(connection, over["member"], over)
            self._held.clear()
        if len(over):
            _log.info("%d events are out of their term and were erased", len(over))
        return len(over)


def _insert(connection: sqlite3.Connection, member: int, epoch: int, rows: Rows) -> None:
    connection.executemany(
        "INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (
                row["subject"].tobytes(),
                member,
                row["reference"].tobytes(),
                *(int(row[name]) for name in ("kind", "day", "id_kind", "bits", "band")),
                epoch,
            )
            for row in rows
        ),
    )


def _retract(connection: sqlite3.Connection, member: int, rows: Rows) -> None:
    _delete(connection, np.full(len(rows), member), rows)


def _delete(connection: sqlite3.Connection, members: NDArray[np.int64], rows: Rows) -> None:
    connection.executemany(
        "DELETE FROM events WHERE subject = ? AND member = ? AND reference = ? AND kind = ?",
        (
            (row["subject"].tobytes(), int(member), row["reference"].tobytes(), int(row["kind"]))
            for member, row in zip(members, rows, strict=True)
        ),
    )
