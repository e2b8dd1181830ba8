"""`lianfang-server keyholder|registry|keys|cases|borrowing init`: a whole folder, or nothing."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from server.actor import read_actor
from server.authority import create_authority, write_authority
from server.cli import main
from server.keys import AUTHORITY
from shared.identity.certificate import Role
from tests.hidden_packages import hide

NOW = datetime.now(UTC)
SERVICES: dict[str, tuple[Role, Sequence[str]]] = {
    "keyholder": (
        "keyholder",
        ("--holder", "X1", "--holder", "K2", "--threshold", "2", "--context", "Five"),
    ),
    "registry": ("registry", ()),
    "keys": (
        "coordinator",
        ("--holder", "K1=a:1", "--holder", "K2=b:1", "--threshold", "2", "--context", "Five"),
    ),
    "cases": ("desk", ()),
    "borrowing": ("desk", ("--lender", "L01=bank")),
}

FOLDERS = ("registry", "cases", "borrowing")


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key holder is in this process."""
    hide(monkeypatch, "server.keyholder")


def authority_of(folder: Path, days: int) -> Path:
    """An authority that began a while ago and ends in so many days."""
    made = create_authority("Five", days=days, now=NOW, random=secrets.token_bytes)
    write_authority(folder, made)
    return folder


def init(service: str, folder: Path, authority: Path, code: str = "X1") -> int:
    words = [service, "init", str(folder), "--code", code, "--authority", str(authority)]
    return main([*words, *SERVICES[service][1]])


@pytest.mark.parametrize("service", SERVICES)
def test_certificates_end_with_the_authority(
    service: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Under one of 60 days they last 59, and it says until when; under one of ten years, a year."""
    role = SERVICES[service][0]
    for days, last in ((60, 59), (3650, 365)):
        folder = tmp_path / f"{days}"
        assert init(service, folder, authority_of(tmp_path / f"authority {days}", days)) == 0
        read_actor(folder, role, NOW + timedelta(days=last - 1))
        told = f"certified until {NOW + timedelta(days=last):%Y-%m}"
        assert told in capsys.readouterr().out


@pytest.mark.parametrize("service", SERVICES)
def test_a_failed_init_leaves_nothing_and_says_so_again(
    service: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Under an authority in its last day: exit status 2, also the second time, and no folder; with
    another authority (the control) the same words make it.
    """
    last = authority_of(tmp_path / "last", 1)
    folder = tmp_path / "made"
    for _ in range(2):
        assert init(service, folder, last) == 2
        assert "nothing is certified any more" in " ".join(capsys.readouterr().err.split())
        assert not folder.exists()
    assert init(service, folder, authority_of(tmp_path / "new", 60)) == 0
    read_actor(folder, SERVICES[service][0], NOW)


@pytest.mark.parametrize("at", range(3))
def test_a_full_disk_leaves_no_key_without_its_certificates(
    at: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At any of the certificates; what was in the folder before stays there."""
    authority, folder = authority_of(tmp_path / "authority", 60), tmp_path / "d1"
    folder.mkdir()
    (folder / "notes").write_text("the operator's")
    whole, left = Path.write_bytes, [at]

    def full(path: Path, content: bytes) -> int:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "No space left on device", str(path))
        return whole(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        assert init("cases", folder, authority) == 2
    assert "No space left" in capsys.readouterr().err
    assert [path.name for path in folder.rglob("*") if path.is_file()] == ["notes"]
    assert init("cases", folder, authority) == 0
    read_actor(folder, "desk", NOW)


@pytest.mark.parametrize(
    "gone", ["certificate.crt", "transport.crt", "own/transport.key", AUTHORITY]
)
def test_a_folder_without_all_of_its_credentials_is_not_done(
    gone: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says what is missing, and changes nothing; whole (the control) the settings are written
    and its credentials stay as they are.
    """
    authority, folder = authority_of(tmp_path / "authority", 60), tmp_path / "d1"
    assert init("cases", folder, authority) == 0
    (folder / "cases.toml").unlink()
    key = (folder / "own/identity.key").read_bytes()
    kept = (folder / gone).read_bytes()
    (folder / gone).unlink()
    for _ in range(2):
        assert init("cases", folder, authority) == 2
        told = " ".join(capsys.readouterr().err.split())
        assert gone in told if gone == AUTHORITY else f"but no {gone}; nothing was written" in told
        assert not (folder / "cases.toml").exists()
    (folder / gone).touch(mode=0o600)
    (folder / gone).write_bytes(kept)
    assert init("cases", folder, authority, code="X2") == 2
    assert "the folder of 'X1', not of 'X2'" in " ".join(capsys.readouterr().err.split())
    assert init("cases", folder, authority) == 0
    assert (folder / "own/identity.key").read_bytes() == key


@pytest.mark.parametrize("service", FOLDERS)
@pytest.mark.parametrize("other", ["keyholder", *FOLDERS])
def test_a_folder_is_one_services(
    service: str, other: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second service's `init` in it is refused and writes nothing; without the first one's
    settings (the control) its role alone decides.
    """
    authority, folder = authority_of(tmp_path / "authority", 60), tmp_path / "x1"
    assert init(service, folder, authority) == 0
    before = sorted(folder.rglob("*"))
    assert init(other, folder, authority) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert f"{service}.toml" in told
    assert "nothing was written" in told
    assert sorted(folder.rglob("*")) == before
    (folder / f"{service}.toml").unlink()
    alike = SERVICES[service][0] == SERVICES[other][0]
    assert (init(other, folder, authority) == 0) == alike


def test_a_borrowing_desk_without_classes_warns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would refuse every lender; with a class (the control) nothing is said."""
    words = ["borrowing", "init", "--code", "D2"]
    assert main([*words, str(tmp_path / "none")]) == 0
    assert "no lender has a class yet" in capsys.readouterr().err
    assert main([*words, str(tmp_path / "one"), "--lender", "L01=bank"]) == 0
    assert "warning" not in capsys.readouterr().err
