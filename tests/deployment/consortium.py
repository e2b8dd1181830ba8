"""A consortium on disk as founding and joining leave it, and its real processes on loopback."""

from __future__ import annotations

import json
import os
import secrets
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from server.authority import Authority, issue, issue_transport, read_authority
from server.consortium.founding import found
from server.deployment.bundle import build_bundle, bundle_digest
from server.deployment.loopback import free_port
from server.keys import write_private
from shared.identity.certificate import public_of
from shared.identity.node_key import new_node_key, node_public_of
from shared.identity.pem import certificate_to_pem
from shared.identity.transport import new_transport_key, transport_public_of
from shared.training.consortium import FILE, parse_consortium
from tests.federation import table

ROOT = Path(__file__).parents[2]
CODES = ("L01", "L02", "L03")
SIZES = (61, 60, 59)
TERMS = """\
[consortium]
name = "three tiny lenders"
profile = "demo"

[addresses]
gate = "127.0.0.1:{gate}"
enrol = "127.0.0.1:{enrol}"

[terms]
family = "boosted"
rounds = 2
minimum_lenders = 3

[table]
version = 1
row_key = "loan_id"
time = "year"

[label]
column = "defaulted"
bad = ["1"]
good = ["0"]

[[columns]]
name = "income"
kind = "number"

[[columns]]
name = "age"
kind = "number"

[[columns]]
name = "year"
kind = "number"

[[columns]]
name = "region"
kind = "category"
levels = ["east", "north", "south"]
"""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Consortium:
    """The folders of a coordinator and its lenders."""

    home: Path
    gate: str
    coordinator: Path
    lenders: dict[str, Path] = field(default_factory=dict)

    @property
    def authority(self) -> Authority:
        """With its key."""
        return read_authority(self.coordinator / "authority", _now())


def founded(home: Path, codes: Sequence[str] = CODES, sizes: Sequence[int] = SIZES) -> Consortium:
    """Make all folders. A lender's secret follows from its code, so that runs can be repeated."""
    gate, enrol = free_port(), free_port()
    text = TERMS.format(gate=gate, enrol=enrol).encode()
    coordinator = home / "coordinator"
    found(coordinator, text, now=_now(), random=secrets.token_bytes)
    made = Consortium(home, f"127.0.0.1:{gate}", coordinator)
    rows = table(tuple(sizes))
    for number, code in enumerate(codes):
        folder = home / code
        made.lenders[code] = folder
        join(made, folder, code)
        own = rows[rows["lender"] == f"L{number + 1:02d}"].drop(columns="lender")
        own.to_parquet(folder / "table.parquet", index=False)
    return made


def join(consortium: Consortium, folder: Path, code: str, days: float = 365) -> None:
    """A lender's folder as joining leaves it, and its entry at the coordinator."""
    (folder / "own").mkdir(mode=0o700, parents=True)
    folder.chmod(0o700)
    authority, random = consortium.authority, secrets.token_bytes
    private, transport, node = random(32), new_transport_key(random), new_node_key(random)
    write_private(folder / "own/identity.key", private)
    for name, key in (("transport", transport), ("node", node)):
        path = folder / f"own/{name}.key"
        path.touch(mode=0o600)
        path.write_bytes(key)
    about = {"days": days, "now": _now(), "random": random}
    certificates = {
        "authority.crt": authority.certificate,
        "certificate.crt": issue(authority, code, "lender", public_of(private), **about),
        "transport.crt": issue_transport(
            authority, code, "lender", transport_public_of(transport), **about
        ),
    }
    for name, certificate in certificates.items():
        (folder / name).write_bytes(certificate_to_pem(certificate))
    (folder / FILE).write_bytes((consortium.coordinator / FILE).read_bytes())
    (folder / "bundles.json").write_text(json.dumps([bundle_digest(build_bundle())]))
    (folder / "client.toml").write_text(
        f'[lender]\nmember = "{code}"\ntable = "table.parquet"\nterms = "{FILE}"\n'
        'authority = "authority.crt"\ncertificate = "certificate.crt"\n'
        f'key = "own/identity.key"\nsecret = {sum(code.encode())}\n\n'
        f'[node]\ngate = "{parse_consortium((folder / FILE).read_bytes()).gate}"\n'
    )
    path = consortium.coordinator / "members.json"
    members = json.loads(path.read_text()) if path.exists() else {}
    members[code] = {
        "public": public_of(private).hex(),
        "node": node_public_of(node).decode(),
        "joined": "2031-05-06",
        "until": (about["now"] + timedelta(days=days)).isoformat(timespec="seconds"),
    }
    path.write_text(json.dumps(members))


class Running:
    """A command that runs until `stop`."""

    def __init__(self, *words: str, log: Path) -> None:
        self.log = log
        self._log = log.open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", *words],
            stdout=subprocess.PIPE,
            stderr=self._log,
            stdin=subprocess.DEVNULL,
            cwd=log.parent,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    def line(self, seconds: float = 60.0) -> str:
        """The first line it says; AssertionError with its log when it ends or takes too long."""
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], seconds)
        text = self.process.stdout.readline().decode() if ready else ""
        assert text, f"{self.process.args} said nothing:\n{self.log.read_text()[-3000:]}"
        return text

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Tell it to end; its exit status."""
        self.process.send_signal(number)
        status = self.process.wait(30)
        self._log.close()
        if self.process.stdout is not None:
            self.process.stdout.close()
        return status


def stopped(commands: Sequence[Running]) -> list[int]:
    """Tell all of them to end, together and twice; their exit statuses."""
    for command in commands:
        command.process.terminate()
    return [command.stop() for command in commands]


def coordinator_of(consortium: Consortium) -> Running:
    """`lianfang-server start`."""
    words = ("server.cli", "start", str(consortium.coordinator), "--json")
    return Running(*words, log=consortium.home / "coordinator.log")


def lender_of(consortium: Consortium, code: str) -> Running:
    """`lianfang-client start`."""
    words = ("client.cli", "start", str(consortium.lenders[code]), "--json")
    return Running(*words, log=consortium.home / f"{code}.log")


def awaited(what: Callable[[], object], seconds: float = 30.0, pause: float = 0.05) -> object:
    """What `what` gives as soon as it is something; AssertionError when it never is."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := what():
            return found
        time.sleep(pause)
    raise AssertionError(f"nothing came of {what}")


def processes(folder: Path) -> dict[str, int]:
    """Numbers of the processes that a supervisor keeps, by name."""
    path = folder / ("flower" if (folder / "flower").exists() else "own/node") / "processes.json"
    return {name: int(told["pid"]) for name, told in json.loads(path.read_text()).items()}
