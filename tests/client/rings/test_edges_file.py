"""A file of observations: what is read, what is told, what is left out."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import pandas as pd
import pytest

from client.rings.attributes import attribute_of
from client.rings.edges_file import Observations, read_edges
from shared.errors import OperatorError
from shared.rings.kinds import Kind
from tests.client.rings.ring_parties import EVERYBODY, HEADER, write_rows

TODAY, FIRST = date(2026, 3, 1), date(2026, 1, 5)
PERSON = EVERYBODY[0].resident_id
DEVICE = "oaid:00aa11bb22cc33dd"


def read(path: Path, kinds: tuple[Kind, ...] = tuple(Kind)) -> Observations:
    return read_edges(path, today=TODAY, first_monday=FIRST, weeks=6, kinds=kinds)


def test_one_person_and_one_thing_are_one_however_they_are_written(tmp_path: Path) -> None:
    """Spaces, cases and prefixes make no second person, telephone or device."""
    rows = [
        (PERSON, "phone", "138 0013-8000", "2026-01-07", "", "A-1"),
        (f" {PERSON.lower()} ", "Emergency Contact", "+86 13800138000", "2026-01-14", "", ""),
        (PERSON, "device", DEVICE.upper(), "2026-01-14", "", "A-1"),
        (PERSON, "device", DEVICE, "2026-01-18T23:59:00", "", "A-1"),
    ]
    found = read(write_rows(tmp_path / "a.csv", rows))
    assert (len(found.people), len(found.attributes), len(found.rows)) == (1, 2, 3)
    assert found.refs == ("A-1",)
    assert [one.week for one in found.rows] == [0, 1, 1]


def test_a_payee_meets_the_cards_owner_and_a_guarantor_the_telephones() -> None:
    """The identifier decides, not the kind of the edge."""
    card, number = "6222021234567890128", "13800138000"
    assert attribute_of(Kind.PAYEE, card, TODAY) == attribute_of(Kind.BANK_CARD, card, TODAY)
    assert attribute_of(Kind.GUARANTOR, number, TODAY) == attribute_of(Kind.PHONE, number, TODAY)
    account = attribute_of(Kind.PAYEE, "ICBC:0200001009012345678", TODAY)
    assert account.kind == "account"
    network = attribute_of(Kind.WIFI, "3C-84-6A-12-90-EF", TODAY)
    assert network == attribute_of(Kind.WIFI, "3c846a1290ef", TODAY)


@pytest.mark.parametrize("text", ["HomeNet 5G", "00:00:00:00:00:00", "3c:84:6a:12:90"])
def test_a_networks_name_or_a_default_is_no_network(text: str, tmp_path: Path) -> None:
    """Only an access point's own address is a network."""
    rows = [(PERSON, "wifi", text, "2026-01-07", "", "")]
    (bad,) = read(write_rows(tmp_path / "a.csv", rows)).bad
    assert "attribute" in bad.what
    assert text not in bad.what


@pytest.mark.parametrize(
    ("row", "remedy"),
    [
        ((PERSON, "wifi", "MyHome"), "write the BSSID"),
        ((PERSON, "payee", "abc"), "ICBC:"),
        (("13800138000", "device", DEVICE), "subject_kind"),
    ],
)
def test_a_remedy_names_what_this_file_has(
    row: tuple[str, str, str], remedy: str, tmp_path: Path
) -> None:
    """No column and no prefix that only a book of applicants knows."""
    (bad,) = read(write_rows(tmp_path / "a.csv", [(*row, "2026-01-07", "", "")])).bad
    assert remedy in bad.what
    assert "own column" not in bad.what
    assert "imei:" not in bad.what


def test_amounts_are_bands_of_payees_only(tmp_path: Path) -> None:
    """A payment of 12,500 is band 5; the same amount at a device is nothing."""
    rows = [
        (PERSON, "payee", "6222021234567890128", "2026-01-07", "12500.00", ""),
        (PERSON, "device", DEVICE, "2026-01-07", "12500.00", ""),
    ]
    found = read(write_rows(tmp_path / "a.csv", rows))
    assert [one.band for one in found.rows] == [5, 0]


def test_rows_outside_of_the_case_are_counted_and_left_out(tmp_path: Path) -> None:
    """Earlier, later, of a kind the case has not, and without a value: told apart from bad rows."""
    rows = [
        (PERSON, "device", DEVICE, "2026-01-04", "", ""),
        (PERSON, "device", DEVICE, "2026-02-16", "", ""),
        (PERSON, "phone", "13800138000", "2026-01-07", "", ""),
        (PERSON, "device", "无", "2026-01-07", "", ""),
        (PERSON, "device", DEVICE, "2026-02-15", "", ""),
    ]
    found = read(write_rows(tmp_path / "a.csv", rows), (Kind.DEVICE,))
    assert (len(found.rows), found.outside, found.empty, found.bad) == (1, 3, 1, ())


def test_every_bad_cell_is_told_masked_with_line_and_remedy(tmp_path: Path) -> None:
    """Subject, kind, attribute, date and amount, each in its own row."""
    rows = [
        (PERSON[:-1] + ("1" if PERSON[-1] != "1" else "2"), "device", DEVICE, "2026-01-07", "", ""),
        ("", "device", DEVICE, "2026-01-07", "", ""),
        (PERSON, "handset", DEVICE, "2026-01-07", "", ""),
        (PERSON, "device", "00aa11bb22cc33dd", "2026-01-07", "", ""),
        (PERSON, "device", DEVICE, "07.01.2026", "", ""),
        (PERSON, "device", DEVICE, "2026-03-02", "", ""),
        (PERSON, "payee", "6222021234567890128", "2026-01-07", "12,500", ""),
    ]
    found = read(write_rows(tmp_path / "a.csv", rows))
    assert [one.line for one in found.bad] == [2, 3, 4, 5, 6, 7, 8]
    said = "\n".join(one.what for one in found.bad)
    for word in ("subject", "attribute_kind", "attribute", "date", "amount", "a day to come"):
        assert word in said
    assert PERSON[:-1] not in said
    assert "00aa11" not in said
    assert found.rows == ()


def test_a_telephone_is_no_subject(tmp_path: Path) -> None:
    """What changes hands names nobody: the row is told what would."""
    header = ("subject_kind", *HEADER)
    rows = [("phone", "13800138000", "device", DEVICE, "2026-01-07", "", "")]
    (bad,) = read(write_rows(tmp_path / "a.csv", rows, header)).bad
    assert "subject_kind" in bad.what
    assert "resident_id" in bad.what


@pytest.mark.parametrize("name", ["gender", "note"])
def test_columns_nobody_knows_are_refused(tmp_path: Path, name: str) -> None:
    """A prohibited field is refused as such, another one as unknown."""
    with pytest.raises(OperatorError, match=name):
        read(write_rows(tmp_path / "a.csv", [], (*HEADER, name)))


def test_parquet_with_dates_and_numbers_is_read_alike(tmp_path: Path) -> None:
    """Typed cells give the same observations as texts."""
    path = tmp_path / "a.parquet"
    frame = pd.DataFrame(
        {
            "subject": [PERSON, PERSON],
            "attribute_kind": ["phone", "payee"],
            "attribute": ["13800138000", "6222021234567890128"],
            "date": [datetime(2026, 1, 7), datetime(2026, 1, 14, 12)],
            "amount": [None, 900.0],
        }
    )
    frame.to_parquet(path)
    found = read(path)
    assert [(one.week, one.band) for one in found.rows] == [(0, 0), (1, 1)]
