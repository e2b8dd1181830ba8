"""What is handed on to a service outlives a power cut."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from server.deployment.handed_on import HandedOn
from server.deployment.services import Service
from server.files import write_whole
from server.revoked import REVOKED, read_revoked


def test_the_list_is_on_the_disk_before_it_is_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty list would end the service for good. What is written without care is not: the
    control.
    """
    did: list[str] = []
    replace, sync = os.replace, os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (did.append("sync"), sync(handle))[1])
    monkeypatch.setattr(os, "replace", lambda *paths: (did.append("replace"), replace(*paths))[1])
    service = Service("keyholder", tmp_path / "k1", "127.0.0.1:7443")
    service.folder.mkdir()
    (tmp_path / REVOKED).write_text('["L03"]')
    HandedOn(tmp_path, [service]).look()
    assert read_revoked(service.folder) == {"L03"}
    assert did == ["sync", "replace", "sync"]
    did.clear()
    write_whole(service.folder / REVOKED, b"[]")
    assert "sync" not in did
