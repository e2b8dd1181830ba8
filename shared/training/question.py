"""What the coordinator asks every lender to add up.

Invariants:
- A question is derived from the agreement and the totals released so far, so coordinator and
  lender derive the same one, and the coordinator cannot slip in another.
- The answer is an int64 vector; only the sum of all lenders' vectors is ever released. Integer
  sums do not depend on the order or grouping of lenders, so neither does the model.
- No sum overflows: a lender's numbers stay within its share of the ring (`fraction_bits`), however
  its rows lie.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.errors import PeerError
from shared.secure_sum.fixed_point import lender_bits
from shared.secure_sum.statements import Kind

TOTAL_BITS = 31
"""A total lies within ± 2**31, as a 32-bit ring carries it."""
MOST_BITS, LEAST_BITS = 12, 4
"""Bits after the point of a value of at most 1. More than twelve gain no accuracy
(docs/model-boosted.md); and where all spreads of the rows get twelve, their models are the same."""


@dataclass(frozen=True)
class Question:
    """One stage of a run. A real number x travels as round(x · 2**fraction_bits).

    `kind`: what the numbers are. `clip`: the most that one row adds to one number, in the number's
    own unit; for weights the most that one number can be. `purpose` says it in plain words.
    """

    stage: str
    kind: Kind
    length: int
    fraction_bits: int
    clip: float
    purpose: str

    def check(self, vector: NDArray[np.int64]) -> NDArray[np.int64]:
        """The vector itself, when it has the asked length and fits the ring; else PeerError.

        Counts and losses are never negative.
        """
        if vector.ndim != 1 or len(vector) != self.length or vector.dtype.kind != "i":
            raise PeerError(
                f"stage {self.stage}: expected {self.length} integers, "
                f"got {vector.dtype} of shape {vector.shape}"
            )
        if len(vector) and max(int(vector.max()), -int(vector.min())) >= 2**TOTAL_BITS:
            raise PeerError(f"stage {self.stage}: a value does not fit {TOTAL_BITS} bits")
        if self.kind in ("counts", "losses") and (vector < 0).any():
            raise PeerError(f"stage {self.stage}: a count is negative")
        return vector.astype(np.int64, copy=False)


def fraction_bits(largest: int, lenders: int, clip: int = 1) -> int:
    """Bits f after the point, so that no lender's sum overflows its share of the ring.

    With b = `lender_bits(lenders)` and at most `largest` rows at a lender, each adding at most
    `clip` (a power of two): largest · clip · 2**f < 2**(b-1). f is at most 12 less the bits of
    the clip and at least 4 less them; raises PeerError where not even those fit.
    """
    bits = min(MOST_BITS, lender_bits(lenders) - 1 - max(1, int(largest).bit_length()))
    if bits < LEAST_BITS:
        raise PeerError(
            f"{lenders} lenders, the largest of up to {largest} rows, have more rows than a "
            "32-bit sum can carry"
        )
    return bits - (clip.bit_length() - 1)
