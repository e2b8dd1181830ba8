"""`models/promotions.jsonl`: who proposed and who promoted which model, one signed line each.

    {"act": "propose" | "promote", "model": N, "digest": …, "run": …, "operator": code, "at": …,
     "before": SHA-256 of the line before, "certificate": …, "signature": Ed25519 over all of it}

Invariants:
- Lines are added, never changed: each holds the digest of the one before, and an operator's
  signature under the consortium's authority. A line that does not fit is found on reading.
- Who promotes is somebody else than who proposed: another code, and another key.
- A line that a crash cut off has acknowledged nothing: it is replaced by the next one.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

from server.actor import CERTIFICATE, KEY
from server.keys import read_certificate, read_private
from shared.errors import OperatorError, PeerError
from shared.identity.certificate import Identity, identity_of, read_member
from shared.secure_sum.suite import STANDARD

FILE = "promotions.jsonl"
FIRST = "0" * 64
_CONTEXT = b"lianfang|promotion|v1|"


@dataclass(frozen=True)
class Promotion:
    """One line. `model`: its number; `digest`: of the model's content; `at`: ISO 8601, UTC;
    `certificate`: DER in base64; `signature`: hex.
    """

    act: Literal["propose", "promote"]
    model: int
    digest: str
    run: str
    operator: str
    at: str
    before: str
    certificate: str
    signature: str = ""

    def line(self) -> bytes:
        """As it stands in the file, with its end."""
        return json.dumps(asdict(self), sort_keys=True).encode() + b"\n"

    def link(self) -> str:
        """What the next line holds of this one."""
        return hashlib.sha256(self.line()).hexdigest()

    def text(self) -> bytes:
        """What is signed."""
        return _CONTEXT + replace(self, signature="").line()


def read_operator(folder: Path, authority: bytes, now: datetime) -> Identity:
    """The operator whose folder this is; OperatorError when it is none of this consortium's."""
    certificate = read_certificate(folder / CERTIFICATE)
    identity = identity_of(certificate, read_private(folder / KEY), authority, now)
    if identity.member.role != "operator":
        raise OperatorError(
            f"{folder / CERTIFICATE} is a {identity.member.role}'s certificate",
            remedy="name an operator's folder: lianfang-server authority enrol … --role operator",
        )
    return identity


def signed(promotion: Promotion, operator: Identity) -> Promotion:
    """The line with the operator's certificate and signature."""
    certificate = base64.b64encode(operator.member.certificate).decode()
    whole = replace(promotion, operator=operator.member.code, certificate=certificate)
    return replace(whole, signature=STANDARD.sign(operator.private, whole.text()).hex())


def read_promotions(models: Path, authority: bytes) -> list[Promotion]:
    """All lines, checked; OperatorError names the first that does not fit."""
    path, found, before = models / FILE, list[Promotion](), FIRST
    for number, line in enumerate(_lines(path), 1):
        try:
            one = Promotion(**json.loads(line))
            if one.line() != line or one.before != before:
                raise ValueError
            public_of_operator(one, authority)
            _check_order(one, found, authority)
        except (ValueError, TypeError, PeerError) as error:
            raise OperatorError(
                f"{path}: line {number} was changed, or is not an operator's",
                remedy="restore the file from a copy; find out who wrote to this folder",
            ) from error
        found.append(one)
        before = one.link()
    return found


def append(models: Path, promotion: Promotion, authority: bytes) -> None:
    """Add a line durably; OperatorError, and nothing is added, when it does not follow."""
    found = read_promotions(models, authority)
    before = found[-1].link() if found else FIRST
    if promotion.before != before:
        raise OperatorError(
            "somebody else has proposed or promoted meanwhile", remedy="give the command again"
        )
    whole = b"".join(one.line() for one in found)
    handle = os.open(models / FILE, os.O_WRONLY | os.O_CREAT, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.truncate(len(whole))  # a line cut off by a crash
        file.seek(len(whole))
        file.write(promotion.line())
        file.flush()
        os.fsync(file.fileno())


def public_of_operator(promotion: Promotion, authority: bytes) -> bytes:
    """The key a line is signed with; PeerError when it was no operator's at that time."""
    when = datetime.fromisoformat(promotion.at)
    member = read_member(base64.b64decode(promotion.certificate), authority, when)
    if (member.role, member.code) != ("operator", promotion.operator):
        raise PeerError("the certificate is not this operator's")
    STANDARD.verify(member.public, bytes.fromhex(promotion.signature), promotion.text())
    return member.public


def _check_order(one: Promotion, before: list[Promotion], authority: bytes) -> None:
    proposals = [p for p in before if p.act == "propose" and p.model == one.model]
    if one.act == "propose" and not proposals:
        return
    if one.act != "promote" or not proposals:
        raise ValueError
    check_two(proposals[0], one, authority)


def check_two(proposal: Promotion, promotion: Promotion, authority: bytes) -> None:
    """That two people stand behind a promotion, for the same content; PeerError."""
    same_key = public_of_operator(proposal, authority) == public_of_operator(promotion, authority)
    if proposal.operator == promotion.operator or same_key:
        raise PeerError("who proposed a model does not promote it")
    if (proposal.digest, proposal.run) != (promotion.digest, promotion.run):
        raise PeerError("another model was proposed")


def _lines(path: Path) -> list[bytes]:
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise OperatorError(
            f"{path} cannot be read: {error.strerror}", remedy="mend its permissions"
        ) from error
    if lines and not lines[-1].endswith(b"\n"):
        lines.pop()  # never acknowledged
    return lines
