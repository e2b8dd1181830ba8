"""A certificate speaks for a member only if the authority said so, now, for this use.

Every wrong certificate below is built beside a right one that differs in that point alone.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Literal

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from shared.errors import InternalError, OperatorError, PeerError
from shared.identity.certificate import (
    MOST_BYTES,
    check_authority,
    identity_of,
    public_of,
    read_member,
)
from tests.identities import DAYS, NOW, authority_of, identity_under

AUTHORITY = authority_of()
LENDER = identity_under(AUTHORITY, "L01")
CODE = (NameOID.COMMON_NAME, "L01")
ROLE = (NameOID.ORGANIZATIONAL_UNIT_NAME, "lender")
CONSORTIUM = (NameOID.ORGANIZATION_NAME, "Five lenders")
STATEMENTS = {"digital_signature": True, "key_cert_sign": False}
P = 2**255 - 19


def usage(**uses: bool) -> x509.KeyUsage:
    rest = (
        *("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
        *("crl_sign", "encipher_only", "decipher_only"),
    )
    return x509.KeyUsage(**(dict.fromkeys(rest, False) | uses))


def name_of(parts: list[tuple[x509.ObjectIdentifier, str]]) -> x509.Name:
    return x509.Name([x509.NameAttribute(oid, text, _validate=False) for oid, text in parts])


def certified(
    subject: tuple[tuple[x509.ObjectIdentifier, str], ...] = (CODE, ROLE, CONSORTIUM),
    public: object = None,
    ca: bool | None = False,
    uses: dict[str, bool] | None = STATEMENTS,
    extra: x509.ExtensionType | None = None,
    critical: bool = True,
    signer: Ed25519PrivateKey | None = None,
    begins: datetime = NOW - timedelta(days=1),
    ends: datetime = NOW + timedelta(days=1),
) -> bytes:
    """Whatever a careless or strange authority might sign; as it stands, a right one."""
    issuer = x509.load_der_x509_certificate(AUTHORITY.certificate).subject
    builder = (
        x509.CertificateBuilder(issuer, name_of(list(subject)), serial_number=7)
        .public_key(public or Ed25519PublicKey.from_public_bytes(LENDER.member.public))  # type: ignore[arg-type]
        .not_valid_before(begins)
        .not_valid_after(ends)
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca, None), critical=True)
    if uses is not None:
        builder = builder.add_extension(usage(**uses), critical=True)
    if extra is not None:
        builder = builder.add_extension(extra, critical=critical)
    key = signer or Ed25519PrivateKey.from_private_bytes(AUTHORITY.private)
    return builder.sign(key, None).public_bytes(serialization.Encoding.DER)


def refused(certificate: bytes, why: str) -> None:
    """PeerError, in one sentence that says `why`."""
    with pytest.raises(PeerError, match=why) as caught:
        read_member(certificate, AUTHORITY.certificate, NOW)
    assert caught.value.what.startswith("a member's certificate ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("role", ["lender", "coordinator"])
def test_an_issued_certificate_speaks_for_its_member(role) -> None:
    """Code, role and key come out as they went in."""
    identity = identity_under(AUTHORITY, "L-07_x.y", role)
    member = read_member(identity.member.certificate, AUTHORITY.certificate, NOW)
    assert member == identity.member
    assert (member.code, member.role) == ("L-07_x.y", role)
    assert member.public == public_of(identity.private)


def test_the_control_certificate_is_accepted() -> None:
    """Positive control for all refusals below; an unknown extension may be there, not critical."""
    assert read_member(certified(), AUTHORITY.certificate, NOW).code == "L01"
    more = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    for extra in (None, more):
        member = read_member(certified(extra=extra, critical=False), AUTHORITY.certificate, NOW)
        assert member.public == LENDER.member.public


def test_dates_are_kept_to_the_second() -> None:
    """Valid from one day before the issue to the last second; not a second before or after."""
    certificate, second = LENDER.member.certificate, timedelta(seconds=1)
    first, last = NOW - timedelta(days=1), NOW + timedelta(days=DAYS)
    for moment in (first, NOW, last):
        assert read_member(certificate, AUTHORITY.certificate, moment).code == "L01"
    short = certified(ends=NOW + timedelta(hours=1), begins=NOW - timedelta(hours=1))
    for moment, why in (
        (NOW - timedelta(hours=1) - second, "is not yet valid: it begins at 2031-05-06 06:08:09"),
        (NOW + timedelta(hours=1) + second, "is expired since 2031-05-06 08:08:09"),
    ):
        with pytest.raises(PeerError, match=why):
            read_member(short, AUTHORITY.certificate, moment)


def test_the_time_may_be_given_in_any_zone_but_not_in_none() -> None:
    """The same moment elsewhere counts the same; a time without a zone is our own fault."""
    elsewhere = NOW.astimezone(timezone(timedelta(hours=8)))
    assert read_member(LENDER.member.certificate, AUTHORITY.certificate, elsewhere) == LENDER.member
    with pytest.raises(InternalError, match="zone"):
        read_member(LENDER.member.certificate, AUTHORITY.certificate, NOW.replace(tzinfo=None))


@pytest.mark.parametrize("whose", ["another name", "the same name", "another lender's"])
def test_a_certificate_of_another_authority_is_refused(whose: str) -> None:
    """Of another consortium, of an impostor with our authority's name, or signed by a member."""
    if whose == "another lender's":
        forged = certified(signer=Ed25519PrivateKey.from_private_bytes(LENDER.private))
    else:
        name = "Five lenders" if whose == "the same name" else "Six lenders"
        forged = identity_under(authority_of(name, "impostor"), "L01").member.certificate
    refused(forged, "is not issued by this authority")


def test_a_lender_cannot_certify_others() -> None:
    """A member's own certificate is no anchor, so a chain through it does not exist."""
    with pytest.raises(OperatorError, match="not allowed to certify others"):
        read_member(LENDER.member.certificate, LENDER.member.certificate, NOW)


def test_an_authority_is_no_member() -> None:
    """Neither its own certificate, nor one it gave the right to certify to."""
    refused(AUTHORITY.certificate, "is itself an authority's")
    refused(certified(ca=True), "is itself an authority's")
    refused(certified(uses=STATEMENTS | {"key_cert_sign": True}), "is itself an authority's")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"ca": None}, "does not say whether it is an authority's"),
        ({"uses": None}, "does not say what its key is for"),
        ({"uses": STATEMENTS | {"digital_signature": False}}, "is not for signing statements"),
        (
            {"extra": x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])},
            "critical extension that is not known",
        ),
        ({"extra": x509.InhibitAnyPolicy(1)}, "critical extension that is not known"),
    ],
)
def test_a_certificate_for_another_use_is_refused(changes: dict[str, object], why: str) -> None:
    """Nothing is guessed from what is left out."""
    refused(certified(**changes), why)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "key",
    [
        lambda: rsa.generate_private_key(65537, 2048),
        lambda: ec.generate_private_key(ec.SECP256R1()),
    ],
    ids=["RSA", "P-256"],
)
def test_a_key_that_is_not_ed25519_is_refused(key: Callable[[], object]) -> None:
    """However strong."""
    refused(certified(public=key().public_key()), "does not hold an Ed25519 key")  # type: ignore[attr-defined]


def test_a_key_of_a_kind_nobody_knows_is_refused() -> None:
    """Signed by the authority over other bytes than a library would build."""
    right = certified()
    parsed = x509.load_der_x509_certificate(right)
    signed, ed25519 = parsed.tbs_certificate_bytes, bytes.fromhex("06032b6570")
    place = signed.rindex(ed25519)
    bent = signed[:place] + bytes.fromhex("06032b657f") + signed[place + len(ed25519) :]
    key = Ed25519PrivateKey.from_private_bytes(AUTHORITY.private)
    assert right[:-64].replace(signed, signed) + key.sign(signed) == right
    refused(right[:-64].replace(signed, bent) + key.sign(bent), "a key that cannot be read")


def test_a_key_under_which_anybody_could_sign_is_refused() -> None:
    """All encodings of the eight points of small order, and keys beyond the field."""
    eighth = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
    curve = -121665 * pow(121666, -1, P) % P
    x_squared = (eighth**2 - 1) * pow(curve * eighth**2 + 1, -1, P) % P
    # Doubling a point of order 8 gives one of order 4, with y = 0: y = (y² + x²)/(1 − d x² y²).
    assert (eighth**2 + x_squared) % P == 0
    for y in (0, 1, P - 1, eighth, P - eighth, P, P + 1, 2**255 - 1):
        for sign in (0, 1 << 255):
            key = Ed25519PublicKey.from_public_bytes((y | sign).to_bytes(32, "little"))
            refused(certified(public=key), "anybody could sign")


def test_under_such_a_key_a_made_up_signature_does_fit() -> None:
    """Positive control: with the neutral point as key, R = B and s = 1 sign every message."""
    neutral = Ed25519PublicKey.from_public_bytes((1).to_bytes(32, "little"))
    base = bytes([0x58] + [0x66] * 31)
    neutral.verify(base + (1).to_bytes(32, "little"), b"whatever was never said")


@pytest.mark.parametrize(
    ("subject", "why"),
    [
        ((("code", "L\n1"), ROLE, CONSORTIUM), "a code that is not"),
        ((("code", "L 1"), ROLE, CONSORTIUM), "a code that is not"),
        ((("code", "../L01"), ROLE, CONSORTIUM), "a code that is not"),
        ((("code", "L01\n"), ROLE, CONSORTIUM), "a code that is not"),
        ((("code", ".hidden"), ROLE, CONSORTIUM), "a code that is not"),
        ((("code", "\u041b01"), ROLE, CONSORTIUM), "a code that is not"),  # not a Latin letter
        ((("code", "L0\uff11"), ROLE, CONSORTIUM), "a code that is not"),  # a wide digit
        ((("code", "L" * 65), ROLE, CONSORTIUM), "names that cannot be read|1 to 64 letters"),
        ((("code", ""), ROLE, CONSORTIUM), "names that cannot be read|1 to 64 letters"),
        ((ROLE, CONSORTIUM), "does not hold one code"),
        ((CODE, CODE, ROLE, CONSORTIUM), "does not hold one code"),
        ((CODE, CONSORTIUM), "does not hold one code"),
        ((CODE, ROLE, ROLE, CONSORTIUM), "does not hold one code"),
        ((CODE, ROLE), "does not hold one code"),
        ((CODE, ("role", "authority"), CONSORTIUM), "a role that is not one of lender"),
        ((CODE, ("role", "Lender"), CONSORTIUM), "a role that is not one of lender"),
        ((CODE, ROLE, ("consortium", "Six lenders")), "is for another consortium"),
    ],
)
@pytest.mark.parametrize("warned", ["error", "ignore"])
def test_names_that_are_not_one_code_one_role_and_the_consortium_are_refused(
    subject: tuple[tuple[str, str], ...], why: str, warned: Literal["error", "ignore"]
) -> None:
    """Even if the authority signed them, and whether or not the library's warnings are errors."""
    oid = {"code": CODE[0], "role": ROLE[0], "consortium": CONSORTIUM[0]}
    parts = tuple((oid.get(part, part), text) for part, text in subject)
    warnings.simplefilter("ignore")  # pytest restores the filters after each test
    certificate = certified(parts)  # type: ignore[arg-type]
    warnings.simplefilter(warned)
    refused(certificate, why)


def test_a_swapped_role_does_not_pass() -> None:
    """Changed in the certificate's own bytes: the signature covers it."""
    certificate = identity_under(AUTHORITY, "C01", "coordinator").member.certificate
    role, other = b"\x0c\x0bcoordinator", b"\x0c\x0blender     "
    assert certificate.count(role) == 1
    refused(certificate.replace(role, other), "is not issued by this authority")


@pytest.mark.parametrize("warned", ["error", "ignore"])
def test_every_changed_byte_is_noticed(warned: Literal["error", "ignore"]) -> None:
    """Each byte in turn, three ways, with the library's warnings or without; nor may anything be
    added or cut off.
    """
    warnings.simplefilter(warned)  # pytest restores the filters after each test
    right = LENDER.member.certificate
    for place in range(len(right)):
        for flip in (0x01, 0x80, 0xFF):
            bent = bytearray(right)
            bent[place] ^= flip
            with pytest.raises(PeerError):
                read_member(bytes(bent), AUTHORITY.certificate, NOW)
    for other in (right + b"\0", right[:-1], right[1:], b"", right + right):
        refused(other, "is not a certificate")


def test_an_oversized_certificate_is_not_even_parsed() -> None:
    """Though the authority signed it; one below the bound is read."""
    padding = x509.ObjectIdentifier("1.3.6.1.4.1.55555.1")

    def padded(size: int) -> bytes:
        return certified(extra=x509.UnrecognizedExtension(padding, bytes(size)), critical=False)

    assert len(padded(MOST_BYTES)) > MOST_BYTES > len(padded(3_600)) > 3_700
    assert read_member(padded(3_600), AUTHORITY.certificate, NOW).code == "L01"
    refused(padded(MOST_BYTES), f"is larger than {MOST_BYTES} bytes")
    refused(bytes(10_000_000), f"is larger than {MOST_BYTES} bytes")


def test_extensions_that_cannot_be_read_are_refused() -> None:
    """Though the authority signed them."""
    broken = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.19"), b"\x30\xff")
    refused(certified(ca=None, extra=broken), "extensions that cannot be read")


def test_the_authoritys_name_is_its_consortium() -> None:
    """The trust anchor as every institution holds it."""
    assert check_authority(AUTHORITY.certificate, NOW) == "Five lenders"


@pytest.mark.parametrize(
    ("when", "why"),
    [(-2, "is not yet valid"), (DAYS + 1, "is expired")],
)
def test_nothing_is_believed_of_an_authority_outside_its_dates(when: int, why: str) -> None:
    """It is the reader's own file, so the reader is told to mend it."""
    moment = NOW + timedelta(days=when)
    with pytest.raises(OperatorError, match=f"the authority's certificate {why}") as caught:
        read_member(LENDER.member.certificate, AUTHORITY.certificate, moment)
    assert "authority.crt" in caught.value.remedy
    with pytest.raises(OperatorError, match=why):
        check_authority(AUTHORITY.certificate, moment)


def test_an_authority_that_was_not_made_as_one_is_refused() -> None:
    """A member's, a bent, an oversized one, one with another kind of key, one another signed."""
    bent = AUTHORITY.certificate[:-1] + bytes([AUTHORITY.certificate[-1] ^ 1])
    anchors = {"digital_signature": False, "key_cert_sign": True}
    other = certified(ca=True, uses=anchors)  # right in all, but issued by somebody else
    for certificate, why in (
        (LENDER.member.certificate, "not allowed to certify others"),
        (bent, "is not issued by this authority"),
        (other, "is not issued by this authority"),
        (bytes(MOST_BYTES + 1), "is larger than"),
        (b"junk", "is not a certificate"),
        (self_signed_rsa(), "does not hold an Ed25519 key"),
    ):
        with pytest.raises(OperatorError, match=why):
            check_authority(certificate, NOW)


def self_signed_rsa() -> bytes:
    key = rsa.generate_private_key(65537, 2048)
    name = name_of([CONSORTIUM])
    return (
        x509.CertificateBuilder(name, name, key.public_key(), 7)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
        .add_extension(x509.BasicConstraints(True, 0), critical=True)
        .add_extension(usage(digital_signature=False, key_cert_sign=True), critical=True)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.DER)
    )


def test_an_identity_is_a_certificate_with_its_own_key() -> None:
    """Another's key or an invalid certificate makes none; the private key never shows."""
    certificate = LENDER.member.certificate
    again = identity_of(certificate, LENDER.private, AUTHORITY.certificate, NOW)
    assert again == LENDER
    assert "private" not in repr(again)
    assert LENDER.private.hex() not in repr(again)
    assert repr(LENDER.private) not in repr(again)
    other = identity_under(AUTHORITY, "L02")
    with pytest.raises(OperatorError, match="not the one in L01's certificate"):
        identity_of(certificate, other.private, AUTHORITY.certificate, NOW)
    stranger = authority_of("Five lenders", "impostor")
    with pytest.raises(OperatorError, match="this member's own certificate is not issued by"):
        identity_of(certificate, LENDER.private, stranger.certificate, NOW)
