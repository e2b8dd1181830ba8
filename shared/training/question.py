"""What the coordinator asks every lender to add up.

Invariants:
- A question is derived from the agreement and the totals released so far, so coordinator and
  lender derive the same one, and the coordinator cannot slip in another.
- The answer is an int64 vector; only the sum of all lenders' vectors is ever released. Integer
  sums do not depend on the order or grouping of lenders, so neither does the model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.errors import PeerError

RING_BITS = 31
"""A total must stay within ± 2**31, so that a 32-bit ring can carry it."""


@dataclass(frozen=True)
class Question:
    """One stage of a run. A real number x travels as round(x · 2**fraction_bits).

    `purpose` says in plain words what the numbers are for. Values from `counts_from` on are counts
    or losses, which are never negative; None where all may be.
    """

    stage: str
    length: int
    fraction_bits: int
    purpose: str
    counts_from: int | None = None

    def check(self, vector: NDArray[np.int64]) -> NDArray[np.int64]:
        """The vector itself, when it has the asked length and fits the ring; else PeerError."""
        if vector.ndim != 1 or len(vector) != self.length or vector.dtype.kind != "i":
            raise PeerError(
                f"stage {self.stage}: expected {self.length} integers, "
                f"got {vector.dtype} of shape {vector.shape}"
            )
        if len(vector) and max(int(vector.max()), -int(vector.min())) >= 2**RING_BITS:
            raise PeerError(f"stage {self.stage}: a value does not fit {RING_BITS} bits")
        if self.counts_from is not None and (vector[self.counts_from :] < 0).any():
            raise PeerError(f"stage {self.stage}: a count is negative")
        return vector.astype(np.int64, copy=False)


def fraction_bits(rows: int, *, most: int = 16) -> int:
    """Bits after the point so that `rows` values of at most 1 add up within the ring.

    At least 4 (134 million rows); raises PeerError above that.
    """
    bits = min(most, RING_BITS - max(1, int(rows).bit_length()))
    if bits < 4:
        raise PeerError(f"{rows} rows are more than one 32-bit sum can carry")
    return bits
