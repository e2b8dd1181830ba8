"""Keeps a lender's accepted terms up to date: looks at the gate about every second.

Invariants:
- What does not fit `consortium.toml` is told in the log, once, and not kept (`client/terms.py`).
- While the gate does not answer it looks less and less often, up to every half minute.
- Sizes of answers are bounded, and nothing in them becomes a path but a checked digest.
"""

from __future__ import annotations

import http.client
import json
import logging
import threading
from pathlib import Path
from typing import Any

from client.bundles import read_bundles
from client.node.mutual import Mutual
from client.terms import MOST_BYTES, accept, is_accepted
from shared.errors import LianfangError, OperatorError, PeerError
from shared.identity.address import host_and_port
from shared.training.consortium import Consortium

SECONDS, LONGEST = 1.0, 30.0
MOST_TERMS = 100
_ANSWER_SECONDS = 10.0
_log = logging.getLogger("lianfang.terms")


class TermsPoll:
    """Of a lender's folder, in a thread of its own. `gate`: "host:port"."""

    def __init__(self, folder: Path, mutual: Mutual, gate: str, consortium: Consortium) -> None:
        self._folder = folder
        self._mutual = mutual
        self._gate = host_and_port(gate)
        self._consortium = consortium
        self._told: set[str] = set()
        self._ended = threading.Event()
        self._open: http.client.HTTPSConnection | None = None
        self._thread = threading.Thread(target=self._run, name="terms", daemon=True)
        self.ready = threading.Event()
        """The gate has answered."""

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
            try:
                self.look()
                self.ready.set()
                wait = SECONDS
            except (OSError, http.client.HTTPException, LianfangError, ValueError) as error:
                self._close()
                told = error.what if isinstance(error, LianfangError) else type(error).__name__
                self._tell("gate", f"the gate does not answer: {told}")
                wait = min(2 * wait, LONGEST)
                self._ended.wait(min(wait, SECONDS))

    def look(self) -> None:
        """Fetch and keep what is new."""
        digests = self._listed("/lianfang/terms")
        self._told.discard("gate")
        for digest in digests[:MOST_TERMS]:
            if digest not in self._told and not is_accepted(self._folder, digest):
                self._take(digest)
        self._compare_bundles()

    def _take(self, digest: str) -> None:
        if not digest.isalnum() or len(digest) != 64:
            raise PeerError("the gate lists terms that have no digest")
        content = self._get(f"/lianfang/terms/{digest}")
        differences = accept(self._folder, self._consortium, digest, content)
        if differences:
            why = "; ".join(differences)
            self._tell(digest, f"terms {digest[:16]} of a run are not accepted: {why}")
        else:
            _log.info("terms %s of a run are accepted", digest[:16])

    def _compare_bundles(self) -> None:
        try:
            allowed = read_bundles(self._folder)
        except OperatorError as error:
            self._tell("bundles", str(error))
            return
        for digest in self._listed("/lianfang/bundles")[:MOST_TERMS]:
            if digest not in allowed:
                self._tell(
                    digest[:64], f"the coordinator's bundle {digest[:64]} is not allowed here"
                )

    def _listed(self, path: str) -> list[str]:
        found = json.loads(self._get(path))
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            raise PeerError("the gate answers with something else than a list")
        return found

    def _get(self, path: str) -> bytes:
        connection = self._connected()
        connection.request("GET", path)
        answer = connection.getresponse()
        content = answer.read(MOST_BYTES + 1)
        if answer.status != 200 or len(content) > MOST_BYTES:
            raise PeerError(_why(answer.status, content))
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

    def _tell(self, about: str, what: str) -> None:
        if about not in self._told:
            self._told.add(about)
            _log.warning("%s", what)


def _why(status: int, content: bytes) -> str:
    """What the gate says, short and printable."""
    try:
        said = str(json.loads(content)["error"])[:200]
    except (ValueError, KeyError, TypeError):
        said = ""
    return f"it answers {status}" + (f": {said}" if said.isprintable() and said else "")
