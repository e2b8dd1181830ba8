"""What a lender checks of each thing it is asked; every check returns nothing or refuses."""

from __future__ import annotations

from collections.abc import Sequence

from shared.errors import PeerError
from shared.identity.certificate import Member
from shared.secure_sum.fixed_point import lender_bits
from shared.secure_sum.floors import RefusedError
from shared.secure_sum.statements import (
    MOST_MEMBERS,
    MOST_SLOTS,
    MemberKeys,
    Payload,
    Roll,
    RoundOpen,
    SetUpOpen,
    Signed,
    check_signature,
)
from shared.secure_sum.suite import Suite
from shared.secure_sum.trust import Trust


def opening(
    suite: Suite, opened: SetUpOpen, agreement: bytes, counter: int, seconds: float
) -> None:
    """A new set-up is for this lender's agreement and suite, and later than all before. Counters
    (microseconds since 1970) are at most a day ahead of the clock: none can use up all that follow.
    """
    if opened.agreement != agreement:
        raise RefusedError("agreement")
    if opened.suite != suite.name:
        raise RefusedError("suite")
    if opened.counter <= counter:
        raise RefusedError("counter", expected=f"above {counter}", came=opened.counter)
    if opened.counter > (most := int((seconds + 86_400) * 1e6)):
        raise RefusedError("counter", expected=f"{most} at most", came="more")
    if not 1 <= opened.slots <= MOST_SLOTS or len(opened.nonce) != 32:
        raise RefusedError("slots", expected=f"1 to {MOST_SLOTS}", came=opened.slots)


def holder(trust: Trust, certificate: bytes, role: str) -> Member:
    """Who holds a certificate."""
    try:
        return trust.member(certificate, role)
    except PeerError as error:
        raise RefusedError("certificate", came=error.what) from error


def signature(suite: Suite, public: bytes, statement: Signed) -> None:
    """`public` signed the statement."""
    try:
        check_signature(suite, public, statement)
    except PeerError as error:
        raise RefusedError("signature", came=type(statement).__name__) from error


def roll(
    suite: Suite, trust: Trust, shown: Roll, opened: SetUpOpen, own: MemberKeys
) -> tuple[bytes, ...]:
    """The members' identity keys, in order, when everything on the roll is as it must be."""
    codes = shown.members
    if not in_order(codes) or len(codes) > MOST_MEMBERS:
        raise RefusedError("duplicate" if len(set(codes)) < len(codes) else "roll")
    if own not in shown.keys:
        raise RefusedError("own-keys")
    publics = tuple(_member_keys(suite, trust, keys, shown, opened) for keys in shown.keys)
    secret_free = [key for keys in shown.keys for key in (keys.transport, *keys.masks)]
    certificates = [keys.certificate for keys in shown.keys]
    for unique in (publics, secret_free, certificates):
        if len(set(unique)) < len(unique):
            raise RefusedError("duplicate")
    return publics


def _member_keys(
    suite: Suite, trust: Trust, keys: MemberKeys, shown: Roll, opened: SetUpOpen
) -> bytes:
    member = holder(trust, keys.certificate, "lender")
    if member.code != keys.member:
        raise RefusedError("certificate", expected="its owner's keys", came=member.code)
    signature(suite, member.public, keys)
    if keys.opened != shown.opened or {len(keys.masks), len(keys.commitments)} != {opened.slots}:
        raise RefusedError("roll", came=keys.member)
    return member.public


def round_open(opened: RoundOpen, due: Payload, members: int, slots: int) -> None:
    """The round is for what is due, in a slot there is, and cannot overflow."""
    if opened.payload != due:
        raise RefusedError("payload")
    if not 0 <= opened.slot < slots:
        raise RefusedError("slot", expected=f"0 to {slots - 1}", came=opened.slot)
    most = lender_bits(members)
    if opened.bits != most:  # fewer would tell how large this lender's numbers are
        raise RefusedError("bits", expected=most, came=opened.bits)


def in_order(codes: Sequence[str]) -> bool:
    """Codes strictly ascending: sorted, and none twice."""
    return list(codes) == sorted(set(codes))
