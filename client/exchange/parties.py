"""Whom a desk speaks with, by the methods it uses: whoever has them may stand in, also without a
network (`client.exchange.holders.Holders`, `client.exchange.registry.RegistryClient`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from client.exchange.progress import Progress as Progress
from client.exchange.progress import no_progress as no_progress
from shared.blacklist.checkpoint import Checkpoint
from shared.blacklist.events import Event
from shared.blacklist.state import EntryState
from shared.blacklist.waiting import WaitingEntry, WaitingProposal
from shared.tokens.signed_keys import SignedKeys

if TYPE_CHECKING:
    from client.exchange.holders import Asking
    from client.exchange.registry import Index, Synced
    from client.exchange.submissions import Settled


class TokenKey(Protocol):
    """The key holders (`client.exchange.holders.Holders`)."""

    def pinned(self) -> Collection[int]:
        """The epochs a key was seen of; nobody is asked."""

    def key_sets(self) -> Mapping[int, SignedKeys]:
        """What is in use, by epoch, asked anew."""

    def left(self, epochs: Collection[int]) -> frozenset[int]:
        """Those of the epochs that as many holders as the threshold show no more."""

    def in_parts(
        self, inputs: Sequence[bytes], asking: Asking, *, epoch: int | None = None
    ) -> Iterable[tuple[Sequence[bytes], NDArray[np.uint8]]]:
        """Distinct inputs in parts, each with the key's outputs (m, 64), as they are answered."""


class TheRegistry(Protocol):
    """The registry (`client.exchange.registry.RegistryClient`)."""

    def submit(self, events: Sequence[Event], progress: Progress = no_progress) -> list[Settled]:
        """Keep and send; the answers."""

    def send_pending(self) -> int:
        """Send what was kept and not answered; how many events were answered."""

    def sync(self, index: Index, progress: Progress = no_progress) -> Synced:
        """Bring the index to the latest version."""

    def checkpoint(self) -> Checkpoint:
        """The last checkpoint this lender took."""

    def compare(self, text: bytes) -> tuple[Checkpoint, Checkpoint]:
        """This lender's checkpoint and another member's, if they are of one list."""

    def own(self) -> list[EntryState]:
        """This lender's own live entries."""

    def waiting(self) -> list[WaitingEntry | WaitingProposal]:
        """What waits for a second institution; of proposals the signatures are checked."""
