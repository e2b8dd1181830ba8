"""The consortium's authority: one Ed25519 key that certifies who is a member, and in which role.

    authority.key   private, readable by its owner only; belongs with the founder, off line
    authority.crt   self-signed certificate: every institution holds a copy

Invariants:
- It certifies public keys. Private keys are made where they are used and never travel.
- Whatever it issues `read_member` accepts: a certificate is read back before it is handed out.
- It never writes over a key. Randomness and time are passed in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.x509.oid import NameOID

from server.keys import AUTHORITY, read_certificate, read_private, write_private
from shared.errors import OperatorError, PeerError
from shared.identity.certificate import Role, check_authority, public_of, read_member
from shared.identity.pem import certificate_to_pem
from shared.identity.transport import read_peer, transport_public

AUTHORITY_KEY = "authority.key"
_PublicKey = Ed25519PublicKey | EllipticCurvePublicKey
RandomBytes = Callable[[int], bytes]
"""As `os.urandom`: that many bytes nobody can guess."""

_EARLY = timedelta(days=1)
"""How much earlier than now a certificate begins: members' clocks may be behind ours."""
_MOST_DAYS = 36_500


@dataclass(frozen=True)
class Authority:
    """`certificate`: DER, self-signed; `private`: raw Ed25519 key, 32 bytes."""

    certificate: bytes
    private: bytes = field(repr=False)


def create_authority(
    consortium: str, *, days: int, now: datetime, random: RandomBytes
) -> Authority:
    """A new authority, valid from a day before `now` (with a zone) for `days` days from it.

    `days`: 1 to 36,500. `consortium`: its name, 1 to 64 letters, in every certificate. Raises
    OperatorError.
    """
    private = random(32)
    name = _name([(NameOID.COMMON_NAME, "authority"), (NameOID.ORGANIZATION_NAME, consortium)])
    builder = _builder(name, name, _key(public_of(private)), now, _last(now, days), random)
    certificate = _signed(builder, private, certifies=True)
    check_authority(certificate, now)
    return Authority(certificate, private)


def issue(
    authority: Authority,
    code: str,
    role: Role,
    public: bytes,
    *,
    days: int,
    now: datetime,
    random: RandomBytes,
) -> bytes:
    """A certificate (DER) that `public`, a raw Ed25519 key of 32 bytes, is the member `code`'s.

    Whoever asks must have shown that the key is its own: a certificate over another's key would
    let two codes claim one signature. Raises OperatorError for a code, role, key or date that
    members would refuse.
    """
    builder = _leaf(authority, code, role, _key(public), days, now, random)
    certificate = _signed(builder, authority.private, certifies=False)
    try:
        read_member(certificate, authority.certificate, now)
    except PeerError as error:
        raise _not_issued(code, error) from error
    return certificate


def issue_transport(
    authority: Authority,
    code: str,
    role: Role,
    public: bytes,
    *,
    days: int,
    now: datetime,
    random: RandomBytes,
) -> bytes:
    """A certificate (DER) for mutual TLS over `public`, a P-256 key as `transport_public` reads it.

    It names the same code and role as the member's identity, and the code as host. Raises as
    `issue`.
    """
    builder = _leaf(authority, code, role, transport_public(public), days, now, random)
    host = x509.SubjectAlternativeName([x509.DNSName(code)])
    certificate = _signed(
        builder.add_extension(host, critical=False), authority.private, certifies=False
    )
    try:
        read_peer(certificate, authority.certificate, now)
    except PeerError as error:
        raise _not_issued(code, error) from error
    return certificate


def _leaf(
    authority: Authority,
    code: str,
    role: Role,
    public: _PublicKey,
    days: int,
    now: datetime,
    random: RandomBytes,
) -> x509.CertificateBuilder:
    consortium = check_authority(authority.certificate, now)
    issuer = x509.load_der_x509_certificate(authority.certificate)
    last = _last(now, days)
    if last > issuer.not_valid_after_utc:
        raise OperatorError(
            f"the certificate would outlive its authority ({issuer.not_valid_after_utc:%Y-%m-%d})",
            remedy="ask for fewer days",
        )
    parts = [
        (NameOID.COMMON_NAME, code),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, role),
        (NameOID.ORGANIZATION_NAME, consortium),
    ]
    return _builder(_name(parts), issuer.subject, public, now, last, random)


def _not_issued(code: str, error: PeerError) -> OperatorError:
    return OperatorError(
        f"nothing was issued to {code[:64]!r}: {error.what}", remedy="mend the request"
    )


def days_left(authority: Authority, now: datetime) -> int:
    """Whole days until the authority's own certificate ends: no other may outlive it. OperatorError
    when it is not even one.
    """
    ends = x509.load_der_x509_certificate(authority.certificate).not_valid_after_utc
    days = (ends - now).days
    if days < 1:
        raise OperatorError(
            f"the authority's certificate ends {ends:%Y-%m-%d}: nothing is certified any more",
            remedy="make another authority, with which the consortium begins anew",
        )
    return days


def write_authority(folder: Path, authority: Authority) -> None:
    """Write both files into `folder`; OperatorError, and nothing is changed, if a key is there."""
    folder.mkdir(parents=True, exist_ok=True)
    write_private(folder / AUTHORITY_KEY, authority.private)
    (folder / AUTHORITY).write_bytes(certificate_to_pem(authority.certificate))


def read_authority(folder: Path, now: datetime) -> Authority:
    """Inverse of `write_authority`; OperatorError when a file is missing, open to others, not what
    it should be, or the two do not belong together.
    """
    private = read_private(folder / AUTHORITY_KEY)
    certificate = read_certificate(folder / AUTHORITY)
    check_authority(certificate, now)
    _check_pair(folder, private, certificate)
    return Authority(certificate, private)


def _check_pair(folder: Path, private: bytes, certificate: bytes) -> None:
    key = x509.load_der_x509_certificate(certificate).public_key()
    if not isinstance(key, Ed25519PublicKey) or key.public_bytes_raw() != public_of(private):
        raise OperatorError(
            f"{folder}: {AUTHORITY_KEY} is not the key of {AUTHORITY}",
            remedy="restore the two files from the same copy",
        )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public: _PublicKey,
    now: datetime,
    last: datetime,
    random: RandomBytes,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .subject_name(subject)
        .public_key(public)
        .serial_number((int.from_bytes(random(20), "big") >> 1) | 1)  # RFC 5280 §4.1.2.2
        .not_valid_before(now - _EARLY)
        .not_valid_after(last)
    )


def _key(public: bytes) -> Ed25519PublicKey:
    if len(public) != 32:
        raise OperatorError("an Ed25519 public key has 32 bytes", remedy="mend the request")
    return Ed25519PublicKey.from_public_bytes(public)


def _last(now: datetime, days: int) -> datetime:
    if not 1 <= days <= _MOST_DAYS:
        raise OperatorError(
            f"{days} days are not between 1 and {_MOST_DAYS}", remedy="mend the request"
        )
    return (now + timedelta(days=days)).replace(microsecond=0)  # X.509 knows whole seconds only


def _name(parts: list[tuple[x509.ObjectIdentifier, str]]) -> x509.Name:
    if not all(0 < len(text) <= 64 for _, text in parts):  # RFC 5280 appendix A: ub-common-name …
        raise OperatorError(
            "a code or the consortium's name is not 1 to 64 letters long", remedy="choose another"
        )
    return x509.Name([x509.NameAttribute(kind, text) for kind, text in parts])


def _signed(builder: x509.CertificateBuilder, private: bytes, *, certifies: bool) -> bytes:
    constraints = x509.BasicConstraints(ca=certifies, path_length=0 if certifies else None)
    usage = x509.KeyUsage(
        digital_signature=not certifies,
        key_cert_sign=certifies,
        crl_sign=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        builder.add_extension(constraints, critical=True)
        .add_extension(usage, critical=True)
        .sign(Ed25519PrivateKey.from_private_bytes(private), None)
    )
    return certificate.public_bytes(serialization.Encoding.DER)
