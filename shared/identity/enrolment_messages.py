"""The messages of enrolment and renewal as JSON, and the texts that are signed (`enrolment.py`).

Invariants:
- Parsing bounds sizes first and checks form only; nothing read here is believed yet.
- No private key and no secret is in any of these messages.
- What is signed begins with a label of its own, so that no signature can be used for another.

Sources: RFC 8446 §4.4.3 (labels keep signatures apart).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any, TypeVar

from shared.errors import PeerError

MOST_REQUEST, MOST_ANSWER = 8_192, 4 << 20
MOST_CONSORTIUM, MOST_MEMBERS, MOST_BUNDLES = 1 << 20, 10_000, 100
"""Bytes of consortium.toml; members; bundles that may be allowed at once."""
_Request = TypeVar("_Request", "EnrolRequest", "RenewRequest")


@dataclass(frozen=True)
class EnrolRequest:
    """`public`: raw Ed25519 key in hex; `transport`, `node`: public keys, PEM; `authority`: SHA-256
    of its certificate, hex; `possession`, `proof`: Ed25519 signatures in hex.
    """

    code: str
    authority: str
    public: str
    transport: str
    node: str
    possession: str = field(default="", repr=False)
    proof: str = field(default="", repr=False)

    def signed_text(self, label: str) -> bytes:
        """What `possession` and `proof` are over, each under its own label."""
        content = {k: v for k, v in asdict(self).items() if k not in ("possession", "proof")}
        return _labelled(f"enrol {label}", content)

    def name(self) -> bytes:
        """32 bytes that differ for every other set of keys, code or authority."""
        return hashlib.sha256(self.signed_text("name")).digest()

    def content(self) -> bytes:
        """As it travels; `read_request` is its inverse."""
        return _canonical(asdict(self))


@dataclass(frozen=True)
class RenewRequest:
    """`transport`: PEM, of the key in use or of a new one; `current`: SHA-256 of the transport
    certificate in use, hex; `possession`: the identity key's signature, hex.
    """

    code: str
    authority: str
    transport: str
    current: str
    possession: str = field(default="", repr=False)

    def signed_text(self, label: str) -> bytes:
        """What `possession` is over."""
        content = {k: v for k, v in asdict(self).items() if k != "possession"}
        return _labelled(f"renew {label}", content)

    def name(self) -> bytes:
        """32 bytes that differ for every other key, code, authority or certificate."""
        return hashlib.sha256(self.signed_text("name")).digest()

    def content(self) -> bytes:
        """As it travels; `read_renewal` is its inverse."""
        return _canonical(asdict(self))


@dataclass(frozen=True)
class EnrolAnswer:
    """`request`: the request's name, hex; `certificate`, `transport`, `authority`, `coordinator`:
    certificates, PEM; `consortium`: the text of consortium.toml; `bundles`: SHA-256 in hex;
    `members`: code → public key in hex; `signature`: the coordinator's, hex.
    """

    request: str
    certificate: str
    transport: str
    authority: str
    coordinator: str
    consortium: str = field(repr=False)
    gate: str
    bundles: tuple[str, ...]
    members: Mapping[str, str] = field(repr=False)
    signature: str = field(default="", repr=False)

    def signed_text(self) -> bytes:
        """What `signature` is over."""
        return _labelled("enrol answer", fields_of(self, without="signature"))

    def content(self) -> bytes:
        """As it travels; `read_answer` is its inverse."""
        return _canonical(fields_of(self, without=""))


def read_request(content: bytes) -> EnrolRequest:
    """Parse a request; nothing in it is checked but its form. PeerError."""
    return _texts(EnrolRequest, content)


def read_renewal(content: bytes) -> RenewRequest:
    """Parse a request for renewal; nothing in it is checked but its form. PeerError."""
    return _texts(RenewRequest, content)


def read_answer(content: bytes) -> EnrolAnswer:
    """Parse an answer; nothing in it is checked but its form and sizes. PeerError."""
    found = _object(content, MOST_ANSWER, "the answer")
    members, bundles = found.pop("members", None), found.pop("bundles", None)
    wanted = sorted(EnrolAnswer.__dataclass_fields__.keys() - {"members", "bundles"})
    right = (
        sorted(found) == wanted
        and all(isinstance(value, str) for value in found.values())
        and isinstance(members, dict)
        and len(members) <= MOST_MEMBERS
        and all(isinstance(value, str) for value in members.values())
        and isinstance(bundles, list)
        and len(bundles) <= MOST_BUNDLES
        and all(isinstance(value, str) for value in bundles)
    )
    if not right:
        raise PeerError("the answer does not hold what it should")
    return answer_of(found | {"members": members, "bundles": bundles})


def fields_of(answer: EnrolAnswer, *, without: str) -> dict[str, Any]:
    """JSON-ready entries of an answer, but the one named `without`."""
    names = [name for name in EnrolAnswer.__dataclass_fields__ if name != without]
    about = {name: getattr(answer, name) for name in names}
    return about | {"members": dict(answer.members), "bundles": list(answer.bundles)}


def answer_of(about: Mapping[str, Any]) -> EnrolAnswer:
    """Inverse of `fields_of`; the entries have the right types."""
    members, bundles = MappingProxyType(dict(about["members"])), tuple(about["bundles"])
    return EnrolAnswer(**{**about, "members": members, "bundles": bundles})


def _texts(kind: type[_Request], content: bytes) -> _Request:
    found = _object(content, MOST_REQUEST, "the request")
    if sorted(found) != sorted(kind.__dataclass_fields__):
        raise PeerError("the request does not hold what it should")
    if not all(isinstance(value, str) for value in found.values()):
        raise PeerError("the request holds something that is no text")
    return kind(**found)


def _object(content: bytes, most: int, what: str) -> dict[str, Any]:
    if len(content) > most:
        raise PeerError(f"{what} has more than {most} bytes")
    try:
        found = json.loads(content.decode("utf-8"))
        json.dumps(found, ensure_ascii=False).encode("utf-8")  # no halves of characters
    except (ValueError, RecursionError) as error:
        raise PeerError(f"{what} is not JSON in UTF-8") from error
    if not isinstance(found, dict):
        raise PeerError(f"{what} is not a JSON object")
    return found


def _labelled(label: str, content: Mapping[str, Any]) -> bytes:
    return f"lianfang|{label}|v1|".encode() + _canonical(content)


def _canonical(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
