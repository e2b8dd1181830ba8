"""What a new member is given to join with: one printable line.

    lianfang1.BASE64URL(JSON).CHECK      CHECK: 8 hex digits, which find a line copied in part

    code        the new member's code            address    where enrolment answers, "host:port"
    consortium  its name                         authority  SHA-256 of the authority's certificate
    expires     UTC                              secret     32 bytes: proves who was invited

Invariants:
- The secret itself never leaves whoever was invited: it is an Ed25519 key, and the coordinator
  keeps only its public half (`verifier`). Neither a stolen list of invitations nor a request seen
  on its way lets anybody else join.
- The authority is pinned by its digest: whoever stands in between cannot put another in its place.
- Nothing of an invitation shows in a `repr` but code, consortium, address and date.

Sources: RFC 4648 §5 (base64url), RFC 8032 §5.1 (Ed25519).
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime

from shared.errors import OperatorError, PeerError
from shared.identity.address import host_and_port
from shared.identity.certificate import CODE, public_of

PREFIX = "lianfang1."
MOST_CHARACTERS = 2048
_KEYS = ("address", "authority", "code", "consortium", "expires", "secret")


@dataclass(frozen=True)
class Invitation:
    """`authority`: SHA-256 of the DER certificate, 32 bytes; `secret`: 32 bytes; `expires`: UTC,
    whole seconds.
    """

    code: str
    consortium: str
    address: str
    authority: bytes = field(repr=False)
    secret: bytes = field(repr=False)
    expires: datetime

    def __post_init__(self) -> None:
        if flaw := self._flaw():
            raise PeerError(f"an invitation {flaw}")

    def _flaw(self) -> str:
        if not CODE.fullmatch(self.code):
            return "holds a code that is not 1 to 64 letters, digits, '_', '-' or '.'"
        if not 0 < len(self.consortium) <= 64 or not self.consortium.isprintable():
            return "does not name its consortium in 1 to 64 printable letters"
        if len(self.authority) != 32 or len(self.secret) != 32:
            return "holds no digest of an authority, or no secret"
        if self.expires.tzinfo is None:
            return "holds a time without a zone"
        try:
            host_and_port(self.address)
        except OperatorError:
            return "holds an address that is not HOST:PORT"
        return ""

    @property
    def verifier(self) -> bytes:
        """What the coordinator keeps: the public half of the secret, 32 bytes."""
        return public_of(self.secret)

    def text(self) -> str:
        """The line to hand over; `read_invitation` is its inverse."""
        content = {
            "code": self.code,
            "consortium": self.consortium,
            "address": self.address,
            "authority": self.authority.hex(),
            "secret": self.secret.hex(),
            "expires": self.expires.astimezone(UTC).isoformat(timespec="seconds"),
        }
        body = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        line = base64.urlsafe_b64encode(body.encode()).rstrip(b"=").decode()
        return f"{PREFIX}{line}.{_check(line)}"


def read_invitation(text: str, now: datetime) -> Invitation:
    """The invitation in a line (spaces and line breaks in it are left out).

    Raises OperatorError, which never quotes the line: it is not one, was copied in part, or is
    expired at `now`.
    """
    line = "".join(text[: 2 * MOST_CHARACTERS].split())
    if not line.startswith(PREFIX) or len(line) > MOST_CHARACTERS:
        raise OperatorError(
            f"this is not an invitation: one begins with {PREFIX}",
            remedy="copy the whole line that the coordinator gave you",
        )
    body, _, check = line.removeprefix(PREFIX).partition(".")
    if check != _check(body):
        raise OperatorError(
            "the invitation was not copied whole, or is damaged",
            remedy="copy the whole line that the coordinator gave you",
        )
    invitation = _parsed(body)
    if now > invitation.expires:
        raise OperatorError(
            f"the invitation of {invitation.code} is expired since "
            f"{invitation.expires:%Y-%m-%d %H:%M} UTC",
            remedy="ask the coordinator for a new one; if that date is still to come, this "
            "machine's clock is wrong",
        )
    return invitation


def _parsed(body: str) -> Invitation:
    try:
        content = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        if not isinstance(content, dict) or sorted(content) != sorted(_KEYS):
            raise ValueError("entries")
        if not all(isinstance(value, str) for value in content.values()):
            raise ValueError("types")
        return Invitation(
            content["code"],
            content["consortium"],
            content["address"],
            bytes.fromhex(content["authority"]),
            bytes.fromhex(content["secret"]),
            datetime.fromisoformat(content["expires"]),
        )
    except (ValueError, RecursionError, PeerError) as error:
        raise OperatorError(
            "this is not an invitation that this version understands",
            remedy="ask the coordinator for a new one, and whether both use the same version",
        ) from error


def _check(line: str) -> str:
    return hashlib.sha256(line.encode("utf-8", "replace")).hexdigest()[:8]
