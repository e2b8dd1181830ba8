"""The stronger mode: members answer under the secure sum, and nobody sees but totals.

    asker ─ tokens, filled up with random ones ─► coordinator ─► every member
    member ─ own counts of each token, masked (shared/secure_sum) ─► coordinator: the total
    coordinator ─ the total ─► asker, which takes its own counts off and bands what is left

Invariants:
- A member counts its own events only, each cell for itself: lenders add up, since a lender is in a
  sum once. A token it does not know gives zeros.
- The asker adds its own counts like everybody and takes them off at home. Had it added zeros,
  whoever holds two askers' totals of one token could subtract them and read one lender's counts.
- The number of tokens is fixed by the batch, not by who is asked about.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from shared.borrowing.answer import Bands
from shared.borrowing.cells import CELLS, PLACE, banded
from shared.borrowing.events import Events
from shared.borrowing.tally import NOBODY, Asked, Told, tally
from shared.borrowing.terms import NO_RECORD
from shared.borrowing.tokens import TOKEN_BYTES
from shared.errors import InternalError, PeerError

Ints = NDArray[np.int64]
_COUNTED = tuple(
    cell.name
    for cell in CELLS
    if cell.name.endswith("_all") or "_night_" in cell.name or "_weekend_" in cell.name
)
ASKED_NAMES = (*_COUNTED, "record")
"""Cells of all lenders together (a class could name one), and whether there is a record."""
ASKED_CELLS = len(ASKED_NAMES)
_PLACES = [PLACE[name] for name in _COUNTED]
UNKNOWN = -1
"""A token that a member has no events of."""
MOST = 255
"""A member tells no larger count: no total overflows, and a band ends far below."""


def batch_digest(ledger: bytes, tokens: Sequence[bytes], day: int) -> bytes:
    """32 bytes that name a batch: the `run` of its round's Payload (shared/secure_sum).

    Every member computes it from what it was asked, so that masks cancel only where all were asked
    the same; PeerError when tokens are not 32 bytes each or one comes twice.
    """
    if len(set(tokens)) != len(tokens) or any(len(token) != TOKEN_BYTES for token in tokens):
        raise PeerError("a batch of tokens that are not 32 bytes each, or of one token twice")
    head = b"lianfang/borrowing/batch/v1\0" + ledger + day.to_bytes(4, "big")
    return sha256(head + b"".join(tokens)).digest()


def own_counts(events: Events, subject: NDArray[np.int64], day: int) -> Ints:
    """A member's numbers for a batch, (m · ASKED_CELLS,), of its own events.

    `subject`: (m,) its own index of each asked token, or UNKNOWN. InternalError when the events
    are of several lenders.
    """
    if len(events) and (events.lender != events.lender[0]).any():
        raise InternalError("a member answers from its own events")
    classes = np.zeros(int(events.lender.max()) + 1 if len(events) else 1, dtype=np.uint8)
    each = np.broadcast_to(np.int64(day), subject.shape)
    nobody = np.broadcast_to(np.int64(NOBODY), subject.shape)
    values = tally(Told.of(events), Asked(subject, each, nobody), classes)
    known = (values != NO_RECORD).any(axis=1)
    counts = np.where(known[:, None], values[:, _PLACES], 0)
    return np.concatenate([np.minimum(counts, MOST), known[:, None]], axis=1).reshape(-1)


def asked_bands(total: Ints, own: Ints) -> Bands:
    """Bands of the others' counts, (m, ASKED_CELLS - 1); NO_RECORD where they have none.

    PeerError when the total is less than the asker's own part, or no batch.
    """
    if total.shape != own.shape or len(total) % ASKED_CELLS:
        raise PeerError("a total about borrowing of another length than was asked for")
    others = (total - own).reshape(-1, ASKED_CELLS)
    if (others < 0).any():
        raise PeerError("a total about borrowing is below the own part in it")
    counts = np.full((len(others), len(CELLS)), NO_RECORD, dtype=np.int64)
    counts[:, _PLACES] = np.where(others[:, -1:] > 0, others[:, :-1], NO_RECORD)
    return banded(counts)[:, _PLACES]
