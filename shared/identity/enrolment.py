"""How a lender becomes a member, and how its certificates are renewed.

    lender                                                                     coordinator
      keys are made here
      EnrolRequest   code, three public keys, authority's digest
                     possession: signed by the new identity key
                     proof: signed by the invitation's secret        ───────►  checks, certifies
      checks         ◄───────  EnrolAnswer   two certificates, authority, consortium.toml,
                                             bundles, gate, members
                                             signed by the coordinator's identity
      RenewRequest   code, transport key, the certificate in use
                     possession: signed by the identity key          ───────►  checks, certifies
      checks         ◄───────  EnrolAnswer

Invariants:
- No private key and no secret is in any of these messages.
- A request is for one authority and one set of keys: it cannot be used with other keys, by whoever
  saw it, nor at another consortium. The same keys give the same request, byte for byte.
- An answer is for one request. It is believed on the authority's word alone, whose digest came with
  the invitation: over a connection or as a file, it makes no difference who carried it.
- Checks return nothing and raise PeerError.

Sources: RFC 8032 §5.1 (Ed25519 is deterministic), RFC 8446 §4.4.3 (labels keep signatures apart).
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import asdict
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from shared.errors import OperatorError, PeerError
from shared.identity.address import host_and_port
from shared.identity.certificate import CODE, Identity, public_of, read_member
from shared.identity.enrolment_messages import (
    MOST_CONSORTIUM,
    EnrolAnswer,
    EnrolRequest,
    RenewRequest,
    answer_of,
    fields_of,
)
from shared.identity.invitation import Invitation
from shared.identity.node_key import check_node_public
from shared.identity.pem import certificate_from_pem, certificate_to_pem
from shared.identity.transport import read_peer, transport_public


def enrol_request(
    invitation: Invitation, private: bytes, transport: bytes, node: bytes
) -> EnrolRequest:
    """The request of whoever holds the invitation and the raw identity key `private`; `transport`
    and `node` are its public keys, PEM.
    """
    bare = EnrolRequest(
        code=invitation.code,
        authority=invitation.authority.hex(),
        public=public_of(private).hex(),
        transport=transport.decode(),
        node=node.decode(),
    )
    possession = _sign(private, bare.signed_text("possession"))
    proof = _sign(invitation.secret, bare.signed_text("proof"))
    return EnrolRequest(**asdict(bare) | {"possession": possession, "proof": proof})


def renew_request(
    code: str, private: bytes, authority: bytes, transport: bytes, current: bytes
) -> RenewRequest:
    """The member `code`'s request for certificates over its raw identity key `private` and its
    transport key (public, PEM); `authority` and `current`, its transport certificate, are DER.
    """
    bare = RenewRequest(
        code=code,
        authority=digest_of(authority).hex(),
        transport=transport.decode(),
        current=digest_of(current).hex(),
    )
    possession = _sign(private, bare.signed_text("possession"))
    return RenewRequest(**asdict(bare) | {"possession": possession})


def check_request(request: EnrolRequest, verifier: bytes, authority: bytes) -> None:
    """PeerError unless whoever holds the identity key and the secret behind `verifier` asks for
    these keys under `authority` (DER).
    """
    _check_keys(request, authority)
    _check_node(request.node)
    public = _hex(request.public, 32, "a public key")
    _verify(public, request.possession, request.signed_text("possession"), "the new identity key")
    _verify(verifier, request.proof, request.signed_text("proof"), "the invitation")


def check_renewal(request: RenewRequest, public: bytes, authority: bytes) -> None:
    """PeerError unless the holder of the identity key `public` asks, under `authority` (DER)."""
    _check_keys(request, authority)
    _hex(request.current, 32, "the certificate in use")
    _verify(public, request.possession, request.signed_text("possession"), "the identity key")


def signed_answer(answer: EnrolAnswer, coordinator: Identity) -> EnrolAnswer:
    """The answer under the coordinator's certificate and signature."""
    pem = certificate_to_pem(coordinator.member.certificate).decode()
    about = fields_of(answer, without="") | {"coordinator": pem}
    bare = answer_of(about)
    signature = _sign(coordinator.private, bare.signed_text())
    return answer_of(about | {"signature": signature})


def check_answer(
    answer: EnrolAnswer,
    request: EnrolRequest | RenewRequest,
    *,
    pinned: bytes,
    public: bytes,
    now: datetime,
) -> None:
    """PeerError unless the authority of the digest `pinned` stands behind the answer, it is for
    this `request`, and its certificates are over the member's own keys: `public` (raw Ed25519) and
    the request's transport key. OperatorError: the authority's own certificate is not usable now.
    """
    authority = certificate_of(answer.authority)
    if not hmac.compare_digest(digest_of(authority), pinned):
        raise PeerError("the answer comes from another authority than the invitation's")
    coordinator = read_member(certificate_of(answer.coordinator), authority, now)
    if coordinator.role != "coordinator":
        raise PeerError(f"the answer is signed by a {coordinator.role}, not by the coordinator")
    _verify(coordinator.public, answer.signature, answer.signed_text(), "the coordinator")
    if not hmac.compare_digest(answer.request, request.name().hex()):
        raise PeerError("the answer is for another request")
    _check_certificates(answer, request, authority, public, now)
    _check_rest(answer, request.code, public)


def digest_of(certificate: bytes) -> bytes:
    """SHA-256 of a DER certificate, 32 bytes."""
    return hashlib.sha256(certificate).digest()


def certificate_of(pem: str) -> bytes:
    """DER of a certificate in PEM form; PeerError."""
    try:
        return certificate_from_pem(pem.encode())
    except OperatorError as error:
        raise PeerError(f"in a message: {error.what}") from error


def _check_keys(request: EnrolRequest | RenewRequest, authority: bytes) -> None:
    if not CODE.fullmatch(request.code):
        raise PeerError("a request holds a code that is none")
    if not hmac.compare_digest(request.authority, digest_of(authority).hex()):
        raise PeerError("a request is for another authority")
    try:
        key = transport_public(request.transport.encode())
    except OperatorError as error:
        raise PeerError(f"a request's transport key: {error.what}") from error
    if request.transport.encode() != _pem_of(key):
        raise PeerError("a request's transport key has more in its text than the key")


def _check_node(text: str) -> None:
    try:
        check_node_public(text.encode())
    except OperatorError as error:
        raise PeerError(f"a request's node key: {error.what}") from error
    if text.encode() != _pem_of(serialization.load_pem_public_key(text.encode())):
        raise PeerError("a request's node key has more in its text than the key")


def _check_certificates(
    answer: EnrolAnswer,
    request: EnrolRequest | RenewRequest,
    authority: bytes,
    public: bytes,
    now: datetime,
) -> None:
    member = read_member(certificate_of(answer.certificate), authority, now)
    if (member.code, member.role, member.public) != (request.code, "lender", public):
        raise PeerError("the certificate is not over this lender's code and identity key")
    transport = certificate_of(answer.transport)
    peer = read_peer(transport, authority, now)
    if (peer.code, peer.role) != (request.code, "lender"):
        raise PeerError("the transport certificate is not this lender's")
    key = x509.load_der_x509_certificate(transport).public_key()
    if _pem_of(key) != request.transport.encode():
        raise PeerError("the transport certificate is over another key")


def _check_rest(answer: EnrolAnswer, code: str, public: bytes) -> None:
    try:
        host_and_port(answer.gate)
    except OperatorError as error:
        raise PeerError(f"the gate's address: {error.what}") from error
    if len(answer.consortium.encode()) > MOST_CONSORTIUM:
        raise PeerError(f"consortium.toml has more than {MOST_CONSORTIUM} bytes")
    for digest in answer.bundles:
        _hex(digest, 32, "a bundle's digest")
    for other, key in answer.members.items():
        if not CODE.fullmatch(other):
            raise PeerError("the list of members holds a code that is none")
        _hex(key, 32, f"{other}'s public key")
    if len(set(answer.members.values())) < len(answer.members):
        raise PeerError("one key stands under two codes in the list of members")
    if answer.members.get(code) != public.hex():
        raise PeerError(f"the list of members does not hold {code}'s own key")


def _verify(public: bytes, signature: str, text: bytes, whose: str) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(_hex(signature, 64, "a signature"), text)
    except (InvalidSignature, ValueError) as error:
        raise PeerError(f"the signature is not that of {whose}") from error


def _sign(private: bytes, text: bytes) -> str:
    return Ed25519PrivateKey.from_private_bytes(private).sign(text).hex()


def _hex(text: str, size: int, what: str) -> bytes:
    try:
        content = bytes.fromhex(text)
    except ValueError:
        content = b""
    if len(content) != size or content.hex() != text:  # one way to write it
        raise PeerError(f"{what} is not {size} bytes in hex")
    return content


def _pem_of(key: Any) -> bytes:
    found: bytes = key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return found
