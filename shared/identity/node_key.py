"""A lender's third key: its Flower node speaks to the coordinator's fleet under it.

    node    P-384    signs the requests of the lender's node; registered under the lender's code

Invariants:
- The private half is text as Flower's node reads it (OpenSSH form); the public half is PEM, as its
  fleet registers it.

Sources: RFC 5480 (P-384 in X.509), RFC 5656 (ECDSA in SSH).
"""

from __future__ import annotations

from collections.abc import Callable

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from shared.errors import OperatorError

_P384_ORDER = int(
    "ffffffffffffffffffffffffffffffffffffffffffffffff"
    "c7634d81f4372ddf581a0db248b0a77aecec196accc52973",
    16,
)
_REMEDY = "join again with a new folder"


def new_node_key(random: Callable[[int], bytes]) -> bytes:
    """A P-384 private key in OpenSSH form, unencrypted: the file's mode protects it."""
    number = int.from_bytes(random(64), "big") % (_P384_ORDER - 1) + 1  # bias below 2⁻¹²⁸
    return ec.derive_private_key(number, ec.SECP384R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )


def node_public_of(private: bytes) -> bytes:
    """The public half (PEM) of a key of `new_node_key`; OperatorError if it is none."""
    try:
        key = serialization.load_ssh_private_key(private, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise OperatorError("this is not one unencrypted node key", remedy=_REMEDY) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp384r1":
        raise OperatorError("the node key is not a P-384 key", remedy=_REMEDY)
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def check_node_public(text: bytes) -> None:
    """OperatorError unless this is one P-384 public key in PEM form."""
    try:
        key = serialization.load_pem_public_key(text)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise OperatorError("this is not one public key in PEM form", remedy=_REMEDY) from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp384r1":
        raise OperatorError("the node key is not a P-384 key", remedy=_REMEDY)
