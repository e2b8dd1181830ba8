"""Whether a coordinator's disk takes files: told in the log of `start`, which may lie elsewhere.

Invariants:
- It is tried, not guessed: a small file is written, made durable and removed.
- A full disk is told once, with what to do, and once more when it takes files again.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from pathlib import Path

PROBE = ".disk"
PROBE_BYTES = 1 << 16
REMEDY = "free space, or mend the disk: what was under way goes on by itself then"
_log = logging.getLogger("lianfang.disk")


def trouble_of(folder: Path) -> str:
    """Why the disk of `folder` takes no file; empty where it does."""
    path = folder / PROBE
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        try:
            left = PROBE_BYTES
            while left > 0:
                left -= os.write(handle, bytes(left))
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        return f"{folder} cannot be written to: {error.strerror or type(error).__name__}"
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)
    return ""


class DiskWatch:
    """Of one folder; `look` now and then."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._told = ""

    def look(self) -> None:
        """Try the disk, and tell what has changed."""
        found = trouble_of(self._folder)
        if found and not self._told:
            _log.error("%s; stages are not released and runs wait. %s", found, REMEDY)
        elif self._told and not found:
            _log.warning("%s takes files again", self._folder)
        self._told = found
