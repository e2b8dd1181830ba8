"""What a node's process writes to its log at level ERROR, on the terminal of `start` as well.

Invariants:
- Only lines written from now on, each once, and so many in an hour at most (`telling.py`).
- A log that begins anew, or is not there yet, is read from its beginning.
"""

from __future__ import annotations

import json
import logging
import threading
from pathlib import Path

from client.node.telling import Telling

_SECONDS, _MOST_READ = 0.5, 1 << 20
_log = logging.getLogger("lianfang.node")


class Echo:
    """Of one log, in a thread of its own."""

    def __init__(self, log: Path) -> None:
        self._path = log
        self._at = _size(log)
        self._rest = b""
        self._telling = Telling(_log)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="echo", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, after a last look."""
        self._ended.set()
        self._thread.join(2.0)

    def _run(self) -> None:
        while not self._ended.wait(_SECONDS):
            self.look()
        self.look()

    def look(self) -> None:
        """Tell what is new."""
        if _size(self._path) < self._at:
            self._at, self._rest = 0, b""
        try:
            with self._path.open("rb") as file:
                file.seek(self._at)
                new = file.read(_MOST_READ)
        except OSError:
            return
        self._at += len(new)
        *lines, self._rest = (self._rest + new).split(b"\n")
        self._rest = self._rest[-_MOST_READ:]
        for line in lines:
            if message := error_in(line.decode("utf-8", errors="replace")):
                self._telling.say(logging.ERROR, message)


def error_in(line: str) -> str:
    """The message of a line of level ERROR, in either form of `client/logs.py`; else empty."""
    if line.startswith("{"):
        try:
            about = json.loads(line)
            return str(about["message"]) if about["level"] == "ERROR" else ""
        except (ValueError, KeyError, TypeError):
            return ""
    _, _, rest = line.partition(" ")
    level, _, told = rest.partition(" ")
    return told.partition(": ")[2] if level == "ERROR" else ""


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
