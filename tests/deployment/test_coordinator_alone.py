"""A coordinator while no lender is there: the services that `lianfang-server start` keeps running
(profile demo: a key holder and a registry at once), and runs that come to nothing, of which status,
words and record agree.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import grpc
import httpx
import pytest

import server.cli
from client.tls import channel, read_transport
from server.coordinator.status import read_status
from server.deployment.control import control_of
from server.deployment.loopback import free_port
from server.deployment.runs import RUNS, at_work, read_started
from shared.wire import keyholder_pb2, registry_pb2
from shared.wire.keyholder_pb2_grpc import KeyHolderStub
from shared.wire.registry_pb2_grpc import RegistryStub
from tests.deployment.consortium import (
    Consortium,
    awaited,
    coordinator_of,
    founded,
    processes,
    stopped,
)
from tests.deployment.list_services import CODES, configure, service_folder

pytestmark = pytest.mark.slow
KINDS = tuple(CODES)


@dataclass
class Kept:
    """A coordinator that runs, and where its services answer."""

    consortium: Consortium
    ports: dict[str, int]

    def answered(self, kind: str, code: str = "L01", seconds: float = 1.0) -> str:
        """The name of the status that a lender's call ends with."""
        folder = self.consortium.lenders[code]
        transport = read_transport(folder, code, datetime.now(UTC))
        with channel(f"127.0.0.1:{self.ports[kind]}", CODES[kind], transport) as way:
            try:
                if kind == "keyholder":
                    stub = KeyHolderStub(way)  # type: ignore[no-untyped-call]
                    stub.Describe(keyholder_pb2.DescribeRequest(), timeout=seconds)
                else:
                    stub = RegistryStub(way)  # type: ignore[no-untyped-call]
                    stub.Latest(registry_pb2.LatestRequest(), timeout=seconds)
            except grpc.RpcError as error:
                return str(error.code().name)
        return "OK"

    def health(self) -> dict[str, bool]:
        """Of its processes, as /health says."""
        told = json.loads((self.consortium.coordinator / "flower/observed.json").read_text())
        page = httpx.get(f"http://127.0.0.1:{told['port']}/health", trust_env=False)
        return dict(page.json()["processes"])


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    """Up and answering; it ends with the module."""
    made = founded(tmp_path_factory.mktemp("services"), sizes=(9, 9, 9))
    ports = {kind: free_port() for kind in KINDS}
    folders = {kind: service_folder(made.home, kind, made.authority) for kind in KINDS}
    configure(made.coordinator, **{k: (folders[k], f"127.0.0.1:{ports[k]}") for k in KINDS})
    command = coordinator_of(made)
    try:
        command.line(120.0)
        running = Kept(made, ports)
        for kind in KINDS:
            awaited(lambda kind=kind: running.answered(kind) == "OK", 60.0)  # type: ignore[misc]
        yield running
    finally:
        statuses = stopped([command])
    assert statuses == [0]


def test_a_service_that_is_killed_comes_back_and_answers(kept: Kept) -> None:
    """Each of them, at the same address; the others are left alone; /health sees all of them."""
    folder = kept.consortium.coordinator
    before = processes(folder)
    assert {*KINDS} <= {*before}
    assert {*KINDS} <= {*kept.health()}
    for kind in KINDS:
        os.kill(before[kind], signal.SIGKILL)
    awaited(lambda: all(processes(folder).get(k, before[k]) != before[k] for k in KINDS))
    for kind in KINDS:
        awaited(lambda kind=kind: kept.answered(kind) == "OK", 60.0)  # type: ignore[misc]
    after = processes(folder)
    assert all(after[name] == number for name, number in before.items() if name not in KINDS)
    assert all(kept.health().values())
    for kind in KINDS:
        assert (folder / f"flower/alive/{kind}").exists()
        assert f"answers at 127.0.0.1:{kept.ports[kind]}" in log_of(folder, kind)


def test_who_is_revoked_at_the_coordinator_is_refused_by_its_services(kept: Kept) -> None:
    """Without anybody copying the list; another lender goes on."""
    (kept.consortium.coordinator / "revoked.json").write_text('["L02"]')
    for kind in KINDS:
        awaited(lambda kind=kind: kept.answered(kind, "L02") == "UNAUTHENTICATED")  # type: ignore[misc]
        assert kept.answered(kind) == "OK"


def log_of(folder: Path, kind: str) -> str:
    """What the process wrote."""
    return (folder / f"log/{kind}.log").read_text()


def _run(consortium: Consortium, word: str, name: str, *options: str) -> tuple[int, str]:
    """`lianfang-server run WORD`, here: its exit status, and what it said."""
    said = StringIO()
    with redirect_stdout(said):
        status = server.cli.main(["run", word, str(consortium.coordinator), name, *options])
    return status, said.getvalue()


def _ended(consortium: Consortium, name: str) -> str:
    number = read_started(_place(consortium, name)).flower_run
    with control_of(consortium.coordinator) as control:
        found = control.run(number)
    assert found is not None
    return found.ended


def _place(consortium: Consortium, name: str) -> Path:
    return consortium.coordinator / RUNS / name


def test_a_run_without_lenders_fails_loudly(kept: Kept) -> None:
    """Exit status 3 with stage, phase and remedy for who waited; the SuperLink has it as failed."""
    made = kept.consortium
    code, told = _run(made, "start", "spring", "--patience", "1", "--deadline", "3", "--json")
    document = json.loads(told)
    assert (code, document["state"]) == (3, "failed")
    assert "set-up" in document["where"]
    assert "lianfang-server run resume spring" in document["remedy"]
    awaited(lambda: _ended(made, "spring") == "failed")
    assert not at_work(_place(made, "spring"))


def test_a_stopped_run_is_over_on_both_sides(kept: Kept) -> None:
    """Its process is gone, the SuperLink has it as stopped, and it can go on later."""
    made = kept.consortium
    assert _run(made, "start", "autumn", "--patience", "600", "--detach")[0] == 0
    awaited(lambda: at_work(_place(made, "autumn")), 60.0)
    assert _run(made, "stop", "autumn")[0] == 0
    assert not at_work(_place(made, "autumn"))
    assert (_ended(made, "autumn"), _run(made, "status", "autumn")[0]) == ("stopped", 3)
    status = read_status(_place(made, "autumn"))
    assert status is not None
    code, told = _run(made, "resume", "autumn", "--patience", "1", "--deadline", "3", "--json")
    assert (code, json.loads(told)["attempt"]) == (3, status.attempt + 1)
