"""The key of an epoch, as it is proposed: its holders' key set, and the digest that stands for it.

Invariants:
- Two epochs have two digests, even under one key: the epoch's number is in it. The generation of
  the shares is not.
"""

from __future__ import annotations

from hashlib import sha256

from shared.errors import PeerError
from shared.identity.certificate import CODE
from shared.tokens.keys import KeySet
from shared.tokens.signed_keys import SignedKeys


def epoch_digest(keys: KeySet) -> bytes:
    """32 bytes that stand for an epoch's key, whatever generation its shares are of."""
    parts = (keys.context, keys.epoch, keys.public.hex())
    return sha256(b"lianfang/epoch/v1\0" + repr(parts).encode()).digest()


def check_form(signed: SignedKeys, epoch: int) -> None:
    """PeerError unless the key set is of this epoch and names one holder, by its code, for each of
    its shares. Whether they signed it is `shared.tokens.signed_keys.check_signed`'s to say.
    """
    if signed.keys.epoch != epoch:
        raise PeerError("the key set of an epoch is of another epoch")
    if not len(signed.holders) == len(signed.keys.shares) == len({*signed.holders}):
        raise PeerError("a key set has one share for each of its holders, named once")
    if not all(CODE.fullmatch(holder) for holder in signed.holders):
        raise PeerError("a key set names its holders by their codes")
