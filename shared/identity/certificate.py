"""A member's certificate: its code, its role and its Ed25519 key, under the consortium's authority.

    subject   CN = code    OU = role    O = consortium
    issuer    the authority, whose own certificate each institution holds in a file

Invariants:
- A `Member` that came out of `read_member` was certified by the authority, is valid at `now`, and
  can sign statements but no certificates. No name is read before the signature is checked.
- Whoever asks says what the time is; a certificate is not accepted a second past its dates.
- Nothing is kept from call to call: a call costs one Ed25519 verification (0.15 ms). A caller that
  asks often about the same bytes keeps the `Member` for as long as it trusts its clock to agree.

Sources: RFC 5280 (profile, §4.2.1.3 and §4.2.1.9), RFC 8410 (Ed25519 in X.509), RFC 8032 §5.1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, cast, get_args

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.x509.oid import ExtensionOID, NameOID, ObjectIdentifier

from shared.errors import InternalError, OperatorError, PeerError

Role = Literal["lender", "coordinator", "keyholder", "registry", "desk", "operator"]
MOST_BYTES = 4096
"""A certificate of ours has about 300; larger ones are not parsed."""
CODE = re.compile(r"\w[\w.-]{0,63}", re.ASCII)
"""A member's code: ASCII letters, digits, `_`, `-` and `.`, safe in a log and as a file's name.
`l01` and `L01` are two members: the authority keeps no list of what it issued, so whoever runs it
has to see to it that it does not give out both.
"""

_UNDERSTOOD = frozenset({ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE})
_MALFORMED = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
    UserWarning,  # the library's, of odd numbers and names, where warnings are errors
)
_P = 2**255 - 19
_ORDER_8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_SMALL_ORDER = frozenset({0, 1, _P - 1, _ORDER_8, _P - _ORDER_8})
"""y of the eight points of small order: under such a key anybody's signature can be made to fit."""


@dataclass(frozen=True)
class Member:
    """A certified member. `public`: raw Ed25519 key, 32 bytes; `certificate`: DER."""

    code: str
    role: Role
    public: bytes
    certificate: bytes


@dataclass(frozen=True)
class Identity:
    """A member and its own raw Ed25519 private key, 32 bytes, which no `repr` shows."""

    member: Member
    private: bytes = field(repr=False)


class _FlawError(Exception):
    """What is wrong with a certificate, as the end of a sentence that begins with its owner."""


def read_member(certificate: bytes, authority: bytes, now: datetime) -> Member:
    """The member a DER certificate speaks for, if `authority` (DER) issued it and it is valid now.

    Raises PeerError, one sentence, for anything else: oversized or malformed, not issued by this
    authority or for its consortium, expired, not yet valid, itself an authority, not Ed25519, code
    not printable or too long, role unknown. OperatorError: the authority's own is not usable now.
    """
    leaf, code, role = certified(certificate, authority, now)
    try:
        return Member(code, role, _ed25519(leaf).public_bytes_raw(), certificate)
    except _FlawError as flaw:
        raise PeerError(f"a member's certificate {flaw}") from flaw


def certified(
    certificate: bytes, authority: bytes, now: datetime
) -> tuple[x509.Certificate, str, Role]:
    """A DER certificate that `authority` issued and that is valid now, whatever key it holds, with
    the code and the role it names. Raises as `read_member`.
    """
    anchor = _anchor(authority, now)
    try:
        leaf = _parsed(certificate)
        _check_issued(leaf, anchor)
        _check_time(leaf, now)
        _check_signs_statements_only(leaf)
        return (leaf, *_names(leaf, anchor))
    except _FlawError as flaw:
        raise PeerError(f"a member's certificate {flaw}") from flaw


def end_of(certificate: bytes) -> datetime:
    """Until when a DER certificate is valid, whoever issued it; PeerError when it is none."""
    try:
        return _parsed(certificate).not_valid_after_utc
    except _FlawError as flaw:
        raise PeerError(f"a member's certificate {flaw}") from flaw


def check_authority(certificate: bytes, now: datetime) -> str:
    """The consortium's name in the authority's own certificate (DER), the anchor of all trust.

    Raises OperatorError unless it is self-signed, Ed25519, valid now and allowed to certify.
    """
    anchor = _anchor(certificate, now)
    try:
        _check_issued(anchor, anchor)
        return _only(anchor, NameOID.ORGANIZATION_NAME)
    except _FlawError as flaw:
        raise _unusable(flaw) from flaw


def identity_of(certificate: bytes, private: bytes, authority: bytes, now: datetime) -> Identity:
    """One's own identity of a DER certificate and a raw private key; OperatorError says what does
    not fit, the certificate included.
    """
    try:
        member = read_member(certificate, authority, now)
    except PeerError as error:
        raise OperatorError(
            error.what.replace("a member's", "this member's own", 1),
            remedy="ask the consortium's authority for a new certificate over the same public key",
        ) from error
    if public_of(private) != member.public:
        raise OperatorError(
            f"the private key is not the one in {member.code}'s certificate",
            remedy="put the key and the certificate that belong together in place",
        )
    return Identity(member, private)


def public_of(private: bytes) -> bytes:
    """The raw public key, 32 bytes, of a raw Ed25519 private key, 32 bytes (RFC 8032 §5.1.5)."""
    return Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def _anchor(authority: bytes, now: datetime) -> x509.Certificate:
    if now.tzinfo is None:
        raise InternalError("a certificate is judged by a time without a zone")
    try:
        anchor = _parsed(authority)
        _check_time(anchor, now)
        if not (_basic(anchor).ca and _usage(anchor).key_cert_sign):
            raise _FlawError("is not allowed to certify others")
        _ed25519(anchor)
    except _FlawError as flaw:
        raise _unusable(flaw) from flaw
    return anchor


def _unusable(flaw: _FlawError) -> OperatorError:
    return OperatorError(
        f"the authority's certificate {flaw}",
        remedy="put the authority.crt in place that the consortium's founder handed out",
    )


def _parsed(certificate: bytes) -> x509.Certificate:
    if len(certificate) > MOST_BYTES:
        raise _FlawError(f"is larger than {MOST_BYTES} bytes")
    try:
        return x509.load_der_x509_certificate(certificate)
    except _MALFORMED as error:
        raise _FlawError("is not a certificate") from error


def _check_issued(certificate: x509.Certificate, anchor: x509.Certificate) -> None:
    try:
        certificate.verify_directly_issued_by(anchor)
    except (*_MALFORMED, InvalidSignature) as error:
        raise _FlawError("is not issued by this authority") from error


def _check_time(certificate: x509.Certificate, now: datetime) -> None:
    first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now < first:
        raise _FlawError(f"is not yet valid: it begins at {first:%Y-%m-%d %H:%M:%S} UTC")
    if now > last:
        raise _FlawError(f"is expired since {last:%Y-%m-%d %H:%M:%S} UTC")


def _check_signs_statements_only(leaf: x509.Certificate) -> None:
    if _basic(leaf).ca or _usage(leaf).key_cert_sign:
        raise _FlawError("is itself an authority's")
    if not _usage(leaf).digital_signature:
        raise _FlawError("is not for signing statements")


def _names(leaf: x509.Certificate, anchor: x509.Certificate) -> tuple[str, Role]:
    code, role = _only(leaf, NameOID.COMMON_NAME), _only(leaf, NameOID.ORGANIZATIONAL_UNIT_NAME)
    if not CODE.fullmatch(code):
        raise _FlawError("holds a code that is not 1 to 64 letters, digits, '_', '-' or '.'")
    if role not in get_args(Role):
        raise _FlawError(f"holds a role that is not one of {', '.join(get_args(Role))}")
    if _only(leaf, NameOID.ORGANIZATION_NAME) != _only(anchor, NameOID.ORGANIZATION_NAME):
        raise _FlawError("is for another consortium than its authority's")
    return code, cast(Role, role)


def _extensions(certificate: x509.Certificate) -> x509.Extensions:
    try:
        extensions = certificate.extensions
    except _MALFORMED as error:
        raise _FlawError("holds extensions that cannot be read") from error
    if any(one.critical and one.oid not in _UNDERSTOOD for one in extensions):
        raise _FlawError("holds a critical extension that is not known here")  # RFC 5280 §4.2
    return extensions


def _basic(certificate: x509.Certificate) -> x509.BasicConstraints:
    try:
        return _extensions(certificate).get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound as error:
        raise _FlawError("does not say whether it is an authority's") from error


def _usage(certificate: x509.Certificate) -> x509.KeyUsage:
    try:
        return _extensions(certificate).get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound as error:
        raise _FlawError("does not say what its key is for") from error


def _ed25519(certificate: x509.Certificate) -> Ed25519PublicKey:
    try:
        key = certificate.public_key()
    except _MALFORMED as error:
        raise _FlawError("holds a key that cannot be read") from error
    if not isinstance(key, Ed25519PublicKey):
        raise _FlawError("does not hold an Ed25519 key")
    y = int.from_bytes(key.public_bytes_raw(), "little") & (2**255 - 1)
    if y >= _P or y in _SMALL_ORDER:
        raise _FlawError("holds a key under which anybody could sign")
    return key


def _only(certificate: x509.Certificate, part: ObjectIdentifier) -> str:
    try:
        values = [a.value for a in certificate.subject.get_attributes_for_oid(part)]
    except _MALFORMED as error:
        raise _FlawError("holds names that cannot be read") from error
    if len(values) != 1 or not isinstance(values[0], str) or not 0 < len(values[0]) <= 64:
        raise _FlawError("does not hold one code, one role and one consortium of 1 to 64 letters")
    return values[0]
