"""What members learn at the gate of runs that are open: their agreements, and the code's bundle.

    GET /lianfang/terms           ["DIGEST", …]
    GET /lianfang/terms/DIGEST    the agreement, JSON
    GET /lianfang/bundles         ["SHA-256", …]

Invariants:
- A run is open from its agreement on until it has a model or an answer, or was closed or given up.
- An agreement is shown as it will be asked for: its digest is worked out here, not read.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from pathlib import Path

from server.coordinator.places import AGREEMENT, ANSWER, GIVEN_UP, MODEL
from server.deployment.bundle import read_digest
from shared.errors import OperatorError, PeerError
from shared.training.asked_run import terms_from

RUNS, CLOSED, _OVER = "runs", "closed", ("closed", MODEL, ANSWER, GIVEN_UP)
_MOST_BYTES = 1 << 20
_log = logging.getLogger("lianfang.server")


@dataclass
class TermsPage:
    """Of a coordinator's folder."""

    folder: Path
    _known: dict[tuple[Path, int], tuple[str, bytes]] = field(default_factory=dict)

    def digests(self) -> list[str]:
        """Of all open runs' agreements."""
        return sorted(self._open())

    def agreement(self, digest: str) -> bytes | None:
        """The agreement of this digest, JSON; None when no open run has it."""
        return self._open().get(digest)

    def bundles(self) -> list[str]:
        """Digests of the bundles in use: one, or none yet."""
        try:
            return [read_digest(self.folder)]
        except OperatorError:
            return []

    def _open(self) -> dict[str, bytes]:
        found = {}
        for path in sorted((self.folder / RUNS).glob(f"*/{AGREEMENT}")):
            run = path.parent
            if not any((run / name).exists() for name in _OVER):
                read = self._read(path)
                if read is not None:
                    found[read[0]] = read[1]
        return found

    def _read(self, path: Path) -> tuple[str, bytes] | None:
        try:
            key = (path, path.stat().st_mtime_ns)
            if key not in self._known:
                text = path.read_bytes()
                if len(text) > _MOST_BYTES:
                    raise ValueError("size")
                self._known[key] = (terms_from(json.loads(text)).digest(), text)
            return self._known[key]
        except (OSError, ValueError, TypeError, AttributeError, OperatorError, PeerError):
            _log.error("%s is no agreement: members are not told of it", path)
            return None
