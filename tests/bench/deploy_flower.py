"""Rounds of plain averaging over Flower's deployment as it comes: no setting of ours.

SuperLink and SuperNodes with Flower's own defaults (a process for each message, its polls), over
TLS on loopback. No secure sum, no gate, no second check of who asks.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from shutil import copytree
from statistics import median

from flwr.cli.build import build_fab_from_disk
from flwr.supercore.control.control_http_client import ControlHttpClient
from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor

from server.deployment.control import Control
from server.deployment.loopback import free_port
from shared.identity.loopback import loopback_pair
from tests.bench.process_tree import end_tree

APP = Path(__file__).parent / "flower_app"
REPOSITORY = Path(__file__).resolve().parents[2]
BIN = REPOSITORY / ".venv" / "bin"
_MOST_SECONDS = 900.0


def flower_round_seconds(home: Path, *, rounds: int, features: int, rows: int) -> float:
    """Median seconds of a round after the first. `home`: an empty folder. RuntimeError when the
    run fails.
    """
    certificate, key = home / "loopback.crt", home / "loopback.key"
    pair = loopback_pair(secrets.token_bytes, datetime.now(UTC))
    for path, content in zip((certificate, key), pair, strict=True):
        path.touch(mode=0o600)
        path.write_bytes(content)
    times = home / "times"
    config = {"rounds": rounds, "features": features, "rows": rows, "times": str(times)}
    with _processes(home, certificate, key) as address:
        client = ControlHttpClient.from_server_address(
            address,
            insecure=False,
            root_certificates=certificate.read_bytes(),
            interceptors=[RuntimeVersionHttpInterceptor("flwr CLI")],
        )
        with client:
            control = Control(client)
            app = copytree(APP, home / "averaging")
            number = _patiently(lambda: control.start(build_fab_from_disk(app), config))
            noted = _noted(times, rounds + 1, control, number)
    steps = [after - before for before, after in pairwise(noted)]
    return round(median(steps[1:]), 2)


def _noted(path: Path, wanted: int, control: Control, number: int) -> list[float]:
    until, found = time.monotonic() + _MOST_SECONDS, list[float]()
    while time.monotonic() < until:
        found = [float(line) for line in path.read_text().split()] if path.exists() else []
        run = control.run(number)
        if len(found) >= wanted:
            return found
        if run is not None and run.ended == "failed":
            break
        time.sleep(1.0)
    raise RuntimeError(f"Flower's own run noted {len(found)} of {wanted} times; see {path.parent}")


@contextmanager
def _processes(home: Path, certificate: Path, key: Path) -> Iterator[str]:
    """A SuperLink and three SuperNodes; the SuperLink's address."""
    address = f"127.0.0.1:{free_port()}"
    port = address.rpartition(":")[2]
    running: list[subprocess.Popen[bytes]] = []
    roots = ("--root-certificates", str(certificate))
    tls = ("--ssl-ca-certfile", str(certificate), "--ssl-certfile", str(certificate))
    try:
        link = ("flower-superlink", "--host", "127.0.0.1", "--port", port, *tls)
        running.append(_started(home, "superlink", (*link, "--ssl-keyfile", str(key))))
        for number in range(3):
            node = ("flower-supernode", "--superlink", address, *roots, "--host", "127.0.0.1")
            own = ("--port", str(free_port()), "--node-config", f"partition-id={number}")
            own += (*tls, "--ssl-keyfile", str(key))
            running.append(_started(home, f"node{number}", (*node, *own)))
        yield address
    finally:
        for process in reversed(running):
            end_tree(process)


def _started(home: Path, name: str, words: tuple[str, ...]) -> subprocess.Popen[bytes]:
    with (home / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            [str(BIN / words[0]), *words[1:]],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=home,
            env=_environment(home),
        )


def _environment(home: Path) -> Mapping[str, str]:
    return os.environ | {
        "PATH": f"{BIN}:{os.environ.get('PATH', '')}",
        "FLWR_HOME": str(home / "flwr"),
        "FLWR_TELEMETRY_ENABLED": "0",
        "FLWR_DISABLE_UPDATE_CHECK": "1",
        "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
        "OMP_NUM_THREADS": "1",
    }


def _patiently(start):  # type: ignore[no-untyped-def]
    from shared.errors import OperatorError

    for _ in range(120):
        try:
            return start()
        except OperatorError:
            time.sleep(0.5)
    raise RuntimeError("Flower's SuperLink does not answer")
