"""Key holders and a registry as processes of their own, on loopback over mutual TLS."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from client.exchange.doors import RemoteDoor
from client.exchange.holders import Holders
from client.exchange.known_list import KnownList
from client.exchange.registry import RegistryClient
from client.exchange.submissions import Submissions
from client.tls import channel
from server.actor import write_actor
from server.keyholder.ceremony import relay_of
from shared.tokens.ceremony_checks import Terms
from tests.blacklist_members import AUTHORITY as LIST_AUTHORITY
from tests.blacklist_members import DAYS, FOUNDED, REGISTRY, Lender
from tests.identities import fixed_random
from tests.server.keyholder.key_holders import (
    CONTEXT,
    GROUP,
    TRUST,
    make_folder,
    operator,
    transport_of,
)

REPOSITORY = Path(__file__).resolve().parents[1]
CODES = ("K1", "K2", "K3")
AT_ONCE = "[batches]\nseconds = 0\ncontributors = 1\n"
_SERVE = "\nimport sys\nfrom server.cli import main\nraise SystemExit(main(sys.argv[1:]))\n"


@dataclass
class Process:
    """A service. `kind`: keyholder or registry; `first`: Python to run before it serves; `log`:
    where it writes. It keeps its port when it is started again.
    """

    folder: Path
    kind: str
    log: Path
    port: int = 0
    running: subprocess.Popen[bytes] = field(init=False)

    def start(self, first: str = "") -> None:
        """Start it and wait until it answers; AssertionError with the end of its log."""
        words = [sys.executable, "-c", first + _SERVE, self.kind, "serve", str(self.folder)]
        words += ["--listen", f"127.0.0.1:{self.port}", "--json", "--until-input-closes"]
        with self.log.open("ab") as log:
            self.running = subprocess.Popen(
                words, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
            )
        assert self.running.stdout is not None
        line = self.running.stdout.readline()
        if not line:
            self._over()
            raise AssertionError(self.log.read_text()[-800:])
        self.port = int(json.loads(line)["address"].rpartition(":")[2])

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"127.0.0.1:{self.port}"

    def kill(self) -> None:
        """kill -9."""
        self.running.kill()
        self._over()

    def stop(self) -> None:
        """Let it end by itself."""
        if self.running.stdin is not None and self.running.poll() is None:
            self.running.stdin.close()
        self._over()

    def died(self, seconds: float = 20) -> int:
        """Its exit status, once it has ended by itself."""
        status = self.running.wait(seconds)
        self._over()
        return status

    def memory(self) -> int:
        """Most bytes it has had in memory so far (VmHWM)."""
        for line in Path(f"/proc/{self.running.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmHWM")

    def seconds(self) -> float:
        """Processor seconds it has used so far."""
        fields = Path(f"/proc/{self.running.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _over(self) -> None:
        self.running.wait(30)
        for pipe in (self.running.stdin, self.running.stdout):
            if pipe is not None:
                pipe.close()


def file_size_limit(size: int) -> str:
    """What makes a service's files no larger than this, as a disk that is full would."""
    return (
        "from shared.tokens.libsodium import libsodium\nlibsodium()  # unpacks itself into a file\n"
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))\n"
    )


class Exchange:
    """Three holders, of whom two answer together, and a lender who asks them."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.holders = {
            code: Process(
                make_folder(home / code, code, CODES, quotas={"rotation": 10**9}),
                "keyholder",
                home / f"{code}.log",
            )
            for code in CODES
        }
        for one in self.holders.values():
            one.start()
        addresses = {code: one.address for code, one in self.holders.items()}
        terms = Terms(CONTEXT, 2, CODES)
        relay_of(operator(home / "C1"), terms, addresses, TRUST, secrets.token_bytes).generate()

    def ensure_running(self) -> None:
        """Whatever a test killed answers again, without limits."""
        for one in self.holders.values():
            if one.running.poll() is not None:
                one.start()

    @contextmanager
    def lender(self, name: str = "own") -> Iterator[tuple[Holders, dict[str, RemoteDoor]]]:
        """Its ways to the holders."""
        transport = transport_of("L01")
        doors = {
            code: RemoteDoor(code, one.address, transport, seconds=10)
            for code, one in self.holders.items()
        }
        made = Holders(
            doors,
            self.home / name,
            CONTEXT,
            TRUST,
            GROUP,
            secrets.token_bytes,
            pause=lambda _: None,
        )
        yield made, doors
        made.close()
        for door in doors.values():
            door.close()


def registry_folder(folder: Path) -> Path:
    """A registry's credentials, the same every time."""
    random = fixed_random("registry REG")
    write_actor(folder, LIST_AUTHORITY, REGISTRY, "registry", days=DAYS, now=FOUNDED, random=random)
    return folder


@contextmanager
def registry_at(folder: Path, log: Path, database: str | None = None) -> Iterator[Process]:
    """A registry that runs; it is ended at the end. `database`: its URL, SQLite in its folder where
    none is given.
    """
    registry_folder(folder)
    where = "" if database is None else f"database = {json.dumps(database)}\n"
    (folder / "registry.toml").write_text(where + AT_ONCE)
    process = Process(folder, "registry", log)
    process.start()
    try:
        yield process
    finally:
        process.stop()


class Member:
    """A lender's end over mutual TLS, and who files."""

    def __init__(self, home: Path, code: str, registry: Process) -> None:
        self.home, self.registry = home / code, registry
        self.lender = Lender.of(code)
        self.connect()

    def connect(self) -> None:
        """A new connection; what was kept on the disk goes on."""
        code, certificate = self.lender.code, LIST_AUTHORITY.certificate
        transport = transport_of(code, authority=LIST_AUTHORITY, trusting=LIST_AUTHORITY)
        self.channel = channel(self.registry.address, REGISTRY, transport)
        self.submissions = Submissions(self.home / "submissions.db")
        self.client = RegistryClient(
            self.channel,
            REGISTRY,
            certificate,
            self.submissions,
            KnownList(self.home / "list", REGISTRY, certificate),
            clock=lambda: datetime.now(UTC),
            sleep=lambda _: None,
            attempts=2,
        )

    def close(self) -> None:
        """Let connection and file go."""
        self.channel.close()
        self.submissions.close()

    def restart(self) -> None:
        """As a lender's next command does."""
        self.close()
        self.connect()

    def filing(self, subject: str) -> Any:
        """The filing of an entry of today."""
        return self.lender.file(self.lender.entry(subject, day=date.today()))

    def filed(self) -> list[bytes]:
        """Names of its entries in the registry."""
        return sorted(entry.entry_id for entry in self.client.own())


@contextmanager
def founded(home: Path, registry: Process) -> Iterator[Member]:
    """L01's end, the first epoch open."""
    one, two = (Member(home, code, registry) for code in ("L01", "L02"))
    try:
        proposal = one.lender.open_epoch(1)
        assert one.client.submit([proposal])[0].receipt
        assert two.client.submit([two.lender.consent(proposal)])[0].receipt
        yield one
    finally:
        one.close()
        two.close()
