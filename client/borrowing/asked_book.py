"""What this lender knows of the batches it answers: how many today, its numbers, which are over.

    own/borrowing/asked/today.json        day, batches by asker
    own/borrowing/asked/BATCH.numbers     what a batch is answered with
    own/borrowing/asked/BATCH.over        its end was heard, in the run it names
    own/borrowing/asked/TERMS.batch       which batch that run is about, until it is closed
    own/borrowing/asked/TERMS.word        one person here gave that end up (`giving_up.py`)
    own/borrowing/asked/TERMS.closed      the same, by the run it was asked in; or people gave it up

Invariants:
- A batch is answered with the numbers it was answered with first, whatever run asks for it: they
  are on disk before they leave.
- A batch counts once a day against its asker's number, before anything is answered to it. A clock
  that goes back does not begin a day anew: what counts is the newest day there was.
- Whoever did not ask forgets its numbers with the batch's end; the asker's go after their term.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from client.borrowing.asked_settings import Willing
from client.files import keep_private, write_durably
from shared.borrowing.batch import NUMBERS, Batch
from shared.borrowing.terms import TTL_DAYS
from shared.errors import OperatorError
from shared.secure_sum.floors import RefusedError
from shared.secure_sum.history import History, Record

_TODAY = "today.json"
_OWN, _ANOTHERS = "own", "another's"
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_DAY_SECONDS, _MARK_BYTES = 86_400, 32


class AskedBook:
    """In `folder`. Call it under the outbox's lock."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def take(self, batch: Batch, willing: Willing, today: int) -> None:
        """Count a batch; RefusedError where it is over, or its asker may ask no more today."""
        if self._path(batch, "over").exists():
            raise RefusedError("asked", expected="a new batch", came="one that is over")
        name, (day, asked) = batch.digest.hex(), self._asked(today)
        mine = asked.setdefault(batch.asker, [])
        if name in mine:
            return
        if len(mine) >= willing.daily:
            raise RefusedError("asked", expected=f"{willing.daily} a day", came=len(mine) + 1)
        mine.append(name)
        self._put(self._folder / _TODAY, json.dumps({"day": day, "asked": asked}).encode())

    def numbers(self, batch: Batch) -> NDArray[np.int64] | None:
        """What the batch is answered with; None before that."""
        path = self._path(batch, "numbers")
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unusable(path, error) from error
        if len(content) != 8 * NUMBERS:
            raise _unusable(path, ValueError())
        return np.frombuffer(content, "<i8").astype(np.int64)

    def keep(self, batch: Batch, numbers: NDArray[np.int64]) -> None:
        """Before they leave for the first time."""
        self._put(self._path(batch, "numbers"), numbers.astype("<i8").tobytes())

    def close(self, batch: Batch | None, terms: str, *, own: bool) -> None:
        """The end of the run under these terms was heard, or given up; `own`: this lender has
        asked; no `batch`: its terms are kept no more, and it is the one that was answered.
        """
        name, asked = (batch.digest.hex(), own) if batch else self._about(terms)
        if name:
            self._put(self._folder / f"{name}.over", terms.encode())
        self._put(self._folder / f"{terms}.closed", b"")
        if name and not asked:
            (self._folder / f"{name}.numbers").unlink(missing_ok=True)
        (self._folder / f"{terms}.batch").unlink(missing_ok=True)

    def answers(self, batch: Batch, terms: str, *, own: bool) -> None:
        """The run under these terms is about this batch: before its numbers leave."""
        path = self._folder / f"{terms}.batch"
        if not path.exists():
            self._put(path, f"{batch.digest.hex()} {_OWN if own else _ANOTHERS}".encode())

    def _about(self, terms: str) -> tuple[str, bool]:
        """The batch that was answered under these terms, and whether this lender has asked; empty
        where an older program answered. OperatorError for a damaged file.
        """
        path = self._folder / f"{terms}.batch"
        try:
            name, _, whose = path.read_text(encoding="ascii").partition(" ")
        except FileNotFoundError:
            return "", False
        except (OSError, ValueError) as error:
            raise _unusable(path, error) from error
        if not _DIGEST.fullmatch(name) or whose not in (_OWN, _ANOTHERS):
            raise _unusable(path, ValueError())
        return name, whose == _OWN

    def first_word(self, terms: str) -> bytes:
        """Who has given up first to hear the end of the run under these terms: 32 bytes; empty
        where nobody has. OperatorError for a damaged file.
        """
        path = self._folder / f"{terms}.word"
        try:
            mark = path.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise _unusable(path, error) from error
        if len(mark) != _MARK_BYTES:
            raise _unusable(path, ValueError())
        return mark

    def take_word(self, terms: str, mark: bytes) -> None:
        """Keep it."""
        self._put(self._folder / f"{terms}.word", mark)

    def unclosed(self, history: History, rows: str) -> Record | None:
        """The answer to the batch over these rows that was answered last, unless its end was heard
        or given up; all before it were closed before it was answered.
        """
        answered = reversed(history.answered.values())
        last = next((one for one in answered if one.rows == rows), None)
        return None if last is None or self.is_closed(last.agreement) else last

    def heard_under(self, batch: Batch) -> str | None:
        """The terms of the run in which the end of a batch was heard."""
        try:
            return self._path(batch, "over").read_text()
        except OSError:
            return None

    def is_closed(self, terms: str) -> bool:
        """Whether the end of the run under these terms was heard."""
        return (self._folder / f"{terms}.closed").exists()

    def counted(self, today: int) -> dict[str, int]:
        """Batches of each asker that were counted on this day; nothing is changed."""
        found = self._kept()
        return {code: len(names) for code, names in found[1].items()} if found[0] == today else {}

    def _asked(self, today: int) -> tuple[int, dict[str, list[str]]]:
        """The day that counts, and names of its batches by asker. A new day begins with what is
        over its term.
        """
        day, asked = self._kept()
        if day >= today:
            return day, asked
        if day:
            self._forget()
        return today, {}

    def _kept(self) -> tuple[int, dict[str, list[str]]]:
        """The newest day there was, and names of its batches by asker; 0 before the first."""
        path = self._folder / _TODAY
        try:
            found: dict[str, Any] = json.loads(path.read_bytes())
            asked: dict[str, list[str]] = found["asked"]
            return int(found["day"]), {code: [*names] for code, names in asked.items()}
        except FileNotFoundError:
            return 0, {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise _unusable(path, error) from error

    def _forget(self) -> None:
        there = [(path, path.stat().st_mtime) for path in self._folder.glob("*.numbers")]
        newest = max((when for _, when in there), default=0.0)
        for path, when in there:
            if newest - when > TTL_DAYS * _DAY_SECONDS:
                path.unlink(missing_ok=True)

    def _put(self, path: Path, content: bytes) -> None:
        try:
            keep_private(self._folder)
            write_durably(path, content)
        except OSError as error:
            raise _unusable(path, error) from error

    def _path(self, batch: Batch, kind: str) -> Path:
        return self._folder / f"{batch.digest.hex()}.{kind}"


def _unusable(path: Path, error: Exception) -> OperatorError:
    why = error.strerror if isinstance(error, OSError) else "it was changed or cut short"
    return OperatorError(
        f"{path} cannot be used: {why}",
        remedy="check space and rights; put a damaged file back from a backup",
    )
