"""What this lender knows of the published list: its last checkpoint, and evidence of forks.

    <folder>/checkpoint.json     the last verified checkpoint
    <folder>/evidence/fork-*.json   two signed checkpoints that contradict each other

Invariants:
- The checkpoint is replaced durably, and only by one that follows it.
- Evidence is written before the refusal is raised, and never written over.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

from client.files import keep_private, partial_of, write_durably
from shared.blacklist.checkpoint import Checkpoint, ForkError, read_checkpoint
from shared.errors import OperatorError
from shared.secure_sum.encoding import text_of

CHECKPOINT = "checkpoint.json"
EVIDENCE = "evidence"


class KnownList:
    """Of the registry with code `registry`, under `authority` (DER)."""

    def __init__(self, folder: Path, registry: str, authority: bytes) -> None:
        self._folder, self._registry, self._authority = folder, registry, authority

    def checkpoint(self) -> Checkpoint | None:
        """The last one kept; None before the first sync. PeerError when the file was changed."""
        path = self._folder / CHECKPOINT
        if not path.exists():
            return None
        try:
            return read_checkpoint(path.read_bytes(), self._registry, self._authority)
        except OSError as error:
            raise _told(path, error) from error

    def keep(self, checkpoint: Checkpoint) -> None:
        """Replace it."""
        self._write(self._folder / CHECKPOINT, text_of(checkpoint))

    def accuse(self, fork: ForkError) -> Path:
        """Keep both checkpoints of a fork; the file's path."""
        name = f"fork-{fork.other.version}-{fork.other.head.hex()[:16]}.json"
        path = self._folder / EVIDENCE / name
        texts = [base64.b64encode(text_of(one)).decode() for one in (fork.known, fork.other)]
        document = {"registry": self._registry, "known": texts[0], "other": texts[1]}
        if not path.exists():
            self._write(path, json.dumps(document, indent=1).encode())
        return path

    def evidence(self) -> list[Path]:
        """Files of all forks found."""
        return sorted((self._folder / EVIDENCE).glob("fork-*.json"))

    def _write(self, path: Path, content: bytes) -> None:
        try:
            keep_private(path.parent)
            partial_of(path).unlink(missing_ok=True)
            write_durably(path, content)
        except OSError as error:
            raise _told(path, error) from error


def _told(path: Path, error: OSError) -> OperatorError:
    return OperatorError(
        f"{path}: {error.strerror or type(error).__name__}",
        remedy="check space and rights of the folder, then sync again",
    )
