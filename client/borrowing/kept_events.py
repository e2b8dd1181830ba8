"""A lender's own borrowing events under tokens, kept at home to answer batches from.

    own/borrowing/kept/epoch-N.rows    rows of `shared/borrowing/event_row.py`, behind their digest

Invariants:
- A file is replaced whole and durably; one that was changed or cut is an error, never "no events".
- What is out of its term is dropped at each change, and counts no more before that.
- An event given twice is there once.
- One file counts, that of the newest key epoch. It ends those of older epochs, once it is on disk:
  their events are given again under the new key.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from client.files import keep_private, write_durably
from shared.borrowing.asked import UNKNOWN, own_counts
from shared.borrowing.event_row import ROW, Rows, check_rows, events_of
from shared.borrowing.events import kept
from shared.errors import OperatorError, PeerError

_MARK = b"lianfang kept events 1\n"
_DIGEST = 32


class KeptEvents:
    """In `folder`, a file for each key epoch."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def newest(self) -> int:
        """The newest key epoch that events were kept under; 0 where none were."""
        return max(self._epochs(), default=0)

    def rows(self, epoch: int) -> Rows:
        """(n,), none where nothing was kept; OperatorError for a damaged file."""
        path = self._path(epoch)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return np.empty(0, ROW)
        except OSError as error:
            raise _unusable(path, error.strerror or type(error).__name__) from error
        body = content[len(_MARK) + _DIGEST :]
        head = _MARK + sha256(body).digest()
        if not content.startswith(head) or len(body) % ROW.itemsize:
            raise _unusable(path, "it was changed or cut short")
        rows = np.frombuffer(body, ROW)
        try:
            check_rows(rows)
        except PeerError as error:
            raise _unusable(path, error.what) from error
        return rows

    def change(self, epoch: int, rows: Rows, today: int, *, retract: bool = False) -> int:
        """Add rows, or take them back; how many are there now. OperatorError."""
        before, given = ({row.tobytes() for row in some} for some in (self.rows(epoch), rows))
        left = before - given if retract else before | given
        there = np.frombuffer(b"".join(sorted(left)), ROW)
        there = there[kept(events_of(there)[0], today)] if len(there) else there
        body, path = there.tobytes(), self._path(epoch)
        try:
            keep_private(self._folder)
            write_durably(path, _MARK + sha256(body).digest() + body)
            for older in (one for one in self._epochs() if one < epoch):
                self._path(older).unlink(missing_ok=True)
        except OSError as error:
            raise _unusable(path, error.strerror or type(error).__name__) from error
        return len(there)

    def counts(self, epoch: int, tokens: Sequence[bytes], day: int) -> NDArray[np.int64]:
        """This lender's numbers for these tokens, (len(tokens) · ASKED_CELLS,)."""
        events, subjects = events_of(self.rows(epoch))
        place = {token: at for at, token in enumerate(subjects)}
        subject = np.array([place.get(token, UNKNOWN) for token in tokens], np.int64)
        return own_counts(events, subject, day)

    def _epochs(self) -> list[int]:
        names = (path.stem.removeprefix("epoch-") for path in self._folder.glob("epoch-*.rows"))
        return [int(name) for name in names if name.isdecimal()]

    def _path(self, epoch: int) -> Path:
        return self._folder / f"epoch-{epoch}.rows"


def _unusable(path: Path, why: str) -> OperatorError:
    return OperatorError(
        f"{path} cannot be used: {why}",
        remedy="check space and rights; if it is damaged, remove it and give all events again: "
        "lianfang-client borrowing keep",
    )
