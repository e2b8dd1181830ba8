"""A consortium's authority and members for tests: the same keys every time, valid around `NOW`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from server.authority import Authority, create_authority, issue
from server.keys import write_private
from shared.identity.certificate import Identity, Role, identity_of, public_of
from shared.identity.pem import certificate_to_pem

NOW = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)
DAYS = 30


def fixed_random(seed: str) -> Callable[[int], bytes]:
    """Bytes that follow from the seed, another stretch at every call."""
    calls = 0

    def draw(size: int) -> bytes:
        nonlocal calls
        calls += 1
        return hashlib.shake_256(f"{seed}|{calls}".encode()).digest(size)

    return draw


def authority_of(
    consortium: str = "Five lenders", seed: str = "authority", now: datetime = NOW
) -> Authority:
    """A consortium's authority."""
    return create_authority(consortium, days=DAYS, now=now, random=fixed_random(seed))


def identity_under(
    authority: Authority, code: str, role: Role = "lender", now: datetime = NOW
) -> Identity:
    """A member with a key of its own."""
    random = fixed_random(f"{role} {code}")
    private = random(32)
    public = public_of(private)
    issued = issue(authority, code, role, public, days=DAYS, now=now, random=random)
    return identity_of(issued, private, authority.certificate, now)


CREDENTIALS = (
    'authority = "authority.crt"\ncertificate = "certificate.crt"\nkey = "own/identity.key"\n'
)
"""The entries of `client.toml` that name the files of `lay_down`."""


def lay_down(folder: Path, identity: Identity, authority: Authority) -> None:
    """A lender's credentials in its folder."""
    (folder / "authority.crt").write_bytes(certificate_to_pem(authority.certificate))
    (folder / "certificate.crt").write_bytes(certificate_to_pem(identity.member.certificate))
    (folder / "own").mkdir(exist_ok=True)
    write_private(folder / "own" / "identity.key", identity.private)
