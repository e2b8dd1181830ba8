"""A lender's settings say who it is, whom it believes and what it insists on, or are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from client.settings import ClientSettings, read_settings
from shared.errors import OperatorError
from shared.identity.certificate import Identity
from shared.identity.pem import certificate_to_pem, private_to_pem
from shared.secure_sum.floors import Floors
from shared.training.agreement import Agreement
from tests.identities import CREDENTIALS, DAYS, NOW, authority_of, identity_under, lay_down
from tests.shared.training.synthetic_book import SCHEMA

TERMS = Agreement("settings", SCHEMA, sums="secure")
PRODUCTION = replace(TERMS, profile="production", minimum_lenders=5)
PLAIN = replace(TERMS, sums="plain")
HELD = authority_of()
LENDER = identity_under(HELD, "L01")
OTHERS = {code: identity_under(HELD, code).member.public for code in ("L02", "L03")}


def folder_of(
    parent: Path,
    terms: Agreement = TERMS,
    *,
    lender: str = CREDENTIALS,
    floors: str = "",
    identity: Identity = LENDER,
) -> Path:
    """A lender's folder as it should be; the table is no concern of the settings."""
    folder = parent / "L01"
    folder.mkdir(parents=True)
    lay_down(folder, identity, HELD)
    (folder / "terms.json").write_text(json.dumps(terms.to_dict()))
    needed = 'member = "L01"\ntable = "loans.csv"\nagreement = "terms.json"\nsecret = 7\n'
    (folder / "client.toml").write_text(f"[lender]\n{needed}{lender}{floors}")
    return folder


def read(folder: Path, later: timedelta = timedelta(0)) -> ClientSettings:
    return read_settings(folder, clock=lambda: NOW + later)


def refused(folder: Path, *said: str, later: timedelta = timedelta(0)) -> None:
    """OperatorError with a remedy, whose text holds all of `said`."""
    with pytest.raises(OperatorError) as caught:
        read(folder, later)
    assert caught.value.remedy
    for text in said:
        assert text in str(caught.value)


def test_a_lenders_settings_are_read_in_full(tmp_path: Path) -> None:
    """Identity and authority as issued, floors of the profile, paths in the lender's own folder."""
    settings = read(folder_of(tmp_path))
    assert settings.identity == LENDER
    assert settings.authority == HELD.certificate
    assert settings.members is None
    assert settings.floors == Floors.of("demo")
    assert settings.weaknesses == ()
    assert settings.outbox == tmp_path / "L01" / "own" / "outbox.jsonl"
    assert settings.vault == tmp_path / "L01" / "own" / "vault"
    assert not settings.outbox.exists()
    assert not settings.vault.exists()


def test_no_secret_shows_in_a_log(tmp_path: Path) -> None:
    """Settings are printed without the private key and the secret."""
    shown = repr(read(folder_of(tmp_path)))
    assert "L01" in shown
    for secret in ("secret=", "private=", repr(LENDER.private), LENDER.private.hex()):
        assert secret not in shown


def test_the_clock_is_the_machines_own_unless_a_test_gives_one(tmp_path: Path) -> None:
    """The certificates of these tests begin in 2031."""
    folder = folder_of(tmp_path)
    with pytest.raises(OperatorError, match=r"not yet valid|expired"):
        read_settings(folder)


@pytest.mark.parametrize("entry", ["authority", "certificate", "key"])
def test_the_three_entries_of_an_identity_belong_together(tmp_path: Path, entry: str) -> None:
    """One missing, misspelt or naming no file is told; nothing falls back to having none."""
    line = next(line for line in CREDENTIALS.splitlines() if line.startswith(entry))
    for number, (lender, said) in enumerate(
        (
            (CREDENTIALS.replace(line, ""), f"no entry '{entry}'"),
            (CREDENTIALS.replace(entry + " =", entry + "s ="), f"unknown entry '{entry}s'"),
            (CREDENTIALS.replace(line, f'{entry} = "nowhere"'), "nowhere cannot be read"),
            (CREDENTIALS.replace(line, f"{entry} = 3"), f"{entry} is not a text"),
        )
    ):
        refused(folder_of(tmp_path / str(number), lender=lender), said)


def test_secure_sums_need_an_identity_and_plain_ones_do_not(tmp_path: Path) -> None:
    """What is missing is named with the entries to add."""
    refused(folder_of(tmp_path / "a", lender=""), "secure sums", "authority, certificate, key")
    settings = read(folder_of(tmp_path / "b", PLAIN, lender=""))
    assert (settings.identity, settings.authority) == (None, None)
    assert read(folder_of(tmp_path / "c", PLAIN)).identity == LENDER


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_private_key_that_others_can_read_is_not_used(tmp_path: Path, mode: int) -> None:
    """It may have been copied; the remedy is the command. Its owner's modes are fine."""
    folder = folder_of(tmp_path)
    key = folder / "own" / "identity.key"
    key.chmod(mode)
    refused(folder, "others than its owner", f"chmod 600 {key}")
    for fine in (0o600, 0o400):
        key.chmod(fine)
        assert read(folder).identity == LENDER


def test_an_expired_or_early_certificate_is_told_before_the_first_question(tmp_path: Path) -> None:
    """With the file's name and the date."""
    folder = folder_of(tmp_path)
    refused(folder, "authority.crt", "expired since 2031-06-05", later=timedelta(days=DAYS + 1))
    refused(folder, "authority.crt", "not yet valid", later=-timedelta(days=2))
    older = authority_of(now=NOW - timedelta(days=10))
    identity = identity_under(older, "L01", now=NOW - timedelta(days=10))
    (folder / "authority.crt").write_bytes(certificate_to_pem(older.certificate))
    (folder / "certificate.crt").write_bytes(certificate_to_pem(identity.member.certificate))
    assert read(folder).identity is not None


def _other_lender(folder: Path) -> None:
    other = identity_under(HELD, "L02")
    (folder / "certificate.crt").write_bytes(certificate_to_pem(other.member.certificate))
    (folder / "own" / "identity.key").write_bytes(private_to_pem(other.private))


def _coordinator(folder: Path) -> None:
    other = identity_under(HELD, "L01", "coordinator")
    (folder / "certificate.crt").write_bytes(certificate_to_pem(other.member.certificate))
    (folder / "own" / "identity.key").write_bytes(private_to_pem(other.private))


def _other_key(folder: Path) -> None:
    other = identity_under(HELD, "L02")
    (folder / "own" / "identity.key").write_bytes(private_to_pem(other.private))


def _other_authority(folder: Path) -> None:
    other = authority_of(seed="impostor")
    (folder / "authority.crt").write_bytes(certificate_to_pem(other.certificate))


def _lender_as_authority(folder: Path) -> None:
    (folder / "authority.crt").write_bytes(certificate_to_pem(LENDER.member.certificate))


def _authority_as_lender(folder: Path) -> None:
    (folder / "certificate.crt").write_bytes(certificate_to_pem(HELD.certificate))


def _junk_key(folder: Path) -> None:
    (folder / "own" / "identity.key").write_text("junk")


def _junk_certificate(folder: Path) -> None:
    (folder / "certificate.crt").write_text("junk")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_other_lender, "that of the lender L02, and this is lender L01"),
        (_coordinator, "that of the coordinator L01"),
        (_other_key, "the private key is not the one in L01's certificate"),
        (_other_authority, "is not issued by this authority"),
        (_lender_as_authority, "not allowed to certify others"),
        (_authority_as_lender, "is itself an authority's"),
        (_junk_key, "not one unencrypted private key"),
        (_junk_certificate, "not one certificate in PEM form"),
    ],
)
def test_an_identity_that_is_not_this_lenders_is_refused(
    tmp_path: Path, spoil: Callable[[Path], None], said: str
) -> None:
    """The file is named in every case."""
    folder = folder_of(tmp_path)
    spoil(folder)
    refused(folder, said, str(folder))


def test_a_secret_that_is_not_given_is_drawn_once(tmp_path: Path) -> None:
    """Kept beside the key, for its owner only, the same at every start."""
    folder = folder_of(tmp_path)
    text = (folder / "client.toml").read_text()
    (folder / "client.toml").write_text(text.replace("secret = 7\n", ""))
    assert read(folder).secret == read(folder).secret != 7
    assert (folder / "own" / "secret").stat().st_mode & 0o777 == 0o600


# The pinned list of members.


def listed(folder: Path, members: object) -> Path:
    (folder / "members.json").write_text(json.dumps(members))
    return folder


def keys(**changes: str) -> dict[str, str]:
    everybody = {"L01": LENDER.member.public} | OTHERS
    return {code: public.hex() for code, public in everybody.items()} | changes


PINNED = CREDENTIALS + 'members = "members.json"\n'


def test_a_pinned_list_maps_codes_to_keys(tmp_path: Path) -> None:
    """And cannot be changed afterwards."""
    members = read(listed(folder_of(tmp_path, lender=PINNED), keys())).members
    assert members == {"L01": LENDER.member.public} | OTHERS
    with pytest.raises(TypeError):
        members["L09"] = bytes(32)  # type: ignore[index]


def test_production_needs_the_pinned_list(tmp_path: Path) -> None:
    """A certificate alone would let a careless authority add members; the demo may do without."""
    refused(folder_of(tmp_path / "a", PRODUCTION), "list of its members", "add the entry members")
    settings = read(listed(folder_of(tmp_path / "b", PRODUCTION, lender=PINNED), keys()))
    assert settings.members is not None
    assert settings.floors == Floors.of("production")


@pytest.mark.parametrize(
    ("members", "said"),
    [
        (keys(L02="00" * 31), "'L02' has a key of 31 bytes"),
        (keys(L02="zz"), "not an object of code: public key in hex"),
        (keys() | {"L02": 5}, "not an object of code: public key in hex"),
        (["L01"], "not an object of code: public key in hex"),
        (keys(L02=OTHERS["L03"].hex()), "one key stands there under two codes"),
        (keys(L01="11" * 32), "it does not hold L01's own key"),
        ({"L02": keys()["L02"]}, "it does not hold L01's own key"),
    ],
)
def test_a_list_that_cannot_be_right_is_refused(tmp_path: Path, members: object, said: str) -> None:
    """With the file's name and the advice to compare."""
    folder = listed(folder_of(tmp_path, lender=PINNED), members)
    refused(folder, "members.json", said, "compare the list")


def test_a_list_that_is_named_must_be_there(tmp_path: Path) -> None:
    """Also where none is needed; and no JSON is none."""
    folder = folder_of(tmp_path, lender=PINNED)
    refused(folder, "members.json cannot be read")
    (folder / "members.json").write_text("{")
    refused(folder, "members.json", "public key in hex")


def test_a_list_without_an_identity_is_read_all_the_same(tmp_path: Path) -> None:
    """Plain sums, no own key to look for."""
    folder = folder_of(tmp_path, PLAIN, lender='members = "members.json"\n')
    assert len(read(listed(folder, keys())).members or ()) == 3


# Floors.


def test_every_floor_can_be_raised(tmp_path: Path) -> None:
    """Each entry of its own, in production too."""
    text = (
        "[floors]\nminimum_cohort = 9\nminimum_threshold = 8\nmaximum_clip = 2\n"
        'kinds = ["counts", "gradients"]\nminimum_cell = 5\n'
        'same_lenders = ["counts", "losses", "gradients", "weights"]\n'
    )
    every = Floors.of("production").same_lenders
    stricter = Floors(9, 8, 2.0, frozenset({"counts", "gradients"}), 5, every)
    for number, terms in enumerate((TERMS, PRODUCTION)):
        folder = folder_of(tmp_path / str(number), terms, lender=PINNED, floors=text)
        settings = read(listed(folder, keys()))
        assert settings.floors == stricter
        assert settings.weaknesses == ()


def test_what_is_left_out_is_the_profiles_own(tmp_path: Path) -> None:
    """One entry changes one floor."""
    settings = read(folder_of(tmp_path, floors="[floors]\nminimum_cell = 4\n"))
    assert settings.floors == replace(Floors.of("demo"), minimum_cell=4)


WEAKER = (
    ("minimum_cohort", "2"),
    ("minimum_threshold", "2"),
    ("maximum_clip", "1000.0"),
)


@pytest.mark.parametrize(("entry", "value"), WEAKER)
def test_a_weaker_floor_is_refused_in_production_and_told_in_a_demo(
    tmp_path: Path, entry: str, value: str
) -> None:
    """Never silently taken."""
    text = f"[floors]\n{entry} = {value}\n"
    demo = read(folder_of(tmp_path / "demo", floors=text))
    assert len(demo.weaknesses) == 1
    assert entry in demo.weaknesses[0]
    assert getattr(demo.floors, entry) == float(value)
    strict = folder_of(tmp_path / "production", PRODUCTION, lender=PINNED, floors=text)
    refused(listed(strict, keys()), "client.toml", "[floors]", entry)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("minimum_cohorts = 9", "minimum_cohorts = 9 is not known"),
        ('minimum_cohort = "9"', "minimum_cohort = '9' is not a whole number of 1 or more"),
        ("minimum_cohort = 9.0", "minimum_cohort = 9.0 is not a whole number"),
        ("minimum_cohort = true", "minimum_cohort = True is not a whole number"),
        ("minimum_threshold = 0", "minimum_threshold = 0 is not a whole number of 1 or more"),
        ("minimum_cell = []", "minimum_cell = [] is not"),
        ("maximum_clip = 0", "maximum_clip = 0 is not a number above 0"),
        ("maximum_clip = nan", "maximum_clip = nan is not a number above 0"),
        ("maximum_clip = inf", "maximum_clip = inf is not a number above 0"),
        ('maximum_clip = "16"', "maximum_clip = '16' is not a number above 0"),
        ('kinds = "counts"', "kinds = 'counts' is not a list of some of counts"),
        ("kinds = []", "kinds = [] is not a list"),
        ('kinds = ["count"]', "kinds = ['count'] is not a list"),
        ('kinds = [["counts"]]', "kinds = [['counts']] is not a list"),
    ],
)
def test_a_floor_that_cannot_be_understood_is_refused(tmp_path: Path, line: str, said: str) -> None:
    """Naming file, entry and value, with what to write instead."""
    refused(folder_of(tmp_path, floors=f"[floors]\n{line}\n"), "client.toml: [floors] ", said)


# The file itself.


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("[lender]", "[lenders]"), "no section [lenders] is known"),
        (("[lender]", "lender = 3\n[floors]"), "no section [lender], or it is none"),
        (('table = "loans.csv"', ""), "no entry 'table'"),
        (("table =", "tabel ="), "no entry 'table'"),
        (("secret = 7", "secrets = 7"), "unknown entry 'secrets'"),
        (("secret = 7", 'secret = "7"'), "secret is not a whole number"),
        (('"L01"', "1"), "member is not a text"),
        (('"L01"', '""'), "member is not a text"),
        (("[lender]", "[lender"), "client.toml"),
        (("terms.json", "other.json"), "no file other.json"),
        (("terms.json", "own"), "Is a directory"),
        (("terms.json", "list.json"), "it is no agreement"),
        (("terms.json", "cut.json"), "cut.json"),
    ],
)
def test_a_file_that_is_not_as_it_should_be_is_the_operators_to_mend(
    tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    """What is misspelt is never passed over."""
    folder = folder_of(tmp_path)
    (folder / "list.json").write_text("[]")
    (folder / "cut.json").write_text("{")
    text = (folder / "client.toml").read_text()
    assert change[0] in text
    (folder / "client.toml").write_text(text.replace(*change))
    refused(folder, said)


def test_other_encodings_are_refused(tmp_path: Path) -> None:
    """UTF-8 is TOML's only one."""
    folder = folder_of(tmp_path)
    (folder / "client.toml").write_bytes("# Gewähr\n".encode("latin-1"))
    refused(folder, "client.toml", "mend the file's syntax")
