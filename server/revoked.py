"""`revoked.json` in an actor's folder: codes whose certificates are no longer believed.

Invariants:
- A list that cannot be read stops an actor that starts: nobody is believed by accident.
- A service that runs takes a changed list with the next call. One that cannot be read then changes
  nothing, and the log says so: a half-written file lets nobody back in.
"""

from __future__ import annotations

import json
import logging
import threading
from pathlib import Path

from server.files import Stamp, stamp_of
from shared.errors import OperatorError

REVOKED = "revoked.json"
_log = logging.getLogger("lianfang.server")


class RevokedCodes:
    """The list as it is now. `codes`: as it was when the actor was read."""

    def __init__(self, folder: Path, codes: frozenset[str]) -> None:
        self._folder = folder
        self._codes = codes
        self._stamp: Stamp | None = None
        self._guard = threading.Lock()

    def __contains__(self, code: object) -> bool:
        with self._guard:
            self._follow()
            return code in self._codes

    def _follow(self) -> None:
        stamp = stamp_of(self._folder / REVOKED)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            codes = read_revoked(self._folder)
        except OperatorError as error:
            _log.error("%s; the list before stays in force", error)
            return
        if codes != self._codes:
            _log.warning("%s has changed: %d codes revoked", REVOKED, len(codes))
        self._codes = codes


def read_revoked(folder: Path) -> frozenset[str]:
    """The codes listed; none without a file. OperatorError when it is no list of codes."""
    path = folder / REVOKED
    try:
        codes = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(codes, list) and all(isinstance(code, str) for code in codes):
            return frozenset(codes)
        raise ValueError
    except FileNotFoundError:
        return frozenset()
    except (OSError, ValueError) as error:
        raise OperatorError(
            f"{path}: it is not a list of codes", remedy='write it as ["L03", …]'
        ) from error


def begin_revoked(folder: Path) -> None:
    """An empty list, where there is none yet. OperatorError when it cannot be written."""
    path = folder / REVOKED
    try:
        if not path.exists():
            path.write_text("[]\n", encoding="utf-8")
    except OSError as error:
        raise OperatorError(
            f"{path}: {error.strerror or type(error).__name__}",
            remedy="check space and rights, then write [] there",
        ) from error
