"""RFC 9497 for ristretto255-SHA512: hashing into the group, and the output.

Only what the exchange needs is here: mode VOPRF (0x01). The other modes share every function; what
they add (a tweaked key) is in the tests that reproduce the vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha512

import numpy as np
from numpy.typing import NDArray

from shared.tokens.group import ORDER, WIDE, WIDTH, Group, Points

OPRF, VOPRF, POPRF = 0x00, 0x01, 0x02
LONGEST = 2**16 - 1
"""Bytes of an input (RFC 9497 section 1.2)."""

_BLOCK, _DIGEST = 128, 64


@dataclass(frozen=True)
class Suite:
    """ristretto255-SHA512 in one mode; `context` separates its hashes from all other uses."""

    mode: int = VOPRF

    @property
    def context(self) -> bytes:
        """contextString of RFC 9497 section 3.1."""
        return b"OPRFV1-%c-ristretto255-SHA512" % self.mode

    def uniform(self, inputs: Sequence[bytes]) -> NDArray[np.uint8]:
        """(n, 64): what HashToGroup maps to the group (RFC 9497 section 4.1)."""
        packed = b"".join(expand_many(inputs, b"HashToGroup-" + self.context))
        return np.frombuffer(packed, np.uint8).reshape(-1, WIDE)

    def hash_to_group(self, group: Group, inputs: Sequence[bytes]) -> Points:
        """(n, 32): the group element of each input."""
        return group.from_uniform(self.uniform(inputs))

    def hash_to_scalar(self, message: bytes) -> int:
        """A number below ORDER."""
        return int.from_bytes(expand(message, b"HashToScalar-" + self.context), "little") % ORDER


def finalize(inputs: Sequence[bytes], elements: Points) -> NDArray[np.uint8]:
    """(n, 64): the output of each input with its unblinded element (n, 32): section 3.3.1."""
    packed, outputs = elements.tobytes(), []
    for place, item in enumerate(inputs):
        element = packed[place * WIDTH : (place + 1) * WIDTH]
        text = b"%b%b\x00\x20%bFinalize" % (len(item).to_bytes(2, "big"), item, element)
        outputs.append(sha512(text).digest())
    return np.frombuffer(b"".join(outputs), np.uint8).reshape(-1, _DIGEST)


def with_length(text: bytes) -> bytes:
    """I2OSP(len(text), 2) || text."""
    return len(text).to_bytes(2, "big") + text


def expand(message: bytes, tag: bytes) -> bytes:
    """64 bytes: expand_message_xmd with SHA-512 (RFC 9380 section 5.3.1)."""
    return expand_many([message], tag)[0]


def expand_many(messages: Sequence[bytes], tag: bytes) -> list[bytes]:
    """64 bytes for each message under the same domain separation tag of at most 255 bytes."""
    domain = tag + len(tag).to_bytes(1, "big")
    first, second = sha512(bytes(_BLOCK)), b"\x01" + domain
    ending, expanded = b"\x00\x40\x00" + domain, []
    for message in messages:
        hashed = first.copy()
        hashed.update(message + ending)
        expanded.append(sha512(hashed.digest() + second).digest())
    return expanded
