"""Key holder and registry under `lianfang-server start`: what may be configured, and what is said
before anything starts when it cannot be served.
"""

from __future__ import annotations

import json
import logging
import secrets
import socket
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from server.authority import Authority, create_authority, read_authority
from server.commands.start import children_of, services_of
from server.consortium.founding import found
from server.deployment.child import ENTRIES
from server.deployment.handed_on import HandedOn
from server.deployment.loopback import free_port
from server.deployment.service_probe import Probe
from server.deployment.services import FILE, Service, check_ports, read_services, service_in
from server.keyholder.service import serve
from server.one_at_a_time import alone_in
from server.registry.database import Database
from server.revoked import read_revoked
from shared.errors import OperatorError
from shared.training.agreement import Profile
from shared.training.consortium import FILE as TERMS_FILE
from shared.training.consortium import Consortium, parse_consortium
from tests.deployment.consortium import TERMS
from tests.deployment.list_services import configure, service_folder

APART = "one process or folder is to hold a share of the key and the list"
METRICS = 9464


@dataclass
class Coordinator:
    """A founded consortium whose services are to be started."""

    folder: Path

    @property
    def terms(self) -> Consortium:
        """Of the profile demo."""
        return parse_consortium((self.folder / TERMS_FILE).read_bytes())

    @property
    def authority(self) -> Authority:
        """With its key."""
        return read_authority(self.folder / "authority", datetime.now(UTC))

    def started(self, profile: Profile = "demo") -> tuple[Service, ...]:
        """What `start` would keep running, as far as it looks before anything starts."""
        return services_of(self.folder, replace(self.terms, profile=profile), METRICS)

    def refused(self, profile: Profile = "demo") -> str:
        """Why it starts nothing, with the remedy."""
        with pytest.raises(OperatorError) as refused:
            self.started(profile)
        assert refused.value.remedy
        return str(refused.value)


@pytest.fixture
def coordinator(tmp_path: Path) -> Coordinator:
    """Without services."""
    folder = tmp_path / "coordinator"
    text = TERMS.format(gate=free_port(), enrol=free_port()).encode()
    found(folder, text, now=datetime.now(UTC), random=secrets.token_bytes)
    return Coordinator(folder)


def address() -> str:
    """Free now."""
    return f"127.0.0.1:{free_port()}"


def test_without_the_file_there_are_none(coordinator: Coordinator) -> None:
    """The coordinator's own processes are all that is started."""
    assert coordinator.started("production") == ()
    assert [child.name for child in children_of(coordinator.folder, ())] == [*ENTRIES]


def test_a_service_that_can_be_served_is_a_process_beside_the_others(
    coordinator: Coordinator, tmp_path: Path
) -> None:
    """It was tried: it made its store and let folder and port go again. Relative folders lie in the
    coordinator's.
    """
    folder = service_folder(coordinator.folder, "keyholder", coordinator.authority, "production")
    configure(coordinator.folder, keyholder=(Path("K1"), address()))
    (service,) = coordinator.started("production")
    assert (service.name, service.folder) == ("keyholder", folder)
    assert (folder / "keyholder.sqlite").stat().st_mode & 0o077 == 0
    alone_in(folder).release()
    names = [child.name for child in children_of(coordinator.folder, (service,))]
    assert names == [*ENTRIES, "keyholder"]
    assert service_in(coordinator.folder, "keyholder") == service
    with pytest.raises(OperatorError, match=r"no \[registry\] any more"):
        service_in(coordinator.folder, "registry")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[keyholder\n", "is not TOML"),
        ('[keyholders]\nfolder = "x"\n', r"\[keyholders\] is not known"),
        ("keyholder = 3\n", "does not have folder and listen, only"),
        ('[keyholder]\nlisten = "a:1"\n', "does not have folder and listen, only"),
        ('[registry]\nfolder = 3\nlisten = "a:1"\n', "does not have folder and listen, only"),
        ('[registry]\nfolder = "."\nlisten = "a:1"\nport = 2\n', "folder and listen, only"),
        ('[registry]\nfolder = "."\nlisten = "a"\n', "'a' is not HOST:PORT"),
        ('[registry]\nfolder = "."\nlisten = "a:0"\n', "'a:0' is not HOST:PORT"),
        ('[registry]\nfolder = "none"\nlisten = "a:1"\n', "there is no folder"),
    ],
)
def test_a_wrong_file_is_refused_by_its_entry(tmp_path: Path, text: str, told: str) -> None:
    """With the file's name and what to do."""
    (tmp_path / FILE).write_text(text)
    with pytest.raises(OperatorError, match=told) as refused:
        read_services(tmp_path)
    assert FILE in refused.value.what
    assert refused.value.remedy


def test_a_share_and_the_list_are_not_both_configured(coordinator: Coordinator) -> None:
    """In the words used elsewhere; nothing was opened, and only the profile demo of all three has
    both.
    """
    home, authority = coordinator.folder.parent, coordinator.authority
    holder = service_folder(home, "keyholder", authority)
    registry = service_folder(home, "registry", authority)
    configure(coordinator.folder, keyholder=(holder, address()), registry=(registry, address()))
    told = coordinator.refused("production")
    assert APART in told
    assert "[keyholder] and [registry]" in told
    assert not (holder / "keyholder.sqlite").exists()
    assert [one.name for one in coordinator.started()] == ["keyholder", "registry"]
    text = (holder / "keyholder.toml").read_text()
    (holder / "keyholder.toml").write_text(text.replace('"demo"', '"production"'))
    assert APART in coordinator.refused()


def test_a_share_beside_a_list_in_the_coordinators_folder_is_refused(
    coordinator: Coordinator,
) -> None:
    """A list that some other process serves from there counts; elsewhere it does not (control)."""
    home = coordinator.folder.parent
    holder = service_folder(home, "keyholder", coordinator.authority, "production")
    configure(coordinator.folder, keyholder=(holder, address()))
    Database(f"sqlite:///{home / 'list.db'}").close()
    assert coordinator.started("production")
    (home / "list.db").rename(coordinator.folder / "runs.db")
    told = coordinator.refused("production")
    assert APART in told
    assert "runs.db holds the list" in told


def test_a_port_that_is_taken_is_told_of(coordinator: Coordinator) -> None:
    """By another program, another service, or the coordinator's own gate, enrolment or metrics."""
    holder = service_folder(coordinator.folder.parent, "keyholder", coordinator.authority)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        configure(coordinator.folder, keyholder=(holder, f"127.0.0.1:{other.getsockname()[1]}"))
        told = coordinator.refused()
    assert "[keyholder]: " in told
    assert "it is in use or not this machine's" in told
    for own, whose in (
        (coordinator.terms.gate, "the gate's"),
        (coordinator.terms.enrol, "enrolment's"),
        (f"127.0.0.1:{METRICS}", "/metrics's"),
    ):
        configure(coordinator.folder, keyholder=(holder, own))
        assert whose in coordinator.refused()
    twice = [Service(name, holder, "127.0.0.1:7443") for name in ("keyholder", "registry")]
    with pytest.raises(OperatorError, match="which is the key holder's"):
        check_ports(twice, {})


def test_a_damaged_folder_is_told_of_before_anything_starts(coordinator: Coordinator) -> None:
    """A damaged share, or a folder of the other kind: in the service's own words."""
    home, authority = coordinator.folder.parent, coordinator.authority
    holder = service_folder(home, "keyholder", authority)
    configure(coordinator.folder, keyholder=(holder, address()))
    (holder / "keyholder.sqlite").write_bytes(b"no database " * 1000)
    assert f"{FILE}: [keyholder]: {holder / 'keyholder.sqlite'}" in coordinator.refused()
    registry = service_folder(home, "registry", authority)
    configure(coordinator.folder, keyholder=(registry, address()))
    assert "keyholder.toml cannot be read" in coordinator.refused()


def test_a_service_of_another_profile_or_authority_is_refused(coordinator: Coordinator) -> None:
    """A production consortium has no demo service; one under another authority would refuse its
    lenders.
    """
    holder = service_folder(coordinator.folder.parent, "keyholder", coordinator.authority)
    configure(coordinator.folder, keyholder=(holder, address()))
    assert "its profile is demo" in coordinator.refused("production")
    now = datetime.now(UTC)
    other = create_authority("Others", days=90, now=now, random=secrets.token_bytes)
    stranger = service_folder(coordinator.folder.parent / "other", "keyholder", other)
    configure(coordinator.folder, keyholder=(stranger, address()))
    assert "its authority is another one" in coordinator.refused()


def test_the_revoked_are_handed_on_and_nobody_is_let_back_in(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A service's own list only grows; a damaged list changes nothing and is told once."""
    coordinator, holder = tmp_path / "coordinator", tmp_path / "K1"
    for folder in (coordinator, holder):
        folder.mkdir()
    handed_on = HandedOn(coordinator, [Service("keyholder", holder, "127.0.0.1:7443")])
    handed_on.look()
    assert not (holder / "revoked.json").exists()
    (holder / "revoked.json").write_text('["K3"]')
    (coordinator / "revoked.json").write_text('["L02"]')
    handed_on.look()
    assert json.loads((holder / "revoked.json").read_text()) == ["K3", "L02"]
    (coordinator / "revoked.json").write_text("[")
    with caplog.at_level(logging.ERROR):
        handed_on.look()
        handed_on.look()
    assert len(caplog.records) == 1
    (coordinator / "revoked.json").write_text("[]")
    handed_on.look()
    assert read_revoked(holder) == {"K3", "L02"}


def test_a_service_that_answers_is_told_from_one_that_does_not(coordinator: Coordinator) -> None:
    """Under its own certificate; a refusal is an answer, a port without a service is none."""
    home = coordinator.folder.parent
    holder = service_folder(home, "keyholder", coordinator.authority)
    service = Service("keyholder", holder, f"0.0.0.0:{free_port()}")
    serving = serve(holder, service.listen)
    probe = Probe(service)
    try:
        assert probe.answers()
        (holder / "revoked.json").write_text('["K1"]')
        assert probe.answers()
    finally:
        serving.stop()
    assert not probe.answers()
    probe.close()
