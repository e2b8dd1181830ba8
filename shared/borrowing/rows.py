"""The rows of a published table: what they are called, and what opens them.

    name   32 bytes, never published: of the general record its subject token, of a lender's own
           record HMAC(that lender's secret with the desk, its code, subject token)
    tag    HMAC(name, "tag", salt of the version)       key   HMAC(name, "key", salt)

Invariants:
- Tags and keys are others in each version. Were they not, every member could see which rows change
  together, from version to version: a subject's general record and those of the lenders that know
  it, which is their number, exact.
- Who knows the subject's token opens its general record. A lender's own record opens for it alone
  (and for the desk, which made it); nobody else can tell that it is there.
- Sealed records have one size, rows are sorted by tags, and tags look random (RFC 2104, RFC 5869).
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from hmac import digest

import numpy as np
from numpy.typing import NDArray

from shared.borrowing.sealed import SEALED_BYTES

TAG_BYTES = 32
ROW_BYTES = TAG_BYTES + SEALED_BYTES
_DOMAIN = b"lianfang/borrowing/"
Bytes = NDArray[np.uint8]


def ledger_of(context: str, epoch: int) -> bytes:
    """16 bytes under which subject tokens of a consortium and key epoch are made: those of two
    epochs have nothing in common.
    """
    about = context.encode() + b"\0" + epoch.to_bytes(4, "big")
    return sha256(_DOMAIN + b"ledger/v1\0" + about).digest()[:16]


def own_names(own: bytes, lender: str, subjects: Bytes) -> Bytes:
    """(m, 32): names of a lender's own records about subjects (m, 32). The lender's code is in
    them, so no lender can choose a name that is another's, or a general one.
    """
    start = _DOMAIN + b"own/v1\0" + lender.encode() + b"\0"
    return _packed(digest(own, start + one.tobytes(), sha256) for one in subjects)


def tags_of(names: Bytes, salt: bytes) -> Bytes:
    """(m, 32) of names (m, 32), in the version with this salt."""
    return _derived(names, b"tag/v1\0", salt)


def keys_of(names: Bytes, salt: bytes) -> Bytes:
    """(m, 32): the keys of the sealed records; a tag does not help to find its key."""
    return _derived(names, b"key/v1\0", salt)


def _derived(names: Bytes, what: bytes, salt: bytes) -> Bytes:
    about = _DOMAIN + what + salt
    return _packed(digest(one.tobytes(), about, sha256) for one in names)


def _packed(made: Iterable[bytes]) -> Bytes:
    return np.frombuffer(b"".join(made), np.uint8).reshape(-1, 32)
