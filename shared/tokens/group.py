"""The prime-order group ristretto255 behind one small interface, many elements at a time.

Invariants:
- An element is its canonical 32-byte encoding, a scalar 32 little-endian bytes below ORDER; many
  are one C-contiguous array of shape (n, 32), so that a kernel may work on them in place.
- Everything wrong with a point gives the same InvalidPointError: a sender learns nothing more.
- Randomness is passed in.

Source: RFC 9496 (ristretto255); RFC 9497 section 4.1 (what its suite asks of the group).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shared.errors import PeerError

ORDER = 2**252 + 27742317777372353535851937790883648493
"""Number of elements of the group, a prime (RFC 9496 section 4)."""

WIDTH = 32
"""Bytes of an element and of a scalar."""
WIDE = 64
"""Bytes that make one uniform element or scalar."""

Points = NDArray[np.uint8]
"""(n, 32) canonical encodings, C-contiguous."""
Scalars = NDArray[np.uint8]
"""(n, 32) little-endian numbers below ORDER, C-contiguous."""
RandomBytes = Callable[[int], bytes]
"""That many bytes of secret randomness."""


class InvalidPointError(PeerError):
    """Points that are not what the protocol allows; deliberately not said which or why."""

    def __init__(self) -> None:
        super().__init__(
            "the points are not valid elements of the group in a number that the protocol allows",
            remedy="send 8, 64, 512 or 4096 canonical elements other than the identity",
        )


class Group(Protocol):
    """Group arithmetic on whole batches. Every method raises InvalidPointError on points that do
    not decode; where one side has a single row it goes with every row of the other.
    """

    def from_uniform(self, uniform: NDArray[np.uint8]) -> Points:
        """(n, 64) uniform bytes to (n, 32) uniform elements: RFC 9496 section 4.3.4."""

    def multiply(self, points: Points, scalars: Scalars) -> Points:
        """Each point times its scalar. InvalidPointError also where the product is the identity:
        a point that is the identity is refused (RFC 9497 section 2.1), and so is a zero scalar.
        """

    def multiply_base(self, scalars: Scalars) -> Points:
        """The generator times each scalar; InvalidPointError where a scalar is zero."""

    def add(self, left: Points, right: Points) -> Points:
        """Row by row; the identity is allowed."""

    def subtract(self, left: Points, right: Points) -> Points:
        """Row by row; the identity is allowed."""

    def add_all(self, columns: Sequence[Points]) -> Points:
        """Row by row over one column or more; the identity is allowed."""

    def total(self, points: Points) -> Points:
        """(1, 32): the sum of one row or more."""

    def check(self, points: Points) -> None:
        """Return when all rows are canonical elements other than the identity."""


def scalars_of(numbers: Iterable[int]) -> Scalars:
    """(n, 32): each number modulo ORDER."""
    packed = b"".join([(number % ORDER).to_bytes(WIDTH, "little") for number in numbers])
    return np.frombuffer(packed, np.uint8).reshape(-1, WIDTH)


def points_of(encodings: Iterable[bytes]) -> Points:
    """(n, 32) of 32-byte encodings, not checked to be elements; InvalidPointError on a length."""
    rows = list(encodings)
    if any(len(row) != WIDTH for row in rows):
        raise InvalidPointError
    return np.frombuffer(b"".join(rows), np.uint8).reshape(-1, WIDTH)


def random_numbers(count: int, random: RandomBytes) -> list[int]:
    """`count` numbers from 1 to ORDER - 1. 64 bytes each: within 2^-259 of uniform."""
    packed = random(WIDE * count)
    return [
        1 + int.from_bytes(packed[start : start + WIDE], "little") % (ORDER - 1)
        for start in range(0, len(packed), WIDE)
    ]


def inverses(numbers: list[int]) -> list[int]:
    """1 / number modulo ORDER of each, none of them zero, for the price of one inversion.

    Montgomery's trick. Python's integers do not run in constant time: what the time tells is only
    about this machine's own one-time blinds, mixed over the whole batch (docs/protocols/tokens.md).
    """
    prefix, product = [], 1
    for number in numbers:
        prefix.append(product)
        product = product * number % ORDER
    inverse, found = pow(product, -1, ORDER), []
    for number, before in zip(reversed(numbers), reversed(prefix), strict=True):
        found.append(inverse * before % ORDER)
        inverse = inverse * number % ORDER
    return found[::-1]
