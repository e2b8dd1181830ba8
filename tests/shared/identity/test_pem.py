"""Keys and certificates survive their files; anything else in a file is named, never quoted."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.errors import OperatorError
from shared.identity.pem import (
    certificate_from_pem,
    certificate_to_pem,
    private_from_pem,
    private_to_pem,
)
from tests.identities import authority_of, identity_under

AUTHORITY = authority_of()
LENDER = identity_under(AUTHORITY, "L01")
KEY, CERTIFICATE = private_to_pem(LENDER.private), certificate_to_pem(LENDER.member.certificate)


def test_a_key_survives_its_file() -> None:
    """Also the published one of RFC 8410 §10.3, so any tool may have made it."""
    assert private_from_pem(KEY) == LENDER.private
    published = (
        b"-----BEGIN PRIVATE KEY-----\n"
        b"MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
        b"-----END PRIVATE KEY-----\n"
    )
    raw = "d4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f44755842"
    assert private_from_pem(published).hex() == raw
    assert private_to_pem(bytes.fromhex(raw)) == published


def test_a_certificate_survives_its_file() -> None:
    """Byte for byte, since its bytes are part of what is signed later."""
    assert certificate_from_pem(CERTIFICATE) == LENDER.member.certificate


def rsa_key() -> bytes:
    return rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def encrypted_key() -> bytes:
    return Ed25519PrivateKey.from_private_bytes(LENDER.private).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )


@pytest.mark.parametrize(
    "content",
    [b"", b"junk", CERTIFICATE, KEY[:60], KEY.replace(b"MC4", b"MC5"), KEY + bytes(20_000)],
    ids=["empty", "junk", "a certificate", "cut", "bent", "huge"],
)
def test_what_is_no_key_is_refused(content: bytes) -> None:
    """And not quoted in the message."""
    with pytest.raises(OperatorError, match="not one unencrypted private key") as caught:
        private_from_pem(content)
    assert "MC4" not in str(caught.value)


def test_keys_of_another_kind_are_refused() -> None:
    """RSA, or one that needs a password."""
    with pytest.raises(OperatorError, match="not an Ed25519 key"):
        private_from_pem(rsa_key())
    with pytest.raises(OperatorError, match="unencrypted"):
        private_from_pem(encrypted_key())


@pytest.mark.parametrize(
    "content",
    [b"", b"junk", KEY, CERTIFICATE[:80], CERTIFICATE * 2, CERTIFICATE + bytes(20_000)],
    ids=["empty", "junk", "a key", "cut", "two", "huge"],
)
def test_what_is_no_certificate_is_refused(content: bytes) -> None:
    """Exactly one, so that nobody can mean the other."""
    with pytest.raises(OperatorError, match="not one certificate"):
        certificate_from_pem(content)
