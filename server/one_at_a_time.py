"""One process serves a folder: a second one would answer from what the first is changing.

Invariants:
- The operating system lets go of the lock when its holder ends, however it ends: nothing is left
  for an operator to clear away.
- The lock file is empty and stays; its name belongs to no service's files.
"""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

from shared.errors import OperatorError

FILE = "serving.lock"


@dataclass
class Alone:
    """A folder's turn, held until `release`."""

    _handle: int

    def release(self) -> None:
        """Let the next one in; a second time does nothing."""
        handle, self._handle = self._handle, -1
        if handle >= 0:
            os.close(handle)


def alone_in(folder: Path) -> Alone:
    """The turn to serve this folder (flock(2)). OperatorError that names the folder when another
    process has it, or the folder cannot be written.
    """
    try:
        handle = os.open(folder / FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise OperatorError(
            f"{folder} cannot be served: {error.strerror}",
            remedy="name a service's folder that this account may write to",
        ) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise OperatorError(
            f"{folder} is being served already, by another process",
            remedy="stop that one first, or name another folder; one process serves a folder",
        ) from error
    return Alone(handle)
