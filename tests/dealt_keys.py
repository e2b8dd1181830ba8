"""A key made in one place and dealt out, and the key of shares: what holders never do."""

from __future__ import annotations

from shared.tokens.group import ORDER, Group, RandomBytes, random_numbers
from shared.tokens.keys import KeySet, KeyShare
from shared.tokens.sharing import commitments, lagrange, public_share, share


def deal(
    group: Group, context: str, epoch: int, threshold: int, holders: int, random: RandomBytes
) -> tuple[KeyShare, ...]:
    """A fresh key's shares of holders 1 to n."""
    coefficients = random_numbers(threshold, random)
    committed = commitments(group, coefficients)
    publics = tuple(
        public_share(group, committed, index).tobytes() for index in range(1, holders + 1)
    )
    keys = KeySet(context, epoch, 1, threshold, committed[0].tobytes(), publics)
    return tuple(
        KeyShare(keys, index, share(coefficients, index)) for index in range(1, holders + 1)
    )


def combine(shares: dict[int, int]) -> int:
    """The secret of a quorum's shares by index."""
    quorum = tuple(shares)
    return sum(lagrange(index, quorum) * value for index, value in shares.items()) % ORDER
