"""This lender's own copy of the published table.

    own/borrowing/checkpoint.json      the head it took last; evidence/ beside it, of forks
    own/borrowing/table-<version>.bin  that version's rows, sorted by tag

Invariants:
- Rows are used only if they are what the head signs, at every opening; a missing or damaged file
  is an error and never "no record".
- Rows are durable before the head that names them; a crash leaves the version before, or this one.
- A table that is older than its term answers nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from client.exchange.known_list import KnownList
from client.exchange.sorted_keys import find, prefixes_of
from client.files import keep_private, write_durably
from shared.borrowing.answer import Answer
from shared.borrowing.rows import ROW_BYTES, TAG_BYTES, keys_of, tags_of
from shared.borrowing.sealed import open_answer
from shared.borrowing.table import TableHead, read_head
from shared.borrowing.terms import NO_RECORD, TTL_DAYS
from shared.errors import OperatorError, PeerError

Bytes = NDArray[np.uint8]
_SYNC = "lianfang-client borrowing sync"


class KnownTables(KnownList):
    """The head this lender took last, of the desk with this code, and evidence of forks."""

    def checkpoint(self) -> TableHead | None:
        """The last one kept; None before the first sync."""
        kept = super().checkpoint()
        return kept if isinstance(kept, TableHead) else None

    def _read(self, text: bytes) -> TableHead:
        return read_head(text, self._registry, self._authority)


class OwnTable:
    """In `folder`; `known` keeps its head there."""

    def __init__(self, folder: Path, known: KnownTables) -> None:
        self._folder, self.known = folder, known
        self._opened: tuple[TableHead, Bytes, NDArray[np.uint64]] | None = None

    def replace(self, head: TableHead, rows: bytes) -> None:
        """Take a version over. PeerError when the rows are not its own; nothing changed then."""
        head.check_rows(rows)
        path = self._path(head)
        try:
            keep_private(self._folder)
            write_durably(path, rows)
        except OSError as error:
            raise OperatorError(
                f"{path}: {error.strerror or type(error).__name__}",
                remedy="check space and rights of the folder, then sync again",
            ) from error
        self.known.keep(head)
        self._opened = None
        for old in self._folder.glob("table-*.bin"):
            if old != path:
                old.unlink(missing_ok=True)

    def holds(self, head: TableHead) -> bool:
        """Whether the rows of this version are here, and whole."""
        try:
            head.check_rows(self._path(head).read_bytes())
        except (OSError, PeerError):
            return False
        return True

    def head(self, today: date) -> TableHead:
        """Of the table that answers; OperatorError where there is none, or it is out of term."""
        head = self.known.checkpoint()
        if head is None:
            raise OperatorError(
                "this lender has no table of borrowing elsewhere yet", remedy=f"fetch it: {_SYNC}"
            )
        age = (today - head.day).days
        if age > TTL_DAYS:
            raise OperatorError(
                f"the table here is {age} days old: nothing in it may be told any more, after "
                f"{TTL_DAYS} days",
                remedy=f"fetch the latest: {_SYNC}",
            )
        return head

    def find(self, names: Bytes, today: date) -> list[Answer | None]:
        """What stands under each name (m, 32); None: nothing. OperatorError as `head`; PeerError
        for a record that does not open.
        """
        head, rows, prefixes = self._open(today)
        answers: list[Answer | None] = [None] * len(names)
        if len(names) == 0 or len(rows) == 0:
            return answers
        tags, keys = tags_of(names, head.salt), keys_of(names, head.salt)
        for asked, at in zip(*find(prefixes, rows[:, :TAG_BYTES], tags), strict=True):
            sealed = rows[at, TAG_BYTES:].tobytes()
            answers[asked] = open_answer(keys[asked].tobytes(), tags[asked].tobytes(), sealed)
        return answers

    def _open(self, today: date) -> tuple[TableHead, Bytes, NDArray[np.uint64]]:
        head = self.head(today)
        if self._opened is None or self._opened[0] != head:
            try:
                content = self._path(head).read_bytes()
                head.check_rows(content)
            except (OSError, PeerError) as error:
                raise OperatorError(
                    f"{self._path(head)} is missing or damaged: nothing was looked up",
                    remedy=f"fetch it again: {_SYNC}",
                ) from error
            rows = np.frombuffer(content, np.uint8).reshape(-1, ROW_BYTES)
            self._opened = head, rows, prefixes_of(rows[:, :TAG_BYTES])
        return self._opened

    def _path(self, head: TableHead) -> Path:
        return self._folder / f"table-{head.version}.bin"


def highest(answers: Sequence[Answer]) -> Answer | None:
    """Of answers about one person the highest band of each cell; None of none. A lower bound where
    lenders told of it under different key epochs.
    """
    if not answers:
        return None
    told = [one for one in answers if any(band != NO_RECORD for band in one.cells)] or answers
    cells = zip(*(one.cells for one in told), strict=True)
    return Answer(min(one.day for one in answers), tuple(map(max, cells)))
