"""The borrowing desk beside the coordinator, kept by `lianfang-server start`."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from pathlib import Path

import pytest

from server.actor import write_actor
from server.authority import create_authority
from server.borrowing.settings import FILE
from server.borrowing.store import FILE as DATABASE
from server.commands.borrowing import settings_text
from server.deployment.borrowing import opened, profile_of
from server.deployment.child import SERVICES
from server.deployment.heartbeat import MOST_SILENT
from server.deployment.loopback import free_port
from server.deployment.service_probe import Probe
from server.deployment.service_trial import try_services
from server.deployment.services import Service, check_apart, read_services
from server.keys import AUTHORITY
from shared.errors import OperatorError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A desk's, for the demo."""
    now = datetime.now(UTC)
    authority = create_authority("Five", days=40, now=now, random=secrets.token_bytes)
    home = tmp_path / "d2"
    write_actor(home, authority, "D2", "desk", days=30, now=now, random=secrets.token_bytes)
    (home / FILE).write_text(settings_text(["L01=bank", "L02=cons"], "demo"))
    return home


def configured(folder: Path, tmp_path: Path) -> tuple[Path, Service]:
    coordinator = tmp_path / "coordinator"
    coordinator.mkdir()
    (coordinator / AUTHORITY).write_bytes((folder / AUTHORITY).read_bytes())
    text = f'[borrowing]\nfolder = "{folder}"\nlisten = "127.0.0.1:{free_port()}"\n'
    (coordinator / "services.toml").write_text(text)
    (service,) = read_services(coordinator)
    return coordinator, service


def test_the_coordinator_keeps_a_borrowing_desk_but_not_beside_a_key_holder(
    folder: Path, tmp_path: Path
) -> None:
    """Tried in a process of its own, and looked after like the others; a registry or a case desk
    beside it is fine in production. A key holder is not, nor one where its events lie.
    """
    coordinator, service = configured(folder, tmp_path)
    try_services(coordinator, (service,), "demo")
    assert profile_of(folder) == "demo"
    assert {*SERVICES} <= {*MOST_SILENT}
    for name in ("registry", "cases"):
        check_apart(coordinator, (Service(name, folder, "a:1"), service), "production")
    holder = Service("keyholder", folder, "a:1")
    with pytest.raises(OperatorError, match=r"\[keyholder\] and \[borrowing\]"):
        check_apart(coordinator, (holder, service), "production")
    check_apart(coordinator, (holder,), "production")
    (coordinator / DATABASE).write_bytes((folder / DATABASE).read_bytes())
    with pytest.raises(OperatorError, match=DATABASE):
        check_apart(coordinator, (holder,), "production")


def test_whether_it_answers_is_asked_as_members_ask(folder: Path, tmp_path: Path) -> None:
    """Over its own port; after its end nothing answers (control)."""
    _, service = configured(folder, tmp_path)
    serving, probe = opened(service), Probe(service)
    try:
        assert probe.answers()
        serving.stop()
        assert not probe.answers()
    finally:
        probe.close()
