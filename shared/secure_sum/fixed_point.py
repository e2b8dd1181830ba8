"""Whole and real numbers as elements of the ring of integers mod 2**32.

Invariants:
- A total never overflows: each of n lenders stays within `bits` bits, and n · 2**bits ≤ 2**32.
- Whole numbers are exact. Real numbers are clipped and rounded at random so that the rounded value
  has the clipped one as its mean; many roundings do not add up to a drift.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared.errors import InternalError, OperatorError

RING_BITS = 32
MOST_LENDERS = 2**20
_BLOCK = 1 << 16  # values rounded at once, so that temporaries stay in cache


def lender_bits(lenders: int) -> int:
    """Bits each of 1 … 2**20 lenders may use: the largest with lenders · 2**bits ≤ 2**32.

    Values lie in [−2**(bits−1), 2**(bits−1)), so totals lie in [−2**31, 2**31). InternalError for
    another number of lenders.
    """
    if not 1 <= lenders <= MOST_LENDERS:
        raise InternalError(f"a sum has 1 to {MOST_LENDERS} lenders, not {lenders}")
    return RING_BITS - (lenders - 1).bit_length()


def to_ring(vector: NDArray[np.int64], bits: int) -> NDArray[np.uint32]:
    """The vector (n,) in two's complement, in an array of its own.

    Raises OperatorError when a value is outside [−2**(bits−1), 2**(bits−1)); the message holds no
    value. InternalError for another type or `bits` outside 1 … 32.
    """
    if vector.dtype != np.int64 or not 1 <= bits <= RING_BITS:
        raise InternalError(f"cannot put {vector.dtype} into {bits} bits of the ring")
    bound = 1 << (bits - 1)
    if vector.size and not (-bound <= int(vector.min()) and int(vector.max()) < bound):
        raise OperatorError(
            f"own numbers are more than the agreed {bits} bits carry; nothing was sent",
            remedy="take part with fewer rows, or agree on fewer lenders or a smaller scale",
        )
    return vector.astype(np.uint32)


def from_ring(total: NDArray[np.uint32]) -> NDArray[np.int64]:
    """The total (n,) as signed numbers in [−2**31, 2**31)."""
    if total.dtype != np.uint32:
        raise InternalError(f"a total is uint32, not {total.dtype}")
    return total.view(np.int32).astype(np.int64)


def stochastic(
    values: NDArray[np.float64], fraction_bits: int, clip: float, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Values (n,) clipped to ± clip, times 2**fraction_bits, rounded up or down at random.

    A value is rounded up with a probability equal to its fractional part, so the mean is exact to
    2**-53. Nothing is rounded beyond the clip; multiples of 2**-fraction_bits come out exact.
    Raises OperatorError for NaN or infinity, InternalError unless 1 ≤ clip · 2**fraction_bits ≤
    2**31.
    """
    scale = float(2**fraction_bits) if 0 <= fraction_bits < RING_BITS else 0.0
    if not 1 <= clip * scale <= 2 ** (RING_BITS - 1):
        raise InternalError(
            f"a clip of {clip} with {fraction_bits} fraction bits is no fixed point"
        )
    limit = np.floor(clip * scale) / scale  # exact: the scale is a power of two
    rounded = np.empty(len(values), np.int64)
    for start in range(0, len(values), _BLOCK):
        block = values[start : start + _BLOCK]
        if not np.isfinite(block).all():
            raise OperatorError("an own number is not finite; nothing was sent")
        scaled = np.clip(block, -limit, limit) * scale
        below = np.floor(scaled)
        # Comparing, not adding: below + random() could be rounded up to the next whole number.
        below += generator.random(len(block)) < scaled - below
        rounded[start : start + _BLOCK] = below
    return rounded
