"""Keeps a lender's accepted terms up to date, and its list of who is revoked: looks at the gate
about every second, for the list every minute.

Invariants:
- What does not fit `consortium.toml` is told in the log, once, and not kept (`client/terms.py`).
- Log and disk stay bounded whatever the gate lists (`telling.py`, `client/terms.py`).
- While the gate does not answer it looks less and less often, up to every half minute. Nothing
  that it says ends this thread.
- Sizes of answers are bounded, and the time that one takes; each is a sign of life for /health.
  Nothing in an answer becomes a path but a checked digest.
"""

from __future__ import annotations

import http.client
import json
import logging
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from client.bundles import listed_digests, read_bundles
from client.deadline import ended_after
from client.logs import kind_and_place
from client.node.heartbeat import Heartbeat
from client.node.mutual import Mutual
from client.node.telling import Telling
from client.revocations import take_revocations
from client.terms import MOST_BYTES, accept, is_accepted, make_room
from shared.errors import LianfangError, OperatorError, PeerError
from shared.identity.address import host_and_port
from shared.training.consortium import Consortium

SECONDS, LONGEST, REVOKED_SECONDS = 1.0, 30.0, 60.0
MOST_TERMS = 100
_ANSWER_SECONDS, _MOST_SECONDS = 10.0, 30.0
"""For each receive; for an answer as a whole."""
_REVOKED = "this certificate was revoked"
"""As the gate says it (`server/deployment/admission.py`)."""
_log = logging.getLogger("lianfang.terms")


class TermsPoll:
    """Of a lender's folder, in a thread of its own. `gate`: "host:port"."""

    def __init__(self, folder: Path, mutual: Mutual, gate: str, consortium: Consortium) -> None:
        self._folder = folder
        self._mutual = mutual
        self._gate = host_and_port(gate)
        self._consortium = consortium
        self._telling = Telling(_log)
        self._heart = Heartbeat(folder, "terms")
        self._asked: float | None = None
        self._ended = threading.Event()
        self._open: http.client.HTTPSConnection | None = None
        self._thread = threading.Thread(target=self._run, name="terms", daemon=True)
        self.ready = threading.Event()
        """The gate has answered."""
        self.revoked = threading.Event()
        """The coordinator has said that this lender is revoked, which is never taken back."""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._ended.set()
        self._thread.join(2.0)

    def _run(self) -> None:
        wait = SECONDS
        while not self._ended.wait(0.0 if not self.ready.is_set() else wait):
            self._heart.beat()
            try:
                self.look()
                self.ready.set()
                self._telling.forget("gate")
                wait = SECONDS
            except Exception as error:  # noqa: BLE001 - without this thread no run begins here
                self._close()
                self._telling.once("gate", f"the gate does not answer: {_told(error)}")
                wait = min(2 * wait, LONGEST)
                self._ended.wait(min(wait, SECONDS))

    def look(self) -> None:
        """Fetch and keep what is new."""
        digests = listed_digests(self._get("/lianfang/terms"))
        for digest in digests[:MOST_TERMS]:
            if digest not in self._telling and not is_accepted(self._folder, digest):
                self._take(digest, digests)
        self._compare_bundles()
        if self._asked is None or time.monotonic() - self._asked >= REVOKED_SECONDS:
            self._take_revoked()
            self._asked = time.monotonic()

    def _take_revoked(self) -> None:
        try:
            content = self._get("/lianfang/revoked")
            taken = take_revocations(self._folder, content, datetime.now(UTC))
        except LianfangError as error:
            self._telling.once("revoked", f"who is revoked is not known: {error.what}")
            self._close()  # the gate ends a connection on which it refused something
            return
        self._telling.forget("revoked")
        if taken.added:
            told = ", ".join(taken.added[:20])
            self._telling.say(logging.WARNING, f"the coordinator has revoked {told}: believed here")
        for code in taken.held:
            self._telling.once(
                f"revoked {code}",
                f"the coordinator has revoked {code}, which exchange.toml names: ask the others, "
                "then write it into revoked.json, or leave it",
            )

    def _take(self, digest: str, listed: list[str]) -> None:
        if not make_room(self._folder, listed):
            self._telling.once("room", "too many open runs: no more terms are kept")
            return
        content = self._get(f"/lianfang/terms/{digest}")
        try:
            differences = accept(self._folder, self._consortium, digest, content)
        except PeerError as error:
            differences = [error.what]
        if differences:
            why = "; ".join(differences)
            self._telling.once(digest, f"terms {digest[:16]} of a run are not accepted: {why}")
        else:
            self._telling.say(logging.INFO, f"terms {digest[:16]} of a run are accepted")

    def _compare_bundles(self) -> None:
        try:
            allowed = read_bundles(self._folder)
        except OperatorError as error:
            self._telling.once("bundles", str(error))
            return
        for digest in listed_digests(self._get("/lianfang/bundles"))[:MOST_TERMS]:
            if digest not in allowed:
                self._telling.once(digest, f"the coordinator's bundle {digest} is not allowed here")

    def _get(self, path: str) -> bytes:
        connection = self._connected()
        self._heart.beat()
        with ended_after(connection.sock, _MOST_SECONDS):
            connection.request("GET", path)
            answer = connection.getresponse()
            content = answer.read(MOST_BYTES + 1)
        if answer.status != 200 or len(content) > MOST_BYTES:
            why = _why(answer.status, content)
            if answer.status == 401 and why.endswith(_REVOKED):
                self.revoked.set()
            raise PeerError(why)
        return content

    def _connected(self) -> http.client.HTTPSConnection:
        if self._open is None:
            host, port = self._gate
            connection = http.client.HTTPSConnection(
                host, port, timeout=_ANSWER_SECONDS, context=self._mutual.context()
            )
            self._open = connection
            connection.connect()
            shown: Any = connection.sock
            self._mutual.check(shown.getpeercert(binary_form=True))
        return self._open

    def _close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None


def _told(error: Exception) -> str:
    """What may be shown of it: our own sentence, a usual kind, else kind and place."""
    if isinstance(error, LianfangError):
        return error.what
    if isinstance(error, (OSError, http.client.HTTPException, ValueError)):
        return type(error).__name__
    return kind_and_place(error)


def _why(status: int, content: bytes) -> str:
    """What the gate says, short and printable."""
    try:
        said = str(json.loads(content)["error"])[:200]
    except (ValueError, KeyError, TypeError, RecursionError):
        said = ""
    return f"it answers {status}" + (f": {said}" if said.isprintable() and said else "")
