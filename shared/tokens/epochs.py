"""Which key sets of a consortium may follow each other, and which of them answer.

    epoch        a key; a new one means new tokens, so contributors file anew
    generation   the same key in new shares

Invariants:
- The public key of an epoch never changes: it is what lenders' tokens stand for.
- A generation only goes up; an epoch, once left, does not come back.
- Numbers grow by at most `MOST_AHEAD` at a time, so that nobody uses them up by one great leap.
- The epoch before goes on answering until it is retired; that is not before `grace_days` have
  passed since the new one was in use, so contributors can file anew and nothing is lost.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, timedelta

from shared.errors import PeerError
from shared.tokens.keys import KeySet

MOST_AHEAD = 100
"""How far the next number may be after the last: ceremonies that came to nothing use up some."""


def check_follows(known: Mapping[int, KeySet], new: KeySet) -> None:
    """PeerError unless `new` may stand beside or after the key sets known by epoch.

    The very same set always may.
    """
    for keys in known.values():
        if keys.context != new.context:
            raise PeerError("a key set of another consortium")
    before = known.get(new.epoch)
    if before is None:
        _check_fresh(known, new)
    elif before != new:
        _check_renewal(before, new)


def check_may_sign(
    signed: Mapping[int, int],
    epoch: int,
    generation: int,
    renews: bool,
    dealt: Mapping[int, int] | None = None,
) -> None:
    """PeerError if a holder that has signed these would sign twice, backwards, or a number more
    than `MOST_AHEAD` after its last. `dealt`: highest generation it has dealt for, by epoch.

    A holder signs one key set of an epoch and generation, so there are never two of them that all
    holders signed. One that came to nothing leaves its number unused. What it dealt for another
    holder may have signed: it must be able to follow, so the limit counts from there as well.
    """
    begun = dealt or {}
    if renews:
        last, tried, number = signed.get(epoch, generation), begun.get(epoch, 0), generation
        what = f"generation {generation} of epoch {epoch}"
    else:
        last, tried, number = max(signed, default=0), max(begun, default=0), epoch
        what = f"epoch {epoch}"
    if number <= last:
        raise PeerError(f"{what} is not after the last signed")
    if number > max(last, tried) + MOST_AHEAD:
        raise PeerError(
            f"{what} is more than {MOST_AHEAD} after the last one here, {max(last, tried)}",
            remedy="ask whoever relays the ceremony; a leap would use up the numbers for good",
        )


def is_leap(known: Collection[int], epoch: int) -> bool:
    """Whether an epoch is further after the last one known than numbers grow; never the first."""
    return bool(known) and epoch > max(known) + MOST_AHEAD


def may_retire(since: Mapping[int, date], epoch: int, today: date, grace_days: int) -> bool:
    """Whether a later epoch has been in use for the grace window; `since`: by epoch."""
    later = [first for other, first in since.items() if other > epoch]
    return bool(later) and min(later) + timedelta(days=grace_days) <= today


def _check_fresh(known: Mapping[int, KeySet], new: KeySet) -> None:
    if known and new.epoch < max(known):
        raise PeerError(f"epoch {new.epoch} is before the last one known, {max(known)}")
    if is_leap(known, new.epoch):
        raise PeerError(
            f"epoch {new.epoch} is more than {MOST_AHEAD} after the last one known, {max(known)}",
            remedy="ask the key holders' operators how it came to that number",
        )
    if any(keys.public == new.public for keys in known.values()):
        raise PeerError(f"epoch {new.epoch} has the key of another epoch")


def _check_renewal(before: KeySet, new: KeySet) -> None:
    if new.public != before.public:
        raise PeerError(
            f"the public key of epoch {new.epoch} is not the one known",
            remedy="keep both: two keys of one epoch, each signed by all holders, are evidence",
        )
    if (new.threshold, len(new.shares)) != (before.threshold, len(before.shares)):
        raise PeerError(f"epoch {new.epoch} has another threshold or number of holders than known")
    if new.generation <= before.generation:
        raise PeerError(f"generation {new.generation} of epoch {new.epoch} is not after the known")
