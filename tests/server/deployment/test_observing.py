"""Metrics and health of both sides, as a monitoring system fetches them."""

import json
import os
import shutil
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

import client.node.heartbeat
import client.node.metrics
import client.node.observing
import server.deployment.heartbeat
import server.deployment.metrics
import server.deployment.observing
from server.deployment.runs import start_run
from shared.errors import OperatorError
from tests.federation import STAGES
from tests.server.deployment.coordinator_folder import CoordinatorFolder, coordinator_in

Heartbeats = {server.deployment: server.deployment.heartbeat, client.node: client.node.heartbeat}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> CoordinatorFolder:
    """A finished run."""
    place = coordinator_in(tmp_path_factory.mktemp("observed"))
    start_run(place.folder, "spring", place.agreement, place.superlink)
    place.carry("drop L05 trees/0")
    return place


@pytest.fixture
def port(place: CoordinatorFolder) -> Iterator[int]:
    made = server.deployment.observing.observed(place.folder, 0)
    yield made.port
    made.stop()


@pytest.fixture
def lenders_port(place: CoordinatorFolder) -> Iterator[int]:
    made = client.node.observing.observed(place.lenders.homes[0], 0)
    yield made.port
    made.stop()


def _got(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def _metrics(port: int) -> dict[tuple[str, ...], float]:
    status, text = _got(port, "/metrics")
    assert status == 200
    return {
        (sample.name, *(sample.labels[key] for key in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_run_is_told_with_each_lenders_part(place: CoordinatorFolder, port: int) -> None:
    """State, stages, bytes, seconds, measures; per lender the totals it is in and is not in."""
    found = _metrics(port)
    assert found["lianfang_run_state", "spring", "finished"] == 1
    assert found["lianfang_run_state", "spring", "running"] == 0
    assert found["lianfang_run_stages_done", "spring"] == len(STAGES)
    assert found["lianfang_lender_stages_total", "L01", "spring"] == len(STAGES)
    assert found["lianfang_lender_missed_total", "L05", "spring"] == 1
    assert found["lianfang_run_bytes_up_total", "spring"] > 10_000
    assert found["lianfang_stage_lenders", "spring", "close"] == 5
    assert 0.5 < found["lianfang_run_measure", "auc", "spring"] < 1
    assert 3000 < found["lianfang_certificate_days", "coordinator.crt"] < 3651


def test_processes_and_gate_are_told(place: CoordinatorFolder, port: int) -> None:
    """From the files that supervisor and gate keep; health is 503 while a process is missing."""
    flower = place.folder / "flower"
    assert _got(port, "/health")[0] == 503  # nothing is known to run
    running = {"gate": {"pid": os.getpid(), "starts": 3}}
    (flower / "processes.json").write_text(json.dumps(running))
    counts = {"requests": {"/v1/fleet": 9}, "refused": {"revoked": 2}, "members": {"L01": 9}}
    (flower / "gate.json").write_text(json.dumps(counts))
    found = _metrics(port)
    assert found["lianfang_process_up", "gate"] == 1
    assert found["lianfang_process_starts_total", "gate"] == 3
    assert found["lianfang_gate_refused_total", "revoked"] == 2
    assert _got(port, "/health")[0] == 200
    running["superlink"] = {"pid": 2**22 + 1, "starts": 1}
    (flower / "processes.json").write_text(json.dumps(running))
    status, text = _got(port, "/health")
    assert (status, json.loads(text)["processes"]) == (503, {"gate": True, "superlink": False})


def test_a_damaged_status_hides_no_other_run(place: CoordinatorFolder, port: int) -> None:
    """That run is unreadable, and its stages are still told."""
    summer = place.folder / "runs" / "summer"
    shutil.copytree(place.folder / "runs" / "spring", summer, symlinks=True)
    try:
        assert _metrics(port)["lianfang_run_state", "summer", "finished"] == 1
        (summer / "status.json").write_bytes(b"")
        (summer / "watching.json").unlink(missing_ok=True)
        found = _metrics(port)
        assert found["lianfang_run_state", "summer", "unreadable"] == 1
        assert found["lianfang_run_state", "summer", "finished"] == 0
        assert found["lianfang_run_state", "spring", "finished"] == 1
        assert found["lianfang_stage_lenders", "summer", "close"] == 5
    finally:
        shutil.rmtree(summer)


@pytest.mark.parametrize("side", [server.deployment, client.node])
def test_health_sees_what_has_stopped_inside_a_process(
    side: Any, place: CoordinatorFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part whose last sign is old, and a thread of this process that has died; processes alone
    tell nothing of either: the control. A new start begins without earlier signs.
    """
    folder = place.folder if side is server.deployment else place.lenders.homes[0]
    heart = Heartbeats[side]
    part = next(iter(heart.MOST_SILENT))
    listed = folder / side.metrics.PROCESSES
    listed = folder / "flower" / listed.name if side is server.deployment else listed
    listed.parent.mkdir(parents=True, exist_ok=True)
    listed.write_text(json.dumps({part: {"pid": os.getpid(), "starts": 1}}))
    heart.Heartbeat(folder, "an earlier start's").beat()
    worked = threading.Event()
    thread = threading.Thread(target=worked.wait, name="sidecar", daemon=True)
    thread.start()
    made = side.observing.observed(folder, 0, ("sidecar",))
    try:
        assert not list((folder / heart.ALIVE).iterdir())
        assert _health(made.port) == (200, [])
        heart.Heartbeat(folder, part).beat()
        assert _health(made.port) == (200, [])
        sign = folder / heart.ALIVE / part
        old = time.time() - heart.MOST_SILENT[part] - 60
        os.utime(sign, (old, old))
        assert _health(made.port) == (503, [part])
        assert _metrics(made.port)["lianfang_part_silent_seconds", part] > 60
        heart.Heartbeat(folder, part).beat()
        worked.set()
        thread.join()
        assert _health(made.port) == (503, ["thread sidecar"])
    finally:
        made.stop()
        listed.unlink()


def _health(port: int) -> tuple[int, list[str]]:
    status, text = _got(port, "/health")
    assert all(json.loads(text)["processes"].values())
    return status, json.loads(text)["silent"]


def test_a_part_that_cannot_be_read_is_left_out(place: CoordinatorFolder, port: int) -> None:
    """The scrape goes on without it."""
    gate = place.folder / "flower" / "gate.json"
    gate.write_text('{"requests": 7}')
    assert "lianfang_run_state" in {name for name, *_ in _metrics(port)}
    gate.unlink()


def test_a_lender_sees_what_left_its_building(place: CoordinatorFolder, lenders_port: int) -> None:
    """Lines of the outbox by kind, each read once, its own measures, its certificates."""
    found = _metrics(lenders_port)
    assert found["lianfang_outbox_lines_total", "masked"] >= len(STAGES) - 1
    again = _metrics(lenders_port)
    lines = [name for name in found if name[0] == "lianfang_outbox_lines_total"]
    assert {name: again[name] for name in lines} == {name: found[name] for name in lines}
    assert 0 <= found["lianfang_result", "auc_shared"] <= 1
    assert found["lianfang_certificate_days", "certificate.crt"] > 3000
    assert _got(lenders_port, "/health")[0] == 503


def test_it_listens_on_loopback_only(port: int, lenders_port: int) -> None:
    """Another address of this machine does not answer."""
    for one in (port, lenders_port):
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.2", one)) != 0


def test_other_pages_are_not_there_and_a_taken_port_is_named(
    place: CoordinatorFolder, port: int
) -> None:
    """404 for anything else, whatever the path; a port in use is an operator's error."""
    assert _got(port, "/../coordinator.key")[0] == 404
    with pytest.raises(OperatorError, match=f"127.0.0.1:{port} cannot be served"):
        server.deployment.observing.observed(place.folder, port)
    told = json.loads((Path(place.folder) / "flower" / "observed.json").read_text())
    assert told == {"port": port}
