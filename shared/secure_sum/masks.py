"""The masks of a round: one of a lender's own, and one it shares with every other member.

    y_i = q_i + PRG(HKDF(b_i; T)) + Σ_{j>i} PRG(k_ij) − Σ_{j<i} PRG(k_ij)     mod 2**32

b_i is the seed of lender i's self-mask; i < j by their places on the roll. Every key is derived
with T, the round's name, as salt, so it serves one RoundOpen and no other.

Source: Bonawitz et al., CCS 2017, section 4; HKDF: RFC 5869.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shared.secure_sum.suite import Suite

Keys = tuple[list[bytes], list[bytes]]
"""Keys of streams to add, and of streams to subtract."""


def self_key(suite: Suite, seed: bytes, name: bytes) -> bytes:
    """Stream key of a lender's own mask in the round `name`; `seed`: 32 bytes."""
    return suite.derive(seed, name, b"lianfang/self-mask")


def pair_keys(
    suite: Suite, mask: bytes, place: int, others: Sequence[tuple[int, bytes]], name: bytes
) -> Keys:
    """Stream keys between the member at `place` of the roll (its mask key's seed) and others,
    each a place and a public mask key: to add for those after it, to subtract for those before.
    """
    added: list[bytes] = []
    subtracted: list[bytes] = []
    agreed = suite.agree_many(suite.private_key(mask), [public for _, public in others])
    for (other, _), secret in zip(others, agreed, strict=True):
        low, high = sorted((place, other))
        info = b"lianfang/pair-mask" + low.to_bytes(4, "big") + high.to_bytes(4, "big")
        (added if other > place else subtracted).append(suite.derive(secret, name, info))
    return added, subtracted


def add_masks(
    suite: Suite,
    values: NDArray[np.uint32],
    name: bytes,
    secrets: tuple[bytes, bytes],
    place: int,
    publics: Sequence[bytes],
) -> None:
    """Mask `values` in place. `secrets`: mask key's seed and self-mask seed; `publics`: the mask
    keys of the whole roll in order.
    """
    others = [(other, public) for other, public in enumerate(publics) if other != place]
    added, subtracted = pair_keys(suite, secrets[0], place, others, name)
    suite.add_streams(values, [self_key(suite, secrets[1], name), *added], subtracted)
