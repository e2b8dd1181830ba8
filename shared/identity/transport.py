"""A member's certificate for mutual TLS: the same code and role as its identity, over a P-256 key.

    identity    Ed25519   signs statements that outlive a connection
    transport   P-256     speaks TLS 1.3 with key holders and registry

Two keys, since the TLS library under gRPC takes no Ed25519 certificates from its peers; and neither
is taken for the other, since each reader insists on its own kind of key.

Invariants:
- A `Peer` was certified by the authority, is valid at `now` and named as host by its own code.

Sources: RFC 8446 §4.4.2 (certificates in TLS 1.3), RFC 5480 (P-256 in X.509), RFC 5280 §4.2.1.6.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from shared.errors import OperatorError, PeerError
from shared.identity.certificate import Role, certified

_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_PEM = serialization.Encoding.PEM
_HOW = "make one with: openssl genpkey -algorithm ec -pkeyopt ec_paramgen_curve:P-256"


@dataclass(frozen=True)
class Peer:
    """Who is at the other end of a connection."""

    code: str
    role: Role


def read_peer(certificate: bytes, authority: bytes, now: datetime) -> Peer:
    """The peer a DER certificate speaks for; raises PeerError unless `authority` (DER) issued it,
    it is valid now, holds a P-256 key and names its code as its one host.
    """
    leaf, code, role = certified(certificate, authority, now)
    if not _is_p256(leaf):
        raise PeerError("a member's transport certificate does not hold a P-256 key")
    if _hosts(leaf) != [code]:
        raise PeerError("a member's transport certificate does not name its code as its host")
    return Peer(code, role)


def new_transport_key(random: Callable[[int], bytes]) -> bytes:
    """A P-256 private key in PEM form (PKCS #8, unencrypted: the file's mode protects it)."""
    number = int.from_bytes(random(48), "big") % (_P256_ORDER - 1) + 1  # bias below 2⁻¹²⁸
    return ec.derive_private_key(number, ec.SECP256R1()).private_bytes(
        _PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def transport_public_of(private: bytes) -> bytes:
    """The public key (PEM) of a private one of `new_transport_key`; OperatorError if it is none."""
    try:
        key = serialization.load_pem_private_key(private, password=None)
    except (ValueError, TypeError) as error:
        raise OperatorError("this is not one unencrypted private key", remedy=_HOW) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise OperatorError("the transport key is not a P-256 key", remedy=_HOW)
    return key.public_key().public_bytes(_PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def transport_public(text: bytes) -> ec.EllipticCurvePublicKey:
    """The P-256 key in a public key's PEM form; OperatorError for anything else."""
    try:
        key = serialization.load_pem_public_key(text)
    except (ValueError, TypeError) as error:
        raise OperatorError("this is not one public key in PEM form", remedy=_HOW) from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise OperatorError("the transport key is not a P-256 key", remedy=_HOW)
    return key


def _is_p256(leaf: x509.Certificate) -> bool:
    try:
        key = leaf.public_key()
    except (ValueError, TypeError):
        return False
    return isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp256r1"


def _hosts(leaf: x509.Certificate) -> list[str]:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return list(names.get_values_for_type(x509.DNSName)) if len(list(names)) == 1 else []
    except (x509.ExtensionNotFound, ValueError):
        return []
