"""Which members' nodes are connected, told while a run has too few of them to begin a stage.

Invariants:
- It is the SuperLink's word, asked now. Where that does not answer nothing is told.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from server.coordinator.places import AGREEMENT
from shared.errors import OperatorError, PeerError
from shared.training.asked_run import terms_from


@dataclass(frozen=True)
class Connected:
    """`needed`: fewest lenders in any sum of the run; `here`, `away`: codes of members that are not
    revoked.
    """

    needed: int
    here: tuple[str, ...]
    away: tuple[str, ...]

    @property
    def enough(self) -> bool:
        """Whether a stage can begin."""
        return len(self.here) >= self.needed

    def line(self) -> str:
        """For people."""
        told = f"{len(self.here)} of {self.needed} needed lenders connected"
        if self.away:
            told += f"; not connected: {', '.join(self.away)}"
        elif len(self.here) < self.needed:
            told += "; nobody else is a member: lianfang-server invite"
        return told


def connected(folder: Path, run: Path) -> Connected | None:
    """Of the coordinator's `folder`, for the run in folder `run`; None where it is not known."""
    from server.deployment.control import control_of
    from server.deployment.node_keys import read_node_keys
    from server.revoked import read_revoked

    try:
        terms = terms_from(json.loads((run / AGREEMENT).read_text(encoding="utf-8")))
        gone, keys = read_revoked(folder), read_node_keys(folder)
        keys = {code: key for code, key in keys.items() if code not in gone}
        with control_of(folder) as control:
            online = {node.public_key for node in control.nodes() if node.online}
    except (OperatorError, PeerError, OSError, ValueError):
        return None
    return sorted_out(terms.minimum_lenders, keys, online)


def sorted_out(needed: int, keys: Mapping[str, bytes], online: set[bytes]) -> Connected:
    """`keys`: code → public node key; `online`: those of nodes that are there. Both PEM."""
    there = {_bare(key) for key in online}
    here = tuple(code for code in sorted(keys) if _bare(keys[code]) in there)
    return Connected(needed, here, tuple(code for code in sorted(keys) if code not in here))


def _bare(key: bytes) -> bytes:
    """A PEM text without what two writers may do differently."""
    return b"".join(key.split())
