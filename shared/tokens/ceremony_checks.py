"""Whether an opening, and what holders said in its ceremony, may be acted on.

Invariants:
- Each check returns nothing or raises PeerError, and none has an effect.
- Nothing is judged before it is known to be signed: whoever is blamed said it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared.errors import InternalError, PeerError
from shared.secure_sum.trust import Trust
from shared.tokens.ceremony_statements import (
    FEWEST_SHARES,
    MOST_HOLDERS,
    MOST_NUMBER,
    Dealing,
    Opening,
    Promise,
    check_signature,
    digest_of,
)
from shared.tokens.keys import KeyShare
from shared.tokens.signed_keys import check_distinct, holder_of


class WrongMoveError(PeerError):
    """What is asked is not allowed in this state of the ceremony."""


@dataclass(frozen=True)
class Terms:
    """What this holder's own operator agreed to; no message changes it."""

    context: str
    threshold: int
    holders: tuple[str, ...]


def check_opening(opening: Opening, terms: Terms, code: str) -> None:
    """That the ceremony is one holder `code`'s operator agreed to, with numbers that can be."""
    if Terms(opening.context, opening.threshold, opening.holders) != terms:
        raise PeerError(
            "a key ceremony is opened for other terms than this holder's operator agreed to",
            remedy="compare context, threshold and holders in the holders' settings",
        )
    count = len(opening.holders)
    if not FEWEST_SHARES <= opening.threshold <= count <= MOST_HOLDERS:
        raise PeerError(f"a threshold of {opening.threshold} of {count} holders is not allowed")
    if code not in opening.holders or len(set(opening.holders)) < count:
        raise PeerError("the holders do not stand there once each, this one among them")
    in_range = 1 <= opening.epoch <= MOST_NUMBER and 1 <= opening.generation <= MOST_NUMBER
    if len(opening.nonce) != 32 or not in_range or (not opening.renews and opening.generation > 1):
        raise PeerError("a key ceremony is opened with a nonce or numbers that cannot be")


def check_renewed(opening: Opening, code: str, renewed: KeyShare | None) -> None:
    """That a renewal is of the very keys this holder has its share of."""
    if bool(opening.renews) != (renewed is not None):
        raise InternalError("a share to renew belongs with a ceremony that renews")
    if renewed is None:
        return
    keys = renewed.keys
    same = (keys.name, keys.context, keys.epoch, keys.threshold, len(keys.shares))
    count = len(opening.holders)
    asked = (opening.renews, opening.context, opening.epoch, opening.threshold, count)
    own = opening.holders.index(code) + 1
    if same != asked or own != renewed.index or opening.generation <= keys.generation:
        raise PeerError("a renewal does not fit the keys it renews")


def check_promises(opening: Opening, promises: Sequence[Promise], trust: Trust) -> None:
    """One promise of each holder in order, each signed by who is certified as that holder."""
    if tuple(promise.holder for promise in promises) != opening.holders:
        raise PeerError("the promises are not one of each holder, in order")
    members = tuple(holder_of(one.certificate, one.holder, trust) for one in promises)
    check_distinct(members)
    for member, promise in zip(members, promises, strict=True):
        _check_said(member.public, promise, opening)


def check_dealings(
    opening: Opening, promises: Sequence[Promise], dealings: Sequence[Dealing], trust: Trust
) -> None:
    """One dealing of each holder in order, signed, and made after the very same promises."""
    if tuple(dealing.holder for dealing in dealings) != opening.holders:
        raise PeerError("the dealings are not one of each holder, in order")
    for promise, dealing in zip(promises, dealings, strict=True):
        member = holder_of(promise.certificate, promise.holder, trust)
        _check_said(member.public, dealing, opening)
    heard = tuple(digest_of(promise) for promise in promises)
    for dealing in dealings:
        _check_story(opening, heard, dealing)


def _check_said(public: bytes, said: Promise | Dealing, opening: Opening) -> None:
    if said.opening != opening.name:
        raise PeerError(f"what {said.holder} said is not of this ceremony")
    try:
        check_signature(public, said)
    except PeerError as error:
        raise PeerError(f"what is said to be from {said.holder} is not signed by it") from error


def check_same(before: tuple[object, ...], now: tuple[object, ...], what: str) -> None:
    """WrongMoveError when a question of this ceremony is repeated with something else in it."""
    if before != now:
        raise WrongMoveError(f"other {what} than this holder has acted on in this ceremony")


def _check_story(opening: Opening, heard: tuple[bytes, ...], dealing: Dealing) -> None:
    if len(dealing.promises) != len(heard):
        raise PeerError(f"{dealing.holder} does not name the promise of each holder")
    for code, mine, theirs in zip(opening.holders, heard, dealing.promises, strict=True):
        if mine != theirs:
            raise PeerError(
                f"{dealing.holder} was shown another promise of {code} than this holder",
                remedy=f"compare what {code} signed; two promises in one ceremony convict it",
            )
