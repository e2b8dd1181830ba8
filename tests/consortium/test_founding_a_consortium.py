"""A consortium is founded whole or not at all, and its file says what members will hold."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from server.actor import TRANSPORT, TRANSPORT_KEY
from server.authority import read_authority
from server.consortium import founding
from server.consortium.folder import AUTHORITY_FOLDER, read_consortium
from server.consortium.founding import found, terms_text
from server.keys import read_certificate, read_identity
from shared.errors import OperatorError
from shared.identity.transport import read_peer
from tests.consortium_folders import NAME, SCHEMA, founded, now, text_of

LOOK_ALIKE = b"""
[table]
version = 1
row_key = "id"
[label]
column = "bad"
bad = ["1"]
good = ["0"]
observation_date = '''
[consortium]
'''
[[columns]]
name = "x"
kind = "number"
"""


def test_the_folder_holds_what_its_owner_needs_and_nobody_else_reads_it(tmp_path: Path) -> None:
    """Authority, identity and TLS certificate belong together; files 0600, folders 0700."""
    folder = tmp_path / "deep" / "consortium"
    consortium = founded(folder)
    assert consortium == read_consortium(folder)
    assert (consortium.name, consortium.profile) == (NAME, "demo")
    identity, authority = read_identity(folder, now())
    assert identity.member.role == "coordinator"
    assert read_authority(folder / AUTHORITY_FOLDER, now()).certificate == authority
    peer = read_peer(read_certificate(folder / TRANSPORT), authority, now())
    assert (peer.code, peer.role) == (identity.member.code, "coordinator")
    private = [TRANSPORT_KEY, "coordinator.key", "authority/authority.key", "consortium.toml"]
    assert {(folder / name).stat().st_mode & 0o777 for name in private} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in (folder, folder / "own")} == {0o700}
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_nothing_is_written_over(tmp_path: Path) -> None:
    """A second founding in the same folder changes no byte; an empty folder is taken."""
    folder = tmp_path / "consortium"
    folder.mkdir()
    founded(folder)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(OperatorError, match="is there already; nothing was written"):
        founded(folder)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_interrupted_it_leaves_nothing_and_can_be_given_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    """Wherever the disk fails or somebody presses Ctrl-C."""
    folder, write = tmp_path / "consortium", founding.write_durably
    writes = 6
    for at in range(writes):
        calls = iter(range(100))

        def failing(path: Path, content: bytes, at: int = at) -> None:
            if next(calls) == at:  # noqa: B023 - bound within this turn
                raise error
            write(path, content)

        monkeypatch.setattr(founding, "write_durably", failing)
        try:
            founded(folder)
        except (OperatorError, KeyboardInterrupt):
            assert list(tmp_path.iterdir()) == []
        else:
            break
    assert at >= 4
    monkeypatch.setattr(founding, "write_durably", write)
    if not folder.exists():
        founded(folder)
    assert read_consortium(folder).name == NAME


def test_the_schema_stands_there_letter_for_letter() -> None:
    """Comments included; the other sections of the file are replaced."""
    text = text_of().decode()
    original = SCHEMA.read_text(encoding="utf-8")
    assert original[original.index("[table]") :] in text
    assert "SBA demo" not in text
    assert "minimum_lenders = 3" in text


def test_production_is_the_stricter_one(tmp_path: Path) -> None:
    """Five lenders at least, and whoever asks for fewer is told."""
    assert founded(tmp_path / "c", profile="production").terms.minimum_lenders == 5
    with pytest.raises(OperatorError, match="below the production profile's floor of 5"):
        text_of(profile="production", terms={"minimum_lenders": 3})


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"name": ""}, "name is not 1 to 64"),
        ({"name": "x" * 65}, "name is not 1 to 64"),
        ({"name": "a|b"}, "without '|'"),
        ({"name": "a\x1b[2J"}, "do not print"),
        ({"name": 'quote " and \\ fine'}, ""),
        ({"profile": "lax"}, "profile is not known"),
        ({"gate": "gate"}, "gate.*is not HOST:PORT"),
        ({"enrol": "../x:1"}, "enrol.*is not HOST:PORT"),
        ({"terms": {"family": "magic"}}, "family 'magic' is not one of"),
        ({"terms": {"rounds": 0}}, "rounds 0 is not at least 1"),
        ({"terms": {"rounds": "many"}}, r"\[terms\] rounds is not a whole number"),
        ({"terms": {"minimum_cell": 0}}, "minimum_cell 0 is not within"),
    ],
)
def test_what_members_would_refuse_is_not_founded(changes: dict[str, object], why: str) -> None:
    if not why:
        assert changes["name"] in founding.parse_consortium(text_of(**changes)).name
        return
    with pytest.raises(OperatorError, match=why) as caught:
        text_of(**changes)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        (b"\xff\xfe[table]", "line 1 is not UTF-8"),
        (b"[table]\n[table]", "not TOML"),
        (b"x = " + b"[" * 20_000, "not TOML"),
        (b"", r"\[table\] is missing"),
        (LOOK_ALIKE, "cannot be told apart"),
        (b"terms = 3", r"\[terms\] is not a section"),
    ],
)
def test_a_hostile_schema_file_is_refused_by_name(schema: bytes, why: str) -> None:
    """Not UTF-8, broken, endless lists, nothing, a section's look-alike within a text."""
    with pytest.raises(OperatorError, match=why):
        terms_text(schema, "s.toml", name=NAME, profile="demo", gate="h:1", enrol="h:2", terms={})


def test_a_disk_that_takes_nothing_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("x")
    with pytest.raises(OperatorError, match="cannot be written"):
        found(blocked / "consortium", text_of(), now=now(), random=os.urandom)
