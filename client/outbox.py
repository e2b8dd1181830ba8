"""The outbox: a lender's append-only journal of everything that leaves it, `own/outbox.jsonl`.

Invariants:
- `append` returns when the disk has the line, and only then may what it tells of leave. If the disk
  does not take it, nothing is left of the line, and the caller's message must not leave.
- A last line without its end was cut off by a crash, before anything left on it: it is removed, and
  the log says so. Any other damage stops the lender; nothing is written over or mended.
- One exchange at a time: `locked` keeps out other threads and other processes of this lender, and
  takes in what they wrote.
- No row, vector or secret is in a line.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from client.files import sync_folder, write_all
from client.outbox_lines import BEGINNING, Entry, damaged, entry_of, line_of, read_lines
from shared.errors import InternalError, OperatorError
from shared.secure_sum.history import History, Record

_log = logging.getLogger("lianfang.client")


class Outbox:
    """The `Journal` of `shared.secure_sum.history` on disk. `clock` gives the time with a zone."""

    def __init__(self, path: Path, clock: Callable[[], datetime]) -> None:
        self._path = path
        self._clock = clock
        self._guard = threading.RLock()
        self._depth = 0
        self._handle = _opened(path)
        self._close = weakref.finalize(self, os.close, self._handle)
        self._history = History()
        self._last: Entry | None = None
        self._taken = 0  # bytes
        with self.locked():
            pass

    def close(self) -> None:
        """Let the file go; whoever still uses this outbox gets an InternalError."""
        with self._guard:
            self._close()
            self._handle = -1  # the number may soon be another file's

    @property
    def history(self) -> History:
        """The fold over all records, those of other processes included."""
        with self.locked():
            return self._history

    @contextmanager
    def locked(self) -> Iterator[bool]:
        """Alone with this journal; True when others have written since the last time.

        May be nested. Raises OperatorError when the file is damaged or was put away.
        """
        with self._guard:
            if self._depth == 0:
                self._lock()
            self._depth += 1
            try:
                yield self._take_in() if self._depth == 1 else False
            finally:
                self._depth -= 1
                if self._depth == 0:
                    fcntl.flock(self._handle, fcntl.LOCK_UN)

    def append(self, record: Record) -> None:
        """Make a record durable, then fold it; OperatorError when the disk does not take it."""
        with self.locked():
            if self._taken == 0:  # a line could not be taken back: what is on disk is read anew
                self._take_in()
            number, before = self._next()
            at = self._clock()
            line = line_of(number, at, record, before)
            try:
                write_all(self._handle, line + b"\n")
                os.fdatasync(self._handle)
            except OSError as error:
                self._take_back()
                raise OperatorError(
                    f"{self._path}: {error.strerror or type(error).__name__}; nothing was sent",
                    remedy="free space, or mend the disk; what leaves must be recorded first",
                ) from error
            self._fold(entry_of(number, at, record, line), len(line) + 1)

    def _lock(self) -> None:
        if self._handle < 0:
            raise InternalError("an outbox is used after it was closed")
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX)
        except OSError as error:
            raise OperatorError(
                f"{self._path} cannot be locked: {error.strerror or type(error).__name__}",
                remedy="keep the lender's folder on a file system with locks, best a local disk",
            ) from error

    def _next(self) -> tuple[int, str]:
        last = self._last
        return (1, BEGINNING) if last is None else (last.number + 1, last.digest)

    def _take_in(self) -> bool:
        """Fold lines that have come since; True when there are some."""
        self._check_place()
        size = os.fstat(self._handle).st_size
        if size < self._taken:
            raise damaged(self._path, self._next()[0], "and lines before it are gone")
        if size == self._taken:
            return False
        content = self._read(size)
        for entry in list(read_lines(self._path, content, self._last)):  # all of them, or none
            self._history.take(entry.record)
            self._last = entry
        whole = content.rfind(b"\n") + 1
        self._taken += whole
        if whole < len(content):
            _log.warning("%s: the last line was cut off before anything left; removed", self._path)
            os.ftruncate(self._handle, self._taken)
            os.fdatasync(self._handle)
        return whole > 0

    def _read(self, size: int) -> bytes:
        pieces, place = [], self._taken
        while place < size and (piece := os.pread(self._handle, size - place, place)):
            pieces.append(piece)
            place += len(piece)
        return b"".join(pieces)

    def _check_place(self) -> None:
        """That the file we hold is still the one at its path."""
        try:
            there, ours = self._path.stat(), os.fstat(self._handle)
            same = (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)
        except FileNotFoundError:
            same = False
        if not same:
            raise OperatorError(
                f"{self._path} was moved or replaced while this lender is at work",
                remedy="put the file back, then start the lender again",
            )

    def _take_back(self) -> None:
        """Remove a line that is not durable."""
        try:
            os.ftruncate(self._handle, self._taken)
            os.fdatasync(self._handle)
        except OSError:  # what is on disk is not certain: read it all again before the next line
            self._history, self._last, self._taken = History(), None, 0

    def _fold(self, entry: Entry, size: int) -> None:
        self._history.take(entry.record)
        self._last = entry
        self._taken += size


def _opened(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        handle = os.open(path, flags, 0o600)
        sync_folder(path.parent)
    except OSError as error:
        raise OperatorError(
            f"{path} cannot be opened: {error.strerror or type(error).__name__}",
            remedy="mend the folder's permissions; what leaves must be recorded first",
        ) from error
    return handle
