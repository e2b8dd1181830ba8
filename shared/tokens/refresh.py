"""What a ceremony makes of the dealings: the key set and each holder's share, fresh or renewed.

A renewal adds polynomials that are zero at zero to the shares: the key stays, every share changes,
and a share of one generation does not combine with one of another (Herzberg and others, CRYPTO
1995). Whoever stole fewer than t shares before has nothing after.

Invariants:
- The public side follows from commitments alone, so every holder computes the same.
- A share is handed out only if it is the one the key set commits to.
"""

from __future__ import annotations

from collections.abc import Sequence

from shared.errors import InternalError, PeerError
from shared.tokens.ceremony_statements import Dealing, Opening
from shared.tokens.dealing import rows_of, value_at
from shared.tokens.group import ORDER, Group, points_of
from shared.tokens.keys import KeySet, KeyShare, check_keys, check_share


def keys_of(
    group: Group, opening: Opening, dealings: Sequence[Dealing], renewed: KeySet | None
) -> KeySet:
    """The key set of all dealings, checked before. PeerError where a sum is no key."""
    columns = zip(*(dealing.commitments for dealing in dealings), strict=True)
    summed = [group.total(points_of(column)).tobytes() for column in columns]
    first = 0 if renewed is None else 1
    values = [
        value_at(group, summed, index, first=first) for index in range(1, len(opening.holders) + 1)
    ]
    if renewed is not None:
        values = list(rows_of(group.add(points_of(renewed.shares), points_of(values))))
    public = summed[0] if renewed is None else renewed.public
    keys = KeySet(
        opening.context,
        opening.epoch,
        opening.generation,
        opening.threshold,
        public,
        tuple(values),
    )
    check_keys(group, keys)
    return keys


def new_share(
    group: Group, keys: KeySet, index: int, received: Sequence[int], renewed: KeyShare | None
) -> KeyShare:
    """The holder's share: the sum of what all dealers dealt it, on top of the one it had."""
    secret = (sum(received) + (renewed.secret if renewed else 0)) % ORDER
    try:
        share = KeyShare(keys, index, secret)
        check_share(group, share)
    except InternalError as error:
        raise PeerError("the shares dealt do not add up to one of these keys") from error
    return share
