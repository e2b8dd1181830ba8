"""A lender's end of the registry: submit events, follow the published list.

    submit   `sending.py`
    sync     latest checkpoint ► delta from our own version, or snapshot ► verify ► index

Invariants:
- The index only takes rows whose digest is in a checkpoint that the registry signed and that
  follows the last one known here, after a delta as after a snapshot. A fork, or a delta that leads
  elsewhere, changes nothing and leaves what was signed as evidence.
- A version that cannot be read stops nobody: its checkpoint is in the chain, and the newest list
  is taken whole.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import grpc

from client.exchange.content import (
    After,
    Content,
    composed,
    content_after,
    content_of,
    verified_rows,
)
from client.exchange.known_list import KnownList
from client.exchange.progress import Progress, no_progress
from client.exchange.proposals import check_waiting
from client.exchange.reaching import OvertakenError, named_errors
from client.exchange.sending import PATIENCE, Sender
from client.exchange.submissions import Submissions
from client.exchange.versions import Step, paged, steps_after
from shared.blacklist.checkpoint import (
    Checkpoint,
    ContentReader,
    ForkError,
    check_follows,
    check_signer,
    read_checkpoint,
)
from shared.blacklist.rows import Changes, Row
from shared.blacklist.state import EntryState
from shared.blacklist.waiting import WaitingEntry, WaitingProposal, read_waiting
from shared.errors import InternalError, OperatorError, PeerError
from shared.secure_sum.encoding import read_text
from shared.wire import registry_pb2 as wire
from shared.wire.registry_pb2_grpc import RegistryStub

STALE = timedelta(days=3)
SNAPSHOTS = 3


class Index(Protocol):
    """Where verified rows go (`client.exchange.index.ListIndex`)."""

    @property
    def version(self) -> int:
        """The version it holds; 0: none."""

    def replace(self, rows: Iterable[Row], version: int) -> None:
        """Take over a whole list; nothing changes when reading the rows raises."""

    def apply(self, changes: Changes, version: int) -> None:
        """Go on to a later version."""

    def group(self, number: int) -> list[Row]:
        """The rows of a group (`bucket_of`), in order."""


@dataclass(frozen=True)
class Synced:
    """`touched`: tags that were listed before and whose rows are others now, None after a snapshot;
    `stale`: the registry published
    nothing for days, although it does daily.
    """

    version: int
    rows: int
    epochs: tuple[int, ...]
    touched: frozenset[bytes] | None
    stale: bool


class RegistryClient(Sender):
    """Over a channel to the registry with the code `registry`. `authority`: DER; `clock`: the time
    with a zone; `sleep` waits that many seconds between attempts.
    """

    def __init__(
        self,
        channel: grpc.Channel,
        registry: str,
        authority: bytes,
        submissions: Submissions,
        known: KnownList,
        *,
        clock: Callable[[], datetime],
        sleep: Callable[[float], None] = time.sleep,
        attempts: int = 6,
    ) -> None:
        stub: Any = RegistryStub(channel)  # type: ignore[no-untyped-call]
        super().__init__(
            stub, registry, authority, submissions, clock=clock, sleep=sleep, attempts=attempts
        )
        self._known = known

    def sync(self, index: Index, progress: Progress = no_progress) -> Synced:
        """Bring the index to the registry's latest version; `progress`: of a snapshot's rows.

        ForkError: the registry contradicts itself; evidence is kept. PeerError: what came is not
        what was signed, or older than what is known. OperatorError: unreachable, or the disk.
        """
        try:
            return self._sync(index, progress)
        except ForkError as fork:
            self._say_where(fork)
            raise

    def checkpoint(self) -> Checkpoint:
        """The last one this lender took; nobody is asked. OperatorError before the first sync."""
        known = self._known.checkpoint()
        if known is None:
            raise OperatorError(
                "this lender has no checkpoint yet", remedy="lianfang-client list sync"
            )
        return known

    def compare(self, text: bytes) -> tuple[Checkpoint, Checkpoint]:
        """Check a checkpoint that another member received against the last one here; this and that.
        Nobody is asked. ForkError, with evidence kept, when the registry showed the two members
        different lists; PeerError for what it did not sign, or versions that cannot be compared.
        """
        other, known = read_checkpoint(text, self._registry, self._authority), self.checkpoint()
        if abs(other.version - known.version) > 1:
            raise PeerError(
                f"version {other.version} of the list there cannot be compared with version "
                f"{known.version} here: only the same version or the next can",
                remedy="sync both members, then compare again",
            )
        first, second = sorted((known, other), key=lambda one: one.version)
        try:
            check_follows(first, second)
        except ForkError as fork:
            self._say_where(fork)
            raise
        return known, other

    def own(self) -> list[EntryState]:
        """This lender's own live entries, as the registry has them."""
        entries = self._call(lambda: list(self._stub.Own(wire.OwnRequest(), timeout=PATIENCE)))
        return [read_text(EntryState, entry.state) for entry in entries]

    def waiting(self) -> list[WaitingEntry | WaitingProposal]:
        """What waits for a second institution. PeerError when a proposal is not signed by the
        member it names.
        """
        items = self._call(
            lambda: list(self._stub.Waiting(wire.WaitingRequest(), timeout=PATIENCE))
        )
        found = [read_waiting(item.waiting) for item in items]
        for one in found:
            check_waiting(one, self._registry, self._authority, self._clock())
        return found

    def _say_where(self, fork: ForkError) -> None:
        """Keep the evidence and say where it is."""
        path = self._known.accuse(fork)
        fork.remedy = f"{fork.remedy}; both are in {path}"

    def _sync(self, index: Index, progress: Progress) -> Synced:
        known = self._known.checkpoint()
        latest = self._latest()
        if known is not None and latest.version < known.version:
            raise PeerError(
                f"the registry shows version {latest.version}; version {known.version} is known",
                remedy="nothing was changed; ask the operator whether an old backup was restored",
            )
        if known is not None and latest.version == known.version:
            check_follows(known, latest)
        touched: frozenset[bytes] | None = frozenset()
        if known is None or index.version != known.version:
            known = self._take_snapshot(known, index, progress)
            touched = None
        steps = self._steps(known)
        if any(step.changes is None for step in steps):
            known, touched = self._take_snapshot(known, index, progress), None
            steps = self._steps(known)
        if steps:
            changes = composed([step.needed for step in steps])
            after = self._after(known, index, steps, changes)
            if after is None:  # the copy here is damaged
                known, touched = self._take_snapshot(known, index, progress), None
            else:
                known = steps[-1].checkpoint
                index.apply(changes, known.version)
                self._known.keep(known, after.content)
                touched = None if touched is None else after.touched
        age = self._clock().timestamp() - known.at
        stale = age > STALE.total_seconds()
        return Synced(known.version, known.rows, known.epochs, touched, stale)

    def _after(
        self, known: Checkpoint, index: Index, steps: Sequence[Step], changes: Changes
    ) -> After | None:
        """What the index will hold after the steps; PeerError, and evidence is kept, when that is
        not what was signed. None: the index is not at `known`.
        """
        content = self._known.content(known) or content_of(index)
        last = steps[-1].checkpoint
        if not content.is_of(known):
            return None
        after = content_after(index, content, changes)
        if after is not None and not after.content.is_of(last):
            shown = [(step.checkpoint, step.needed) for step in steps]
            path = self._known.accuse_of_changes(known, shown)
            raise PeerError(
                f"the changes of version {last.version} do not lead to the list it is signed for: "
                "nothing was changed",
                remedy="stop using this registry and show the other members what it signed; "
                f"it is in {path}",
            )
        return after

    def _latest(self) -> Checkpoint:
        reply = self._call(lambda: self._stub.Latest(wire.LatestRequest(), timeout=PATIENCE))
        if not reply.checkpoint:
            raise OperatorError("the registry has published nothing yet", remedy="sync later")
        return self._fresh(reply.checkpoint)

    def _fresh(self, text: bytes) -> Checkpoint:
        """A checkpoint whose signer is still certified."""
        checkpoint = read_checkpoint(text, self._registry, self._authority)
        check_signer(checkpoint, self._registry, self._authority, self._clock())
        return checkpoint

    def _steps(self, known: Checkpoint) -> list[Step]:
        """All versions after `known`, each of them following the one before."""
        request = wire.DeltaRequest(since=known.version)
        versions = self._call(
            lambda: list(
                paged(self._stub.Delta(request, timeout=PATIENCE), self._registry, self._authority)
            )
        )
        steps = steps_after(known, versions)
        if steps:
            last = steps[-1].checkpoint
            check_signer(last, self._registry, self._authority, self._clock())
        return steps

    def _take_snapshot(
        self, known: Checkpoint | None, index: Index, progress: Progress
    ) -> Checkpoint:
        """Replace the index by the latest version, which must follow from `known`; again when a
        newer one comes meanwhile, `SNAPSHOTS` times in all.
        """
        for left in reversed(range(SNAPSHOTS)):
            try:
                return self._one_snapshot(known, index, progress)
            except OvertakenError:
                if not left:
                    raise
        raise InternalError("no snapshot was tried")

    def _one_snapshot(
        self, known: Checkpoint | None, index: Index, progress: Progress
    ) -> Checkpoint:
        stream, first = self._call(self._begun_snapshot)
        if first is None or not first.checkpoint:
            raise PeerError("a snapshot came without its checkpoint")
        checkpoint = self._fresh(first.checkpoint)
        if known is not None and checkpoint.version < known.version:
            raise PeerError("a snapshot is older than the version known here")
        if known is not None:
            self._check_descends(known, checkpoint)
        with named_errors():
            content = ContentReader()
            rows = verified_rows(stream, checkpoint, content, progress(checkpoint.rows))
            index.replace(rows, checkpoint.version)
        self._known.keep(checkpoint, Content(content.groups, content.rows))
        return checkpoint

    def _begun_snapshot(self) -> tuple[Any, wire.Page | None]:
        stream = self._stub.Snapshot(wire.SnapshotRequest(), timeout=10 * PATIENCE)
        return stream, next(stream, None)

    def _check_descends(self, known: Checkpoint, checkpoint: Checkpoint) -> None:
        if checkpoint.version == known.version:
            check_follows(known, checkpoint)
            return
        for step in self._steps(known):
            if step.checkpoint.version == checkpoint.version:
                check_follows(step.checkpoint, checkpoint)
                return
        raise PeerError("a snapshot's version is not among the versions since ours")
