"""What this lender knows of the published list: its last checkpoint, and evidence of forks.

    <folder>/checkpoint.json     the last verified checkpoint
    <folder>/groups.bin          digests of the list's groups of rows at it (`content.py`)
    <folder>/evidence/fork-*.json      two signed checkpoints that contradict each other
    <folder>/evidence/changes-*.json   signed changes that do not lead to the list signed with them

Invariants:
- The checkpoint is replaced durably, and only by one that follows it.
- Digests of groups are used only if they give the checkpoint's content; else they are made anew.
- Evidence is written before the refusal is raised, and never written over.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Sequence
from pathlib import Path

from client.exchange.content import Content
from client.files import keep_private, write_durably
from shared.blacklist.checkpoint import Checkpoint, ForkError, read_checkpoint
from shared.blacklist.rows import Changes
from shared.errors import OperatorError
from shared.secure_sum.encoding import text_of

CHECKPOINT = "checkpoint.json"
GROUPS = "groups.bin"
EVIDENCE = "evidence"
_GROUP = struct.Struct(">H32s")


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
            return self._read(path.read_bytes())
        except OSError as error:
            raise _told(path, error) from error

    def keep(self, checkpoint: Checkpoint, content: Content | None = None) -> None:
        """Replace it, and the digests of the groups."""
        self._write(self._folder / CHECKPOINT, text_of(checkpoint))
        if content is not None:
            groups = sorted(content.digests.items())
            packed = b"".join(_GROUP.pack(number, digest) for number, digest in groups)
            self._write(self._folder / GROUPS, packed)

    def content(self, checkpoint: Checkpoint) -> Content | None:
        """The list's content at this checkpoint; None when the file has another's."""
        path = self._folder / GROUPS
        try:
            packed = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _told(path, error) from error
        if len(packed) % _GROUP.size:
            return None
        content = Content(dict(_GROUP.iter_unpack(packed)), checkpoint.rows)
        return content if content.is_of(checkpoint) else None

    def accuse(self, fork: ForkError) -> Path:
        """Keep both checkpoints of a fork; the file's path."""
        name = f"fork-{fork.other.version}-{fork.other.head.hex()[:16]}.json"
        path = self._folder / EVIDENCE / name
        texts = [_text(one) for one in (fork.known, fork.other)]
        document = {"registry": self._registry, "known": texts[0], "other": texts[1]}
        if not path.exists():
            self._write(path, json.dumps(document, indent=1).encode())
        return path

    def accuse_of_changes(
        self, known: Checkpoint, shown: Sequence[tuple[Checkpoint, Changes]]
    ) -> Path:
        """Keep versions whose changes do not lead from `known` to what the last is signed for: who
        has the list at `known` can check it; the file's path.
        """
        last = shown[-1][0]
        path = self._folder / EVIDENCE / f"changes-{last.version}-{last.head.hex()[:16]}.json"
        versions = [
            {"checkpoint": _text(one), "changes": [*map(_base64, changes.packed())]}
            for one, changes in shown
        ]
        document = {"registry": self._registry, "known": _text(known), "versions": versions}
        if not path.exists():
            self._write(path, json.dumps(document, indent=1).encode())
        return path

    def evidence(self) -> list[Path]:
        """All files of it."""
        folder = self._folder / EVIDENCE
        return sorted([*folder.glob("fork-*.json"), *folder.glob("changes-*.json")])

    def _read(self, text: bytes) -> Checkpoint:
        return read_checkpoint(text, self._registry, self._authority)

    def _write(self, path: Path, content: bytes) -> None:
        try:
            keep_private(path.parent)
            write_durably(path, content)
        except OSError as error:
            raise _told(path, error) from error


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _text(checkpoint: Checkpoint) -> str:
    return _base64(text_of(checkpoint))


def _told(path: Path, error: OSError) -> OperatorError:
    return OperatorError(
        f"{path}: {error.strerror or type(error).__name__}",
        remedy="check space and rights of the folder, then sync again",
    )
