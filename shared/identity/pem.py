"""Keys and certificates as the texts that lie in files (PEM, RFC 7468; PKCS #8, RFC 8410 §7).

Invariants:
- Reading takes exactly one unencrypted key, or one certificate, of at most 16 kB; anything else is
  an OperatorError, which never quotes the text.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.errors import OperatorError

_MOST_BYTES = 16_384
_MALFORMED = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion)


def private_to_pem(private: bytes) -> bytes:
    """The file of a raw Ed25519 private key, 32 bytes. Unencrypted: the file's mode protects it."""
    return Ed25519PrivateKey.from_private_bytes(private).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def private_from_pem(text: bytes) -> bytes:
    """Inverse of `private_to_pem`: the raw key, 32 bytes."""
    try:
        if len(text) > _MOST_BYTES:
            raise ValueError("too large")
        key = serialization.load_pem_private_key(text, password=None)
    except _MALFORMED as error:
        raise OperatorError(
            "this is not one unencrypted private key in PEM form", remedy=_HOW_KEYS_ARE_MADE
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise OperatorError("the private key is not an Ed25519 key", remedy=_HOW_KEYS_ARE_MADE)
    return key.private_bytes_raw()


def certificate_to_pem(certificate: bytes) -> bytes:
    """The file of a DER certificate."""
    parsed = x509.load_der_x509_certificate(certificate)
    return parsed.public_bytes(serialization.Encoding.PEM)


def certificate_from_pem(text: bytes) -> bytes:
    """Inverse of `certificate_to_pem`: DER. What it says is not judged here."""
    try:
        if len(text) > _MOST_BYTES:
            raise ValueError("too large")
        (certificate,) = x509.load_pem_x509_certificates(text)
    except _MALFORMED as error:
        raise OperatorError(
            "this is not one certificate in PEM form",
            remedy="put the file in place that the consortium's authority handed out",
        ) from error
    return certificate.public_bytes(serialization.Encoding.DER)


_HOW_KEYS_ARE_MADE = "make one with: openssl genpkey -algorithm ed25519"
