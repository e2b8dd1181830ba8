"""A key holder's or registry's own folder: who it is, and whom it believes.

    authority.crt       the consortium's authority
    certificate.crt     its identity (Ed25519), which signs statements
    own/identity.key
    transport.crt       its end of mutual TLS (P-256)
    own/transport.key
    revoked.json        optional: codes whose certificates are no longer believed (`revoked.py`)

Invariants:
- All of it is read and checked before anything is served; private keys others can read are refused.
- A folder holds one role. One that holds a share of the key and the list is refused outside `demo`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from server.authority import Authority, issue, issue_transport
from server.keys import (
    AUTHORITY,
    private_text,
    read_certificate,
    read_private,
    write_key,
    write_private,
)
from server.revoked import read_revoked
from shared.errors import OperatorError
from shared.identity.certificate import Identity, Role, identity_of, public_of
from shared.identity.pem import certificate_to_pem
from shared.identity.transport import new_transport_key, read_peer, transport_public_of

CERTIFICATE, KEY = "certificate.crt", "own/identity.key"
TRANSPORT, TRANSPORT_KEY = "transport.crt", "own/transport.key"


@dataclass(frozen=True)
class Actor:
    """An actor's credentials. `authority`, `transport`: DER; `transport_key`: PEM."""

    folder: Path
    identity: Identity
    authority: bytes = field(repr=False)
    transport: bytes = field(repr=False)
    transport_key: bytes = field(repr=False)
    revoked: frozenset[str] = frozenset()


def read_actor(folder: Path, role: Role, now: datetime) -> Actor:
    """The actor whose folder this is; OperatorError names the file that is wrong."""
    authority = read_certificate(folder / AUTHORITY)
    private = read_private(folder / KEY)
    identity = identity_of(read_certificate(folder / CERTIFICATE), private, authority, now)
    transport = read_certificate(folder / TRANSPORT)
    peer = read_peer(transport, authority, now)
    if identity.member.role != role or (peer.code, peer.role) != (identity.member.code, role):
        raise OperatorError(
            f"{folder}: its certificates are not both those of one {role}",
            remedy="ask the authority for an identity and a transport certificate in this role",
        )
    key = private_text(folder / TRANSPORT_KEY)
    transport_public_of(key)
    return Actor(folder, identity, authority, transport, key, read_revoked(folder))


def write_actor(
    folder: Path,
    authority: Authority,
    code: str,
    role: Role,
    *,
    days: int,
    now: datetime,
    random: Callable[[int], bytes],
) -> None:
    """Make an actor's folder on the authority's own machine, as the demo and simulations do.

    In earnest keys are made where they are used and only certificates travel. Raises OperatorError,
    and leaves nothing new behind, for what the authority would not certify, or if a key is there.
    """
    private, transport_key = random(32), new_transport_key(random)
    public, transport_public = public_of(private), transport_public_of(transport_key)
    given = {"days": days, "now": now, "random": random}
    identity = issue(authority, code, role, public, **given)  # type: ignore[arg-type]
    transport = issue_transport(authority, code, role, transport_public, **given)  # type: ignore[arg-type]
    certificates = {CERTIFICATE: identity, TRANSPORT: transport, AUTHORITY: authority.certificate}
    (folder / "own").mkdir(parents=True, exist_ok=True)
    with ExitStack() as undone:
        _undo(undone, folder / KEY)
        write_private(folder / KEY, private)
        _undo(undone, folder / TRANSPORT_KEY)
        write_key(folder / TRANSPORT_KEY, transport_key)
        for name, certificate in certificates.items():
            _undo(undone, folder / name)
            (folder / name).write_bytes(certificate_to_pem(certificate))
        undone.pop_all()


def _undo(undone: ExitStack, path: Path) -> None:
    """Whatever is made at `path` from now on goes again; what is there already stays."""
    if not path.exists():
        undone.callback(path.unlink, missing_ok=True)
