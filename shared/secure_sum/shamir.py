"""Shamir's secret sharing of 32 bytes over a prime field (Shamir 1979, "How to share a secret").

Invariants:
- Any `threshold` shares give the secret; fewer say nothing about it, not even one bit.
- A share is not authenticated: a changed one gives another secret or PeerError. Whoever combines
  compares with what the owner committed to (a digest, a public key).

Arithmetic on Python integers takes a time that depends on the values; it runs at the owner of the
secret, and at a coordinator for secrets that are no longer one.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from operator import mul

from shared.errors import InternalError, PeerError
from shared.secure_sum.suite import Randomness

PRIME = 2**256 + 297
"""The smallest prime above 2**256, so that every secret of 32 bytes is an element of the field."""

SHARE_BYTES = 33
SECRET_BYTES = 32
MOST_HOLDERS = 2**20
_COEFFICIENT_BYTES = 48  # 128 bits more than the prime has
_LAZY_STEPS = 32


def split(secret: bytes, threshold: int, holders: int, randomness: Randomness) -> list[bytes]:
    """One share of 33 bytes, big-endian, for each holder: the polynomial at x = position + 1.

    The polynomial has degree `threshold` − 1 and the secret (32 bytes) at x = 0; its other
    coefficients are 384 random bits modulo the 257-bit prime, within 2**-127 of uniform, at one
    draw. Raises InternalError unless 2 ≤ threshold ≤ holders ≤ 2**20.
    """
    if len(secret) != SECRET_BYTES or not 2 <= threshold <= holders <= MOST_HOLDERS:
        raise InternalError(f"cannot split {len(secret)} bytes, {threshold} of {holders}")
    falling = [*_coefficients(threshold - 1, randomness), int.from_bytes(secret, "big")]
    blocks = [falling[at : at + _LAZY_STEPS] for at in range(0, threshold, _LAZY_STEPS)]
    return [_value(blocks, x).to_bytes(SHARE_BYTES, "big") for x in range(1, holders + 1)]


def _coefficients(count: int, randomness: Randomness) -> list[int]:
    drawn = randomness(count * _COEFFICIENT_BYTES)
    if len(drawn) != count * _COEFFICIENT_BYTES:
        raise InternalError("the source of randomness gave another number of bytes than asked")
    starts = range(0, len(drawn), _COEFFICIENT_BYTES)
    return [int.from_bytes(drawn[at : at + _COEFFICIENT_BYTES], "big") % PRIME for at in starts]


def _value(blocks: list[list[int]], x: int) -> int:
    """Horner's rule; x is small, so reducing once a block costs less than at every step."""
    value = 0
    for block in blocks:
        for coefficient in block:
            value = value * x + coefficient
        value %= PRIME
    return value


class Combiner:
    """Gives secrets back from the shares at fixed positions; the coefficients are made once."""

    def __init__(self, positions: Sequence[int]) -> None:
        """`positions`: 0-based and distinct, at least the threshold; else InternalError."""
        points = [position + 1 for position in positions]
        if not points or len(set(points)) != len(points) or min(points) < 1:
            raise InternalError("shares are combined at distinct positions from 0 on")
        self._weights = _weights_at_zero(points)

    def secret(self, shares: Sequence[bytes]) -> bytes:
        """The secret, 32 bytes, from one share for each position, in the same order.

        Raises PeerError when a share is not 33 bytes or not below the prime, or when the result is
        no 32 bytes; InternalError for another number of shares. Wrong shares go unnoticed here.
        """
        if len(shares) != len(self._weights):
            raise InternalError(f"expected {len(self._weights)} shares, got {len(shares)}")
        value: int = sum(map(mul, self._weights, map(_element, shares))) % PRIME
        if value >> (8 * SECRET_BYTES):
            raise PeerError("the shares do not belong together: they give no secret")
        return value.to_bytes(SECRET_BYTES, "big")


def _weights_at_zero(points: list[int]) -> list[int]:
    """Lagrange's coefficients at 0: Π_{j≠i} x_j / (x_j − x_i); points are small, so exact first."""
    all_points = prod(points)
    weights: list[int] = []
    for own in points:
        others = prod(other - own for other in points if other != own)
        weights.append(all_points // own * pow(others, -1, PRIME) % PRIME)
    return weights


def _element(share: bytes) -> int:
    value = int.from_bytes(share, "big")
    if len(share) != SHARE_BYTES or value >= PRIME:
        raise PeerError("a share is not an element of the field")
    return value
