"""Proposals that a key epoch answers: made and consented to only over keys that the holders show.

Invariants:
- Whatever another lender proposes, and whatever the registry shows, this lender asks the holders
  itself before it stands behind a key.
"""

from __future__ import annotations

from client.exchange.parties import TokenKey
from shared.blacklist.epoch_keys import epoch_digest
from shared.blacklist.events import OpenEpoch
from shared.errors import OperatorError
from shared.tokens.signed_keys import SignedKeys


def key_to_open(holders: TokenKey, epoch: int | None) -> SignedKeys:
    """The signed key of this epoch, or of the last one; OperatorError when no holder has it."""
    in_use = holders.key_sets()
    number = max(in_use) if epoch is None else epoch
    if number not in in_use:
        raise OperatorError(
            f"the key holders have no key of epoch {number}; they have "
            f"{', '.join(map(str, sorted(in_use)))}",
            remedy="the holders' operators make it: lianfang-server keys rotate",
        )
    return in_use[number]


def check_shown(holders: TokenKey, proposed: OpenEpoch) -> None:
    """OperatorError unless the holders show this lender the key proposed, whatever its generation,
    and are those that signed it.
    """
    shown = holders.key_sets().get(proposed.epoch)
    if (
        shown is None
        or epoch_digest(shown.keys) != epoch_digest(proposed.keys.keys)
        or {*shown.holders} != {*proposed.keys.holders}
    ):
        raise OperatorError(
            "the key holders do not show this lender the key proposed as epoch "
            f"{proposed.epoch}: nothing was sent",
            remedy=f"ask {proposed.member}, who proposed it, and the holders' operators",
        )
