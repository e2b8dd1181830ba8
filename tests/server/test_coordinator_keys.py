"""The coordinator's identity in a run's folder, and private keys' files."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from server.keys import (
    AUTHORITY,
    COORDINATOR,
    COORDINATOR_KEY,
    read_identity,
    read_private,
    write_private,
)
from shared.errors import OperatorError
from shared.identity.certificate import Role
from shared.identity.pem import certificate_to_pem
from tests.identities import DAYS, NOW, authority_of, identity_under

HELD = authority_of()


def laid_down(folder: Path, role: Role = "coordinator") -> Path:
    identity = identity_under(HELD, "C01", role)
    write_private(folder / COORDINATOR_KEY, identity.private)
    (folder / COORDINATOR).write_bytes(certificate_to_pem(identity.member.certificate))
    (folder / AUTHORITY).write_bytes(certificate_to_pem(HELD.certificate))
    return folder


def test_a_coordinators_identity_is_read_with_its_authority(tmp_path: Path) -> None:
    identity, authority = read_identity(laid_down(tmp_path), NOW)
    assert identity == identity_under(HELD, "C01", "coordinator")
    assert authority == HELD.certificate


def test_a_lenders_certificate_makes_no_coordinator(tmp_path: Path) -> None:
    """Though it is the same authority's."""
    with pytest.raises(OperatorError, match="is a lender's certificate"):
        read_identity(laid_down(tmp_path, "lender"), NOW)


@pytest.mark.parametrize("missing", [AUTHORITY, COORDINATOR, COORDINATOR_KEY])
def test_a_missing_file_is_named(tmp_path: Path, missing: str) -> None:
    (laid_down(tmp_path) / missing).unlink()
    with pytest.raises(OperatorError, match=f"{missing} cannot be read"):
        read_identity(tmp_path, NOW)


def test_an_expired_certificate_is_told_to_its_owner(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="is expired"):
        read_identity(laid_down(tmp_path), NOW + timedelta(days=DAYS + 1))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o700 | 0o070])
def test_a_key_that_others_can_reach_is_not_used(tmp_path: Path, mode: int) -> None:
    """Whatever the way; its owner's own modes are fine."""
    path = tmp_path / "key"
    write_private(path, bytes(range(32)))
    path.chmod(mode)
    with pytest.raises(OperatorError, match="can be read by others") as caught:
        read_private(path)
    assert "chmod 600" in caught.value.remedy
    for fine in (0o600, 0o400):
        path.chmod(fine)
        assert read_private(path) == bytes(range(32))


def test_a_key_is_written_for_its_owner_only_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write_private(tmp_path / "key", bytes(32))
    finally:
        os.umask(before)
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_a_key_is_new_or_not_written(tmp_path: Path) -> None:
    """Neither over a file nor through a link, nor where there is no folder."""
    (tmp_path / "file").write_text("precious")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for taken in ("file", "link"):
        with pytest.raises(OperatorError, match="there already"):
            write_private(tmp_path / taken, bytes(32))
    assert (tmp_path / "file").read_text() == "precious"
    assert not (tmp_path / "elsewhere").exists()
    with pytest.raises(OperatorError, match="cannot be written"):
        write_private(tmp_path / "no" / "key", bytes(32))
