"""A key set with the signatures of all its holders: what makes it active, and what lenders believe.

Invariants:
- `check_signed` returns only if every holder, certified in that role, signed this very key set with
  this very list of holders. One signature short, it is nobody's key.
- Certificates are beside the signatures, not under them: a renewed one over the same key fits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from shared.errors import InternalError, PeerError
from shared.identity.certificate import Identity, Member
from shared.secure_sum.encoding import read_text, text_of
from shared.secure_sum.suite import STANDARD
from shared.secure_sum.trust import Trust
from shared.tokens.keys import KeySet

_DOMAIN = b"lianfang/keys/v1/"
T = TypeVar("T")


@dataclass(frozen=True)
class Confirmation:
    """Holder: it has its share of these keys, durably, and the others are these, in order."""

    keys: KeySet
    holders: tuple[str, ...]
    holder: str
    signature: bytes = b""


@dataclass(frozen=True)
class SignedKeys:
    """The keys, and in order of the holders their codes, certificates (DER) and signatures."""

    keys: KeySet
    holders: tuple[str, ...]
    certificates: tuple[bytes, ...]
    signatures: tuple[bytes, ...]

    def index(self, code: str) -> int:
        """The place, from 1, of a holder's share; PeerError if it holds none."""
        if code not in self.holders:
            raise PeerError(f"{code} is not a holder of this key")
        return self.holders.index(code) + 1

    def with_certificate(self, member: Member) -> SignedKeys:
        """The same with this holder's certificate of today, as it may have been renewed."""
        place = self.index(member.code) - 1
        certificates = list(self.certificates)
        certificates[place] = member.certificate
        return replace(self, certificates=tuple(certificates))


def confirm(identity: Identity, keys: KeySet, holders: tuple[str, ...]) -> Confirmation:
    """This holder's signature; it must have its share on disk before."""
    said = Confirmation(keys, holders, identity.member.code)
    signature = STANDARD.sign(identity.private, _transcript(said))
    return Confirmation(keys, holders, identity.member.code, signature)


def read_signed(text: bytes) -> SignedKeys:
    """What another party sent as signed keys, not checked yet; PeerError when it is none."""
    return _read(SignedKeys, text)


def read_confirmation(text: bytes) -> Confirmation:
    """What another party sent as a confirmation, not checked yet; PeerError when it is none."""
    return _read(Confirmation, text)


def gathered(confirmations: Sequence[Confirmation], certificates: Sequence[bytes]) -> SignedKeys:
    """The keys that all holders confirmed, in order of the holders; PeerError when they differ."""
    first = confirmations[0]
    for said in confirmations:
        if (said.keys, said.holders) != (first.keys, first.holders):
            raise PeerError(f"{said.holder} confirmed other keys than {first.holder}")
    signatures = tuple(said.signature for said in confirmations)
    return SignedKeys(first.keys, first.holders, tuple(certificates), signatures)


def check_signed(signed: SignedKeys, trust: Trust) -> None:
    """PeerError, naming the holder, unless all of them signed and are to be trusted."""
    count = len(signed.holders)
    if not count == len(signed.certificates) == len(signed.signatures) == len(signed.keys.shares):
        raise PeerError("a key set does not come with one signature for each of its holders")
    members = tuple(
        holder_of(certificate, code, trust)
        for code, certificate in zip(signed.holders, signed.certificates, strict=True)
    )
    check_distinct(members)
    for member, signature in zip(members, signed.signatures, strict=True):
        said = Confirmation(signed.keys, signed.holders, member.code)
        try:
            STANDARD.verify(member.public, signature, _transcript(said))
        except PeerError as error:
            raise PeerError(f"{member.code} has not signed this key set") from error


def holder_of(certificate: bytes, code: str, trust: Trust) -> Member:
    """The key holder `code` its certificate speaks for; PeerError when it does not."""
    try:
        member = trust.member(certificate, "keyholder")
    except PeerError as error:
        raise PeerError(f"{code}: {error.what}") from error
    if member.code != code:
        raise PeerError(f"a certificate of {member.code} stands where that of {code} belongs")
    return member


def check_distinct(members: tuple[Member, ...]) -> None:
    """PeerError when two holders are one: the same code or the same key."""
    if len({one.code for one in members}) < len(members):
        raise PeerError("one holder stands there twice")
    if len({one.public for one in members}) < len(members):
        raise PeerError("one identity key stands there under two codes")


def _read(kind: type[T], text: bytes) -> T:
    try:
        return read_text(kind, text)
    except InternalError as error:  # numbers that no key set has
        raise PeerError(f"not the text of one {kind.__name__}") from error


def _transcript(said: Confirmation) -> bytes:
    return _DOMAIN + text_of(said)  # its signature is empty here
