"""Until when a service's certificates last, and new ones over the same keys.

The folder is an actor's (`actor.py`): a key holder's, the registry's, a desk's, an operator's.

Invariants:
- New ones are over the public keys in the old ones, which this authority signed itself, both to one
  code and role: no private key is read, so that a copy of the folder's `.crt` files will do, where
  the authority's key is.
- Old ones that have ended are renewed, too. Those of a revoked code are not: the list that counts
  is the one at the authority, not only what the requester brings; without one nothing is certified.
- Lenders and the coordinator renew their own in other ways, which prove that the keys are theirs.
- Each file is the old one or the new one. Who serves takes new ones over by itself, once both are
  there and fit; what does not fit changes nothing, and the log says so.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from server.actor import CERTIFICATE, TRANSPORT, read_actor
from server.authority import Authority, days_left, issue, issue_transport
from server.files import stamp_of, write_durably
from server.keys import AUTHORITY, read_certificate
from server.revoked import REVOKED, read_revoked
from shared.errors import LianfangError, OperatorError, PeerError
from shared.identity.certificate import Member, Role, end_of, read_member
from shared.identity.pem import certificate_to_pem
from shared.identity.transport import read_peer

DAYS, SOON = 365, timedelta(days=30)
FILES = (AUTHORITY, CERTIFICATE, TRANSPORT)
_LOOK_SECONDS, _TELL_SECONDS = 5.0, 86_400.0
_SECOND = timedelta(seconds=1)
_ELSEWHERE: dict[Role, str] = {
    "lender": "a lender renews its own, over the network: lianfang-client renew",
    "coordinator": "name the coordinator's own folder: lianfang-server renew FOLDER",
}
"""Roles that are not renewed here, and how they are."""
_log = logging.getLogger("lianfang.certificates")


def _now() -> datetime:
    return datetime.now(UTC)


def ends_of(folder: Path) -> dict[str, datetime]:
    """File → until when it is valid; OperatorError where one is missing or none."""
    try:
        return {name: end_of(read_certificate(folder / name)) for name in FILES}
    except PeerError as error:
        raise OperatorError(
            f"{folder}: {error.what}", remedy="put the file back from a copy"
        ) from error


@dataclass(frozen=True)
class Renewed:
    """Whose they are, and until when they last."""

    code: str
    role: Role
    until: datetime


def revoked_at(authority: Path) -> frozenset[str]:
    """The codes revoked by the lists beside the authority's key, and in the consortium's folder
    that it lies in. OperatorError where there is none, or one that cannot be read.
    """
    lists = [place for place in (authority, authority.resolve().parent) if _has_list(place)]
    if not lists:
        raise OperatorError(
            f"{authority} has no list of who is revoked: nothing was certified",
            remedy=f"copy the consortium's {REVOKED} to {authority / REVOKED}; where nobody is "
            "revoked, it is []",
        )
    return frozenset[str]().union(*map(read_revoked, lists))


def renew_service(
    folder: Path,
    authority: Authority,
    *,
    revoked: Collection[str],
    days: int = DAYS,
    now: datetime,
    random: Callable[[int], bytes],
) -> Renewed:
    """New certificates in an actor's folder, or in a copy of its `.crt` files: for `days` days, or
    as many as the authority's own has left. `revoked`: codes of `revoked_at`. OperatorError where
    the old ones are not this authority's, or not both of one service, or their code is revoked.
    """
    own = _own(folder, authority)
    public = _transport_public(folder, authority, own)
    _check_code(folder, own, revoked)
    days = min(days, days_left(authority, now))
    identity = issue(authority, own.code, own.role, own.public, days=days, now=now, random=random)
    transport = issue_transport(
        authority, own.code, own.role, public, days=days, now=now, random=random
    )
    try:
        write_durably(folder / CERTIFICATE, certificate_to_pem(identity))
        write_durably(folder / TRANSPORT, certificate_to_pem(transport))
    except OSError as error:
        raise OperatorError(
            f"{folder} cannot be written: {error.strerror}",
            remedy="mend the folder's permissions, or free space; then give the command again",
        ) from error
    return Renewed(own.code, own.role, end_of(identity))


def _has_list(folder: Path) -> bool:
    return (folder / REVOKED).exists()


def _check_code(folder: Path, own: Member, revoked: Collection[str]) -> None:
    if own.role in _ELSEWHERE:
        raise OperatorError(
            f"{folder} is a {own.role}'s: nothing was certified", remedy=_ELSEWHERE[own.role]
        )
    if own.code in revoked:
        raise OperatorError(
            f"{own.code} is revoked by the list at the authority: nothing was certified",
            remedy=f"take the code off {REVOKED} there, if that was a mistake",
        )
    if own.code in read_revoked(folder):
        raise OperatorError(
            f"{own.code} is revoked: nothing was certified",
            remedy=f"take the code off {folder / REVOKED}, if that was a mistake",
        )


def _own(folder: Path, authority: Authority) -> Member:
    certificate = read_certificate(folder / CERTIFICATE)
    try:
        return read_member(certificate, authority.certificate, end_of(certificate) - _SECOND)
    except PeerError as error:
        raise _not_ours(folder / CERTIFICATE, error) from error


def _transport_public(folder: Path, authority: Authority, own: Member) -> bytes:
    """The key in the transport certificate of the same code and role as the identity's."""
    certificate = read_certificate(folder / TRANSPORT)
    try:
        peer = read_peer(certificate, authority.certificate, end_of(certificate) - _SECOND)
    except PeerError as error:
        raise _not_ours(folder / TRANSPORT, error) from error
    if (peer.code, peer.role) != (own.code, own.role):
        raise OperatorError(
            f"{folder / TRANSPORT} is of {peer.code} ({peer.role}), and {CERTIFICATE} of "
            f"{own.code} ({own.role}): nothing was certified",
            remedy="take all three .crt files from one service's folder",
        )
    key = x509.load_der_x509_certificate(certificate).public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.PEM, form)


def _not_ours(path: Path, error: PeerError) -> OperatorError:
    return OperatorError(
        f"{path}: {error.what}; nothing was certified",
        remedy="name the folder of the authority that certified it, with --authority",
    )


class OwnCertificates:
    """Of a service that answers from `folder`. `steady`: seconds that only grow."""

    def __init__(
        self,
        folder: Path,
        clock: Callable[[], datetime] = _now,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder, self._clock, self._steady = folder, clock, steady
        self._in_use = self._seen = self._stamps()
        self._looked, self._told = steady(), -_TELL_SECONDS
        self._tell()

    def renewed(self) -> bool:
        """Whether there are others than those in use, and they can be used: then they are taken
        for the ones in use from now on, and whoever serves opens anew.
        """
        if self._steady() - self._looked < _LOOK_SECONDS:
            return False
        self._looked = self._steady()
        self._tell()
        before, self._seen = self._seen, self._stamps()
        if self._seen == self._in_use or self._seen != before:  # nothing new, or still being put
            return False
        self._in_use = self._seen
        return self._usable()

    def _usable(self) -> bool:
        try:
            authority = read_certificate(self._folder / AUTHORITY)
            own = read_member(
                read_certificate(self._folder / CERTIFICATE), authority, self._clock()
            )
            read_actor(self._folder, own.role, self._clock())
        except LianfangError as error:
            _log.error("certificates have changed and cannot be used: %s; those before stay", error)
            return False
        _log.info("renewed certificates are used from now on")
        return True

    def _tell(self) -> None:
        """Once a day while they end soon."""
        if self._steady() - self._told < _TELL_SECONDS:
            return
        try:
            name, last = min(ends_of(self._folder).items(), key=lambda one: one[1])
        except LianfangError:
            return
        if last - self._clock() > SOON:
            return
        self._told = self._steady()
        how = f"lianfang-server renew {self._folder} --authority …"
        if name == AUTHORITY:
            how = "the consortium ends with it: make another authority"
        _log.warning("%s ends at %s UTC: %s", name, f"{last:%Y-%m-%d %H:%M}", how)

    def _stamps(self) -> tuple[object, ...]:
        return tuple(stamp_of(self._folder / name) for name in FILES)
