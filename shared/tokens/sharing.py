"""Shamir's secret sharing over the order of the group, and Feldman's commitments to it.

Holders are numbered from 1; the secret is the polynomial's value at 0. A commitment is the
coefficient times the generator, so everybody can compute the public share of every holder.

Source: Shamir, CACM 1979; Feldman, FOCS 1987.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from shared.errors import InternalError
from shared.tokens.group import ORDER, Group, Points, scalars_of


def lagrange(index: int, quorum: Sequence[int], at: int = 0) -> int:
    """What share `index` is multiplied by so that the quorum's products add up to the polynomial's
    value `at` 0 (the secret) or elsewhere: the product of (j - at) / (j - index) over the others.

    InternalError unless the quorum is of different positive numbers below ORDER, `index` and not
    `at` among them: a coefficient of zero would drop a share.
    """
    members = set(quorum)
    good = len(members) == len(quorum) and index in members and at not in members
    if not good or any(not 0 < holder < ORDER for holder in quorum):
        raise InternalError("a quorum is different positive numbers, the holder's among them")
    above, below = 1, 1
    for other in quorum:
        if other != index:
            above = above * (other - at) % ORDER
            below = below * (other - index) % ORDER
    return above * pow(below, -1, ORDER) % ORDER


def share(coefficients: Sequence[int], index: int) -> int:
    """The polynomial's value at `index`; `coefficients` from the constant (the secret) upwards."""
    value = 0
    for coefficient in reversed(coefficients):
        value = (value * index + coefficient) % ORDER
    return value


def commitments(group: Group, coefficients: Sequence[int]) -> Points:
    """(t, 32): each coefficient, none of them zero, times the generator."""
    return group.multiply_base(scalars_of(coefficients))


def public_share(group: Group, committed: Points, index: int) -> Points:
    """(1, 32): the generator times share `index`, from the commitments (t, 32) alone.

    InvalidPointError where a commitment is not an element, or the share is zero.
    """
    if len(committed) > 1:
        powers = scalars_of(pow(index, power, ORDER) for power in range(1, len(committed)))
        rest = group.multiply(committed[1:], powers)
        committed = group.total(np.concatenate([committed[:1], rest]))
    group.check(committed)
    return committed
