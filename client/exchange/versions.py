"""Versions of the list between the one known here and the latest, as the registry shows them.

Invariants:
- Every version follows the one before it, and its changes are those its checkpoint is signed for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from shared.blacklist.checkpoint import Checkpoint, check_follows, read_checkpoint
from shared.blacklist.rows import Changes, read_pages
from shared.errors import PeerError
from shared.wire import registry_pb2 as wire

Pages = tuple[Checkpoint, list[bytes]]


@dataclass(frozen=True)
class Step:
    """A version on the way; `changes` None: not kept by the registry, or not readable."""

    checkpoint: Checkpoint
    changes: Changes | None

    @property
    def needed(self) -> Changes:
        """The changes; PeerError where there are none."""
        if self.changes is None:
            raise PeerError("the registry has no changes of a version newer than its own snapshot")
        return self.changes


def paged(stream: Iterable[wire.Page], registry: str, authority: bytes) -> Iterator[Pages]:
    """Checkpoints, signed by `registry` under `authority` (DER), each with its pages."""
    current: Pages | None = None
    for message in stream:
        if message.checkpoint:
            if current is not None:
                yield current
            current = (read_checkpoint(message.checkpoint, registry, authority), [])
        if current is None:
            raise PeerError("a page came before its checkpoint")
        if message.page:
            current[1].append(message.page)
    if current is not None:
        yield current


def steps_after(known: Checkpoint, versions: Iterable[Pages]) -> list[Step]:
    """The versions after `known`. ForkError where one does not follow, PeerError where its changes
    are not those signed.
    """
    steps: list[Step] = []
    for checkpoint, pages in versions:
        check_follows(known, checkpoint)
        changes = _read(pages)
        if changes is not None and changes.digest() != checkpoint.changes:
            raise PeerError(f"the changes of version {checkpoint.version} are not those signed")
        steps.append(Step(checkpoint, changes))
        known = checkpoint
    return steps


def _read(pages: Sequence[bytes]) -> Changes | None:
    """None for no pages, or pages that are not in the form agreed on."""
    try:
        return read_pages(pages) if pages else None
    except PeerError:
        return None
