"""Who is believed no more, as the coordinator tells its members.

    {"authority": …, "at": …, "codes": [code, …], "coordinator": …, "signature": …}

Invariants:
- It is signed by a coordinator that the same authority certified, for this authority, and kept by
  who takes it: who revokes wrongly has signed so.
- Checking returns the list or raises PeerError; an older list says less, and no more than that.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from shared.errors import PeerError
from shared.identity.certificate import CODE, Identity, read_member
from shared.identity.enrolment import certificate_of, digest_of
from shared.identity.pem import certificate_to_pem

MOST_CODES = 10_000
_FIELDS = {"authority": str, "at": str, "codes": list, "coordinator": str, "signature": str}


@dataclass(frozen=True)
class Revocations:
    """`codes` of any actors, sorted; `at`: when it was signed, ISO 8601."""

    codes: tuple[str, ...]
    at: str


def signed_revocations(
    codes: Collection[str], authority: bytes, coordinator: Identity, now: datetime
) -> bytes:
    """As it travels. `authority`: its certificate, DER."""
    about = {
        "authority": digest_of(authority).hex(),
        "at": now.isoformat(timespec="seconds"),
        "codes": sorted(codes),
        "coordinator": certificate_to_pem(coordinator.member.certificate).decode(),
    }
    key = Ed25519PrivateKey.from_private_bytes(coordinator.private)
    return json.dumps(about | {"signature": key.sign(_text(about)).hex()}).encode()


def read_revocations(content: bytes, authority: bytes, now: datetime) -> Revocations:
    """Inverse of `signed_revocations`; PeerError unless a coordinator of this authority (DER) that
    is certified `now` signed exactly this.
    """
    try:
        about = json.loads(content)
        signature = bytes.fromhex(about.pop("signature"))
        if {name: type(value) for name, value in about.items()} | {"signature": str} != _FIELDS:
            raise ValueError("form")
        codes = about["codes"]
        if len(codes) > MOST_CODES or not all(
            isinstance(code, str) and CODE.fullmatch(code) for code in codes
        ):
            raise ValueError("codes")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise PeerError("the list of who is revoked is none") from error
    coordinator = read_member(certificate_of(about["coordinator"]), authority, now)
    if coordinator.role != "coordinator" or about["authority"] != digest_of(authority).hex():
        raise PeerError("the list of who is revoked is not this consortium's coordinator's")
    try:
        Ed25519PublicKey.from_public_bytes(coordinator.public).verify(signature, _text(about))
    except InvalidSignature as error:
        raise PeerError("the list of who is revoked has another signature") from error
    return Revocations(tuple(sorted(set(codes))), about["at"])


def _text(about: object) -> bytes:
    text = json.dumps(about, sort_keys=True, separators=(",", ":"))
    return f"lianfang|revocations|v1|{text}".encode()
