"""The borrowing desk as its operator meets it: settings, limits, disks, and what is kept apart."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from server.apart import EVENTS, SHARE, check_without
from server.borrowing.desk import BorrowingDesk, Terms
from server.borrowing.service import serve
from server.borrowing.settings import read_settings
from server.borrowing.store import FILE
from server.cli import main
from shared.borrowing.terms import LenderClass
from shared.errors import OperatorError
from tests.borrowing_members import Borrowers, Lender, applied, borrowers
from tests.server.borrowing.told_desk import PEOPLE, rows_of, told
from tests.server.keyholder.key_holders import make_folder


def test_one_lender_cannot_fill_the_desk(tmp_path: Path) -> None:
    """Beyond its share a page is refused by name; others go on."""
    with borrowers(tmp_path, terms=Terms(events=2)) as made:
        made["L01"].contribute([applied(PEOPLE[0], made.day(1), "A")])
        refused = made["L01"].contribute([applied(PEOPLE[1], made.day(1), "B")]).refused
        assert [one.refusal.split(":")[0] for one in refused if one.refusal] == ["full"]
        assert not made["L02"].contribute([applied(PEOPLE[0], made.day(1), "A")]).refused


def test_a_damaged_file_is_not_served(four: Borrowers) -> None:
    """Flipped bytes in a page of the database: told at the start, with what to do."""
    told(four, lambda code: PEOPLE)
    four.desk.store.clean()
    four.desk.store.close()
    path = four.desk.folder / FILE
    content = bytearray(path.read_bytes())
    content[4096:8192] = bytes(4096)
    path.write_bytes(content)
    with pytest.raises(OperatorError, match="nothing was answered"):
        four.desk.start()
    path.write_bytes(b"")
    four.desk.start()


def test_desk_and_key_share_are_kept_apart(four: Borrowers, tmp_path: Path) -> None:
    """A desk with a share in its folder is refused; a key holder with the desk's file, whatever its
    name, too; without it (the control) it is not.
    """
    share = make_folder(tmp_path / "share", "K1", ("K1", "K2", "K3"))
    with pytest.raises(OperatorError, match="share of the key"):
        serve(share, "127.0.0.1:0", profile="production")
    other = tmp_path / "other"
    other.mkdir()
    check_without(EVENTS, "production", other, modules=())
    four.desk.store.clean()
    (other / "harmless").write_bytes((four.desk.folder / FILE).read_bytes())
    with pytest.raises(OperatorError, match="told of borrowing"):
        check_without(EVENTS, "production", other, modules=())
    with pytest.raises(OperatorError, match=r"server\.borrowing"):
        check_without(EVENTS, "production", tmp_path / "none", modules=("server.borrowing",))
    check_without(SHARE, "production", other, modules=())


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("contributors = 2\n", "fewer than 4"),
        ("at_once = true\n", "at once"),
        ("contributers = 4\n", "cannot be used"),
        ("[classes]\nL01 = 'banc'\n", "cannot be used"),
        ("classes = 4\n", "cannot be used"),
        ("profile = 'none'\n", "cannot be used"),
        ("contributors = 'four'\n", "cannot be used"),
        ("=\n", "cannot be used"),
    ],
)
def test_settings_that_are_misspelt_or_weaker_are_refused(
    tmp_path: Path, text: str, match: str
) -> None:
    """In production; the demo may have tables at once."""
    (tmp_path / "borrowing.toml").write_text(text)
    with pytest.raises(OperatorError, match=match):
        read_settings(tmp_path)
    (tmp_path / "borrowing.toml").write_text('profile = "demo"\nat_once = true\n')
    assert read_settings(tmp_path).terms.at_once


def test_an_error_of_the_disk_is_told_and_nothing_is_said_to_be_kept(four: Borrowers) -> None:
    """A write that fails: no receipt, and the lender's page leaves when the disk is well."""
    lender: Lender = four["L01"]

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BorrowingDesk, "_member", full)
        with pytest.raises(OperatorError, match="cannot be reached"):
            lender.contribute([applied(PEOPLE[0], four.day(1), "A")])
    assert rows_of(four) == []
    assert lender.borrowing._client.send_pending() == 1
    assert len(rows_of(four)) == 2


def test_a_desks_folder_is_made_by_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the class of each lender; what is no class is refused with the words there are."""
    words = ["borrowing", "init", str(tmp_path / "d1"), "--code", "D1"]
    words += ["--profile", "demo", "--lender"]  # key holders are in this process, too
    assert main([*words, "L01=banc"]) == 2
    assert "the classes are bank, nbank, cons" in " ".join(capsys.readouterr().err.split())
    assert main([*words, "L01=bank", "--lender", "L.2=micro"]) == 0
    classes = read_settings(tmp_path / "d1").terms.classes
    assert classes == {"L01": LenderClass.BANK, "L.2": LenderClass.MICRO}
