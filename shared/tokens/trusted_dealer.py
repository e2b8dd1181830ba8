"""A key made in one place and dealt out: for the demo, where one process is everybody anyway.

Invariants:
- It refuses every profile but `demo`: whoever runs it has the whole key.
"""

from __future__ import annotations

from shared.errors import OperatorError
from shared.tokens.group import Group, RandomBytes, random_numbers
from shared.tokens.keys import KeySet, KeyShare
from shared.tokens.sharing import commitments, public_share, share


def deal(
    group: Group,
    context: str,
    epoch: int,
    threshold: int,
    holders: int,
    random: RandomBytes,
    *,
    profile: str,
) -> tuple[KeyShare, ...]:
    """A fresh key's shares of holders 1 to n; OperatorError unless the profile is `demo`."""
    if profile != "demo":
        raise OperatorError(
            f"a key is not dealt from one place in the profile {profile}",
            remedy="let the holders make it together: lianfang-server keys",
        )
    coefficients = random_numbers(threshold, random)
    committed = commitments(group, coefficients)
    publics = tuple(
        public_share(group, committed, index).tobytes() for index in range(1, holders + 1)
    )
    keys = KeySet(context, epoch, 1, threshold, committed[0].tobytes(), publics)
    return tuple(
        KeyShare(keys, index, share(coefficients, index)) for index in range(1, holders + 1)
    )
