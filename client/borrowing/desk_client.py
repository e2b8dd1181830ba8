"""A lender's end of the borrowing desk: pages go there, tables come from there.

    submit   keep on disk ► send (again and again, the same bytes) ► keep the receipt
    sync     heads since our own, each following the one before ► the last one's rows ► check ► keep

Invariants:
- A table is taken only if the desk signed its head, and that follows from the last one known here.
  A fork changes nothing and leaves both signed heads as evidence.
- The whole table is asked for, by its version: no call says anything about a subject.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from client.borrowing.table import OwnTable
from client.exchange.parties import Progress, no_progress
from client.exchange.reaching import OvertakenError
from client.exchange.sending import PATIENCE, Sender
from client.exchange.submissions import Submissions
from shared.blacklist.checkpoint import ForkError, check_follows, check_signer
from shared.borrowing.pages import read_page
from shared.borrowing.rows import ROW_BYTES
from shared.borrowing.table import TableHead, read_head
from shared.errors import InternalError, OperatorError, PeerError
from shared.wire import borrowing_pb2 as wire

STALE = timedelta(days=3)
MOST_ROWS = 20_000_000
MOST_HEADS, MOST_HEAD_BYTES = 10_000, 16 << 10
"""In one answer: those of 27 years, one a day."""
_TRIES = 3


@dataclass(frozen=True)
class Fetched:
    """`new`: a version that was not known here; `stale`: the desk published nothing for days."""

    head: TableHead
    new: bool
    stale: bool


class DeskClient(Sender):
    """Over the `stub` of the desk with the code `desk`. The rest as `Sender`."""

    def __init__(
        self,
        stub: Any,
        desk: str,
        authority: bytes,
        submissions: Submissions,
        table: OwnTable,
        *,
        clock: Callable[[], datetime],
        sleep: Callable[[float], None] = time.sleep,
        attempts: int = 6,
    ) -> None:
        super().__init__(
            stub,
            desk,
            authority,
            submissions,
            clock=clock,
            sleep=sleep,
            attempts=attempts,
            role="desk",
            who="the borrowing desk",
            read=read_page,
        )
        self._table = table

    def sync(self, progress: Progress = no_progress) -> Fetched:
        """Take the desk's latest table over; `progress`: of its rows.

        ForkError: the desk contradicts itself; evidence is kept. PeerError: what came is not what
        was signed. OperatorError: unreachable, nothing published yet, or the disk.
        """
        for left in reversed(range(_TRIES)):
            try:
                return self._sync(progress)
            except OvertakenError:
                if not left:
                    raise
        raise InternalError("no sync was tried")

    def _sync(self, progress: Progress) -> Fetched:
        known = self._table.known.checkpoint()
        new = self._newest(known)
        head = new or known
        if head is None:
            raise OperatorError(
                "the borrowing desk has published nothing yet",
                remedy="sync again tomorrow: it begins once enough lenders have contributed",
            )
        if new is not None or not self._table.holds(head):
            self._table.replace(head, self._rows(head, progress))
        age = self._clock().timestamp() - head.at
        return Fetched(head, new is not None, age > STALE.total_seconds())

    def _newest(self, known: TableHead | None) -> TableHead | None:
        """The last after the known one, None: there is none; each judged as it comes, and following
        the one before. Of a first sync, the last.
        """
        request = wire.HeadsRequest(since=0 if known is None else known.version)

        def asked() -> tuple[TableHead | None, int]:
            last, number = known, 0
            for one in self._stub.Heads(request, timeout=PATIENCE):
                number += 1
                if number > MOST_HEADS or len(one.head) > MOST_HEAD_BYTES:
                    raise PeerError("the desk shows more than any does: nothing was changed")
                head = read_head(one.head, self._registry, self._authority)
                if last is not None:
                    self._check_follows(last, head)
                last = head
            return last, number

        last, number = self._call(asked)
        if last is None or not number:
            return None
        check_signer(last, self._registry, self._authority, self._clock())
        return last

    def _check_follows(self, before: TableHead, head: TableHead) -> None:
        if head.version != before.version + 1:
            raise PeerError(
                f"the desk shows version {head.version} where {before.version + 1} is due",
                remedy="nothing was changed; ask its operator whether an old backup was restored",
            )
        try:
            check_follows(before, head)
        except ForkError as fork:
            path = self._table.known.accuse(fork)
            fork.remedy = f"{fork.remedy}; both are in {path}"
            raise

    def _rows(self, head: TableHead, progress: Progress) -> bytes:
        if head.rows > MOST_ROWS:
            raise PeerError(f"a table has at most {MOST_ROWS:,} rows")
        request, told = wire.TableRequest(version=head.version), progress(head.rows)

        def fetched() -> bytes:
            rows = bytearray()
            for part in self._stub.Table(request, timeout=10 * PATIENCE):
                rows += part.rows
                if len(rows) > head.rows * ROW_BYTES:
                    raise PeerError("a table is longer than its head says: nothing was changed")
                told(len(part.rows) // ROW_BYTES)
            return bytes(rows)

        return self._call(fetched)
