"""What the gate counts: requests by path, refusals by reason, members by code. No addresses."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from server.deployment.loopback import FLOWER
from server.files import write_whole

FILE = "gate.json"


class GateCounts:
    """Counts since the gate's process began."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.members: Counter[str] = Counter()
        self.bytes_in = self.bytes_out = 0
        self.connections = 0

    def snapshot(self) -> dict[str, object]:
        """JSON-ready."""
        return {
            "requests": dict(self.requests),
            "refused": dict(self.refused),
            "members": dict(self.members),
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
            "connections": self.connections,
        }

    def write(self, folder: Path) -> None:
        """Into the coordinator's folder, for whoever shows it; not durably, which would cost a turn
        of the disk every few seconds: counts that a power cut took are left out of the metrics.
        """
        write_whole(folder / FLOWER / FILE, json.dumps(self.snapshot()).encode())
