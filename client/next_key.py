"""The transport key that is asked for while certificates are renewed.

    own/transport.next.key    a new one, until a certificate over it is in place

Invariants:
- A new key is kept before it is asked for, and asked for until a certificate over it is in place:
  the coordinator grants the same request again, and no other one over the certificate that was in
  use before. So a lost answer costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from client.credentials import private_text
from client.files import write_durably
from client.joining import TRANSPORT_KEY
from shared.identity.transport import new_transport_key, transport_public_of

NEXT_KEY = "own/transport.next.key"


def asked_key(folder: Path, current: bytes, random: Callable[[int], bytes] | None) -> bytes:
    """The key to ask for, PEM: one that was asked for before without a certificate over it here,
    else a new one from `random`, else the one in use. `current`: the certificate in use, DER.

    Raises OSError, and OperatorError when a key's file cannot be used.
    """
    waiting = folder / NEXT_KEY
    if waiting.exists():
        key = private_text(waiting)
        if transport_public_of(key) != _public_pem(current):
            return key
        waiting.unlink()  # its certificate is in place: only this was left to do
    if random is None:
        return private_text(folder / TRANSPORT_KEY)
    key = new_transport_key(random)
    write_durably(waiting, key)
    return key


def _public_pem(certificate: bytes) -> bytes:
    key = x509.load_der_x509_certificate(certificate).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
