"""Whom a party believes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from shared.errors import PeerError
from shared.identity.certificate import Member, read_member


@dataclass(frozen=True)
class Trust:
    """Certificates of `authority` (DER), valid by `clock`; where `pinned` is given, of lenders only
    those whose public key it lists by code.
    """

    authority: bytes
    clock: Callable[[], datetime]
    pinned: Mapping[str, bytes] | None = None

    def member(self, certificate: bytes, role: str) -> Member:
        """The holder of a certificate; PeerError when it is not to be trusted in that role."""
        member = read_member(certificate, self.authority, self.clock())
        if member.role != role:
            raise PeerError(f"a certificate of a {member.role} where a {role}'s is needed")
        listed = self.pinned is None or self.pinned.get(member.code) == member.public
        if role == "lender" and not listed:
            raise PeerError("a certificate that is not on this lender's list of members")
        return member
