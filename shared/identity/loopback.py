"""A TLS certificate for one machine's own processes: they meet on 127.0.0.1 and nowhere else.

Invariants:
- It is its own authority and names the loopback addresses only: nobody elsewhere is believed
  because of it, and it proves no member's identity.

Sources: RFC 5280 (profile), RFC 5480 (P-256 in X.509).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from shared.identity.transport import new_transport_key

_EARLY = timedelta(days=1)
_PEM = serialization.Encoding.PEM


def loopback_pair(
    random: Callable[[int], bytes], now: datetime, days: int = 365
) -> tuple[bytes, bytes]:
    """A new certificate and its private key, both PEM; valid for `days` days. `random`: as
    `os.urandom`; `now` with a zone.
    """
    text = new_transport_key(random)
    key = serialization.load_pem_private_key(text, password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    hosts = [x509.DNSName("localhost")]
    addresses = [x509.IPAddress(ip_address(text)) for text in ("127.0.0.1", "::1")]
    certificate = (
        x509.CertificateBuilder()
        .issuer_name(name)
        .subject_name(name)
        .public_key(key.public_key())
        .serial_number((int.from_bytes(random(20), "big") >> 1) | 1)
        .not_valid_before(now - _EARLY)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([*hosts, *addresses]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(_PEM), text
