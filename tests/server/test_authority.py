"""The authority certifies public keys, and what it issues is what members accept."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from server.authority import (
    AUTHORITY_KEY,
    create_authority,
    issue,
    read_authority,
    write_authority,
)
from server.keys import AUTHORITY
from shared.errors import OperatorError
from shared.identity.certificate import check_authority, public_of, read_member
from shared.identity.pem import certificate_to_pem
from tests.identities import DAYS, NOW, authority_of, fixed_random

HELD = authority_of()
PUBLIC = public_of(bytes(range(32)))


def issued(code: str = "L01", role: str = "lender", public: bytes = PUBLIC, days: int = 3) -> bytes:
    random = fixed_random("issue")
    return issue(HELD, code, role, public, days=days, now=NOW, random=random)  # type: ignore[arg-type]


def test_a_member_is_certified_by_its_public_key_alone() -> None:
    """The key comes back as given; the certificate lasts the days asked for, from a day before."""
    certificate = issued()
    member = read_member(certificate, HELD.certificate, NOW)
    assert (member.code, member.role, member.public) == ("L01", "lender", PUBLIC)
    parsed = x509.load_der_x509_certificate(certificate)
    assert parsed.not_valid_before_utc == NOW - timedelta(days=1)
    assert parsed.not_valid_after_utc == NOW + timedelta(days=3)


def test_the_authority_may_certify_members_and_no_further_authority() -> None:
    """Critical extensions: CA with path length 0 for signing certificates; a member's for neither.

    The private key does not show.
    """
    for certificate, ca, length in ((HELD.certificate, True, 0), (issued(), False, None)):
        extensions = x509.load_der_x509_certificate(certificate).extensions
        assert [one.critical for one in extensions] == [True, True]
        basic = extensions.get_extension_for_class(x509.BasicConstraints).value
        uses = extensions.get_extension_for_class(x509.KeyUsage).value
        assert (basic.ca, basic.path_length) == (ca, length)
        assert (uses.key_cert_sign, uses.digital_signature) == (ca, not ca)
    assert repr(HELD.private) not in repr(HELD)


def test_serial_numbers_follow_the_randomness_alone() -> None:
    """Positive, at most 20 bytes, another each time; the same draw gives the same certificate."""
    random = fixed_random("serials")
    days = {"days": 3, "now": NOW}
    made = [issue(HELD, "L01", "lender", PUBLIC, random=random, **days) for _ in range(3)]  # type: ignore[arg-type]
    serials = {x509.load_der_x509_certificate(one).serial_number for one in made}
    assert len(serials) == 3
    for serial in serials:
        assert 0 < serial < 2**159
    again = issue(HELD, "L01", "lender", PUBLIC, random=fixed_random("serials"), **days)  # type: ignore[arg-type]
    assert again == made[0]
    none = issue(HELD, "L01", "lender", PUBLIC, random=bytes, **days)  # type: ignore[arg-type]
    assert x509.load_der_x509_certificate(none).serial_number == 1


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"code": "L 1"}, "nothing was issued to 'L 1'"),
        ({"code": "../L01"}, "nothing was issued"),
        ({"code": ""}, "not 1 to 64 letters"),
        ({"code": "L" * 65}, "not 1 to 64 letters"),
        ({"role": "authority"}, "a role that is not one of"),
        ({"public": bytes(31)}, "public key has 32 bytes"),
        ({"public": bytes(32)}, "anybody could sign"),
        ({"days": -2}, "are not between 1 and"),
        ({"days": 0}, "are not between 1 and"),
        ({"days": 10**12}, "are not between 1 and"),
        ({"days": DAYS + 1}, "would outlive its authority"),
    ],
)
def test_what_members_would_refuse_is_not_issued(asked: dict[str, object], why: str) -> None:
    """One sentence says what is wrong with the request."""
    with pytest.raises(OperatorError, match=why):
        issued(**asked)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", "C" * 65])
def test_a_consortium_has_a_short_name(name: str) -> None:
    with pytest.raises(OperatorError, match="not 1 to 64 letters"):
        create_authority(name, days=3, now=NOW, random=fixed_random("a"))


def test_a_member_may_be_certified_for_as_long_as_its_authority_lasts() -> None:
    """At any moment of a second, though certificates know whole seconds only."""
    now = NOW.replace(microsecond=999_999)
    held = authority_of(now=now)
    random = fixed_random("long")
    certificate = issue(held, "L01", "lender", PUBLIC, days=DAYS, now=now, random=random)
    dates = {
        x509.load_der_x509_certificate(one).not_valid_after_utc
        for one in (certificate, held.certificate)
    }
    assert dates == {NOW + timedelta(days=DAYS)}


def test_an_expired_authority_issues_nothing() -> None:
    """Its members would not be believed."""
    with pytest.raises(OperatorError, match="is expired"):
        issue(
            HELD,
            "L01",
            "lender",
            PUBLIC,
            days=1,
            now=NOW + timedelta(days=DAYS, seconds=1),
            random=fixed_random("late"),
        )


def test_an_authority_survives_its_files(tmp_path: Path) -> None:
    """Certificate for everybody, key for its owner only."""
    write_authority(tmp_path / "authority", HELD)
    assert read_authority(tmp_path / "authority", NOW) == HELD
    assert (tmp_path / "authority" / AUTHORITY_KEY).stat().st_mode & 0o777 == 0o600


def test_a_key_is_never_written_over(tmp_path: Path) -> None:
    """A second authority in the same folder changes neither file."""
    write_authority(tmp_path, HELD)
    before = [(tmp_path / name).read_bytes() for name in (AUTHORITY_KEY, AUTHORITY)]
    with pytest.raises(OperatorError, match="nothing was written"):
        write_authority(tmp_path, authority_of(seed="second"))
    assert [(tmp_path / name).read_bytes() for name in (AUTHORITY_KEY, AUTHORITY)] == before


def test_files_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    """The key of one authority beside the certificate of another with the same name."""
    write_authority(tmp_path, HELD)
    (tmp_path / AUTHORITY).write_bytes(certificate_to_pem(authority_of(seed="other").certificate))
    with pytest.raises(OperatorError, match="is not the key of"):
        read_authority(tmp_path, NOW)


@pytest.mark.parametrize("trouble", ["open key", "no key", "no certificate", "expired"])
def test_an_authority_that_cannot_be_relied_on_is_not_used(tmp_path: Path, trouble: str) -> None:
    """Each is named with its remedy."""
    write_authority(tmp_path, HELD)
    why, when = {
        "open key": ("can be read by others", NOW),
        "no key": (f"{AUTHORITY_KEY} cannot be read", NOW),
        "no certificate": (f"{AUTHORITY} cannot be read", NOW),
        "expired": ("is expired", NOW + timedelta(days=DAYS + 1)),
    }[trouble]
    if trouble == "open key":
        (tmp_path / AUTHORITY_KEY).chmod(0o640)
    elif trouble != "expired":
        (tmp_path / (AUTHORITY_KEY if trouble == "no key" else AUTHORITY)).unlink()
    with pytest.raises(OperatorError, match=why) as caught:
        read_authority(tmp_path, when)
    assert caught.value.remedy


def test_the_consortium_is_named_in_the_anchor() -> None:
    assert check_authority(HELD.certificate, NOW) == "Five lenders"
