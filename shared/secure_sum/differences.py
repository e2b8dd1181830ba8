"""What two sums over different lenders tell together.

Sums over survivor sets S1, S2, … can be added and subtracted, but lenders that were in exactly the
same sets stay together in every combination: they form a class. A class of one is a lender laid
bare, at least in what the two sums have in common.
"""

from __future__ import annotations

from collections.abc import Iterable

from shared.secure_sum.floors import RefusedError


def classes(sets: Iterable[frozenset[str]]) -> list[frozenset[str]]:
    """Lenders grouped by the sets they are in; those in none are left out."""
    kept = list(dict.fromkeys(sets))
    patterns: dict[tuple[bool, ...], set[str]] = {}
    for lender in frozenset().union(*kept):
        patterns.setdefault(tuple(lender in one for one in kept), set()).add(lender)
    return [frozenset(group) for group in patterns.values()]


def check_difference(earlier: Iterable[frozenset[str]], new: frozenset[str], least: int) -> None:
    """RefusedError when `new` beside the earlier sets leaves a class of fewer than `least`."""
    smallest = min(len(group) for group in classes([*earlier, new]))
    if smallest < least:
        raise RefusedError("difference", expected=f"{least} lenders or more", came=smallest)
