"""New certificates before the old ones end, over the same identity key.

Invariants:
- The identity key never changes: the other members have pinned it. The transport key changes only
  where that was asked for.
- Of the answer only the two certificates are taken, after the same checks as at joining. That the
  coordinator's consortium.toml is another than the one here is told, and changes nothing.
- Interrupted, give it again: a transport key and a certificate that do not fit any more are no
  hindrance, since the request is signed with the identity key and needs no certificate.
- A new transport key that was asked for is asked for until it is there (`next_key.py`).
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography import x509

from client.credentials import private_text, read_authority
from client.files import write_durably
from client.https import Certified, UnreachableError, request
from client.joining import (
    AUTHORITY,
    CERTIFICATE,
    IDENTITY_KEY,
    SETTINGS,
    TRANSPORT,
    TRANSPORT_KEY,
)
from client.next_key import NEXT_KEY, asked_key
from shared.errors import OperatorError, PeerError
from shared.identity.address import host_and_port
from shared.identity.certificate import CODE, public_of
from shared.identity.enrolment import certificate_of, check_answer, digest_of, renew_request
from shared.identity.enrolment_messages import read_answer
from shared.identity.pem import certificate_from_pem, certificate_to_pem, private_from_pem
from shared.identity.transport import transport_public_of
from shared.training.consortium import FILE as CONSORTIUM

GATE_PATH, ENROL_PATH = "/lianfang/renew", "/v1/renew"
DUE = 1 / 3
"""Certificates are renewed when less than this share of their time is left."""


@dataclass(frozen=True)
class Membership:
    """What client.toml says about the consortium: the member's code and the two addresses."""

    folder: Path
    code: str
    gate: str
    enrol: str

    @property
    def certified(self) -> Certified:
        """This lender's own end of mutual TLS."""
        return Certified(self.folder / TRANSPORT, self.folder / TRANSPORT_KEY)


@dataclass(frozen=True)
class Renewed:
    """`until`: when the new certificates end; `terms_differ`: the coordinator has another
    consortium.toml than this folder.
    """

    until: datetime
    terms_differ: bool


def membership(folder: Path) -> Membership:
    """Read [lender] member and [node] of client.toml; OperatorError names what is missing."""
    path = folder / SETTINGS
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OperatorError(
            f"{path} cannot be read: {error.strerror}",
            remedy="name the lender's folder with --folder, or join: lianfang-client join -h",
        ) from error
    except (ValueError, RecursionError) as error:
        raise OperatorError(f"{path}: {error}", remedy="mend the file's syntax") from error
    code, node = _entry(document, "lender", "member"), document.get("node")
    if not isinstance(node, dict) or not CODE.fullmatch(code or ""):
        raise OperatorError(
            f"{path}: it does not say which member this is, or where the coordinator is",
            remedy='it needs [lender] member = "…" and a section [node] with gate and enrol',
        )
    gate, enrol = _entry(document, "node", "gate"), _entry(document, "node", "enrol")
    for name, address in (("gate", gate), ("enrol", enrol)):
        try:
            host_and_port(address)
        except OperatorError as error:
            what = f"{path}: [node] {name}: {error.what}"
            raise OperatorError(what, remedy=error.remedy) from error
    return Membership(folder, code, gate, enrol)


def renew(
    folder: Path,
    *,
    now: datetime,
    new_key: bool = False,
    random: Callable[[int], bytes] = os.urandom,
) -> Renewed:
    """New certificates, and with `new_key` a new transport key. Raises OperatorError, PeerError
    (refused, or not the coordinator) or UnreachableError; the old ones stay in place then.
    """
    member = membership(folder)
    authority = read_authority(folder / AUTHORITY, now)
    private = private_from_pem(private_text(folder / IDENTITY_KEY))
    current = _der(folder / TRANSPORT)
    try:
        key = asked_key(folder, current, random if new_key else None)
    except OSError as error:
        raise _unwritable(folder, error) from error
    asked = renew_request(member.code, private, authority, transport_public_of(key), current)
    content = _answered(member, authority, current, asked.content(), now)
    answer = read_answer(content)
    pinned, public = digest_of(authority), public_of(private)
    check_answer(answer, asked, pinned=pinned, public=public, now=now)
    identity, transport = certificate_of(answer.certificate), certificate_of(answer.transport)
    try:
        _put(folder / CERTIFICATE, certificate_to_pem(identity))
        if (folder / NEXT_KEY).exists():
            _put(folder / TRANSPORT_KEY, key)
        _put(folder / TRANSPORT, certificate_to_pem(transport))
        (folder / NEXT_KEY).unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error
    until = min(_dates(one)[1] for one in (identity, transport))
    return Renewed(until, _terms(folder) != answer.consortium.encode())


def renew_if_due(folder: Path, *, now: datetime) -> Renewed | None:
    """Renew when less than a third of either certificate's time is left; None when it is not yet
    time. Raises as `renew`.
    """
    return renew(folder, now=now) if due(folder, now) else None


def due(folder: Path, now: datetime) -> bool:
    """Whether it is time to renew; OperatorError when a certificate cannot be read."""
    for name in (CERTIFICATE, TRANSPORT):
        first, last = _dates(_der(folder / name))
        if last - now < (last - first) * DUE:
            return True
    return False


def lifetime(folder: Path) -> float:
    """Seconds from the beginning to the end of the certificate that lasts less; OperatorError when
    one cannot be read.
    """
    dates = [_dates(_der(folder / name)) for name in (CERTIFICATE, TRANSPORT)]
    return min((last - first).total_seconds() for first, last in dates)


def _answered(
    member: Membership, authority: bytes, current: bytes, content: bytes, now: datetime
) -> bytes:
    """Through the gate while the certificate in use is good there, else where members enrol."""
    first, last = _dates(current)
    if first <= now <= last:
        try:
            found = request(
                member.gate, authority, "POST", GATE_PATH, content, now=now, own=member.certified
            )
            return found.content()
        except (UnreachableError, OperatorError, PeerError):
            pass  # the other way says why, if it is refused there too
    return request(member.enrol, authority, "POST", ENROL_PATH, content, now=now).content()


def _unwritable(folder: Path, error: OSError) -> OperatorError:
    return OperatorError(
        f"{error.filename or folder} cannot be written: {error.strerror}",
        remedy="free space or mend the folder's permissions, then give the command again",
    )


def _entry(document: dict[str, Any], section: str, name: str) -> str:
    found = document.get(section)
    value = found.get(name) if isinstance(found, dict) else None
    return value if isinstance(value, str) else ""


def _der(path: Path) -> bytes:
    try:
        return certificate_from_pem(path.read_bytes())
    except OSError as error:
        raise OperatorError(
            f"{path} cannot be read: {error.strerror}", remedy="join first: lianfang-client join -h"
        ) from error
    except OperatorError as error:
        raise OperatorError(f"{path}: {error.what}", remedy=error.remedy) from error


def _dates(certificate: bytes) -> tuple[datetime, datetime]:
    parsed = x509.load_der_x509_certificate(certificate)
    return parsed.not_valid_before_utc, parsed.not_valid_after_utc


def _terms(folder: Path) -> bytes:
    try:
        return (folder / CONSORTIUM).read_bytes()
    except OSError:
        return b""


def _put(path: Path, content: bytes) -> None:
    write_durably(path, content)
