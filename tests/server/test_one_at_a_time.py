"""A service's folder is served by one process at a time, and the log says when that ends."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from server.actor import write_actor
from server.cli import main
from server.keyholder import service as keyholder
from server.one_at_a_time import FILE, alone_in
from server.registry import service as registry
from shared.errors import OperatorError
from tests.identities import fixed_random
from tests.server.keyholder.key_holders import AUTHORITY, NOW, make_folder


def a_holder(folder: Path) -> Path:
    return make_folder(folder, "K1", ["K1", "K2"])


def a_registry(folder: Path) -> Path:
    random = fixed_random("alone")
    write_actor(folder, AUTHORITY, "R1", "registry", days=300, now=NOW, random=random)
    (folder / "registry.toml").write_text('profile = "demo"\n')
    return folder


Made = Callable[[Path], Path]
SERVICES: dict[str, tuple[Made, Any, str]] = {
    "keyholder": (a_holder, keyholder, "key holder K1 has ended"),
    "registry": (a_registry, registry, "registry R1 has ended"),
}


@pytest.mark.parametrize("kind", SERVICES)
def test_a_folder_is_not_served_twice(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second start ends with status 2 and names the folder; the first goes on, and once it has
    ended the same start is taken (control).
    """
    make, service, _ = SERVICES[kind]
    folder = make(tmp_path / "served")
    first = service.serve(folder, "127.0.0.1:0")
    words = [kind, "serve", str(folder), "--listen", "127.0.0.1:0"]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert f"{folder} is being served already" in said
    assert "stop that one first" in said
    first.stop()
    service.serve(folder, "127.0.0.1:0").stop()


@pytest.mark.parametrize("kind", SERVICES)
def test_a_start_that_fails_leaves_the_folder_free(kind: str, tmp_path: Path) -> None:
    """An address that is not this machine's is refused, and the next start is taken."""
    make, service, _ = SERVICES[kind]
    folder = make(tmp_path / "served")
    with pytest.raises(OperatorError, match="cannot be served"):
        service.serve(folder, "192.0.2.1:1")
    service.serve(folder, "127.0.0.1:0").stop()


@pytest.mark.parametrize("kind", SERVICES)
def test_a_service_says_when_it_has_ended(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """In the last line of its log, which it writes once."""
    make, service, line = SERVICES[kind]
    with caplog.at_level(logging.INFO):
        service.serve(make(tmp_path / "served"), "127.0.0.1:0").stop()
    said = [record.getMessage() for record in caplog.records]
    assert said[-1] == line
    assert said.count(line) == 1


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    """And the lock's file is readable by its owner only."""
    with pytest.raises(OperatorError, match="nowhere cannot be served"):
        alone_in(tmp_path / "nowhere")
    alone = alone_in(tmp_path)
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    alone.release()
    alone.release()
    alone_in(tmp_path).release()
