"""How the coordinator's processes find and believe each other on 127.0.0.1.

    FOLDER/flower/   loopback.crt, loopback.key   TLS of the SuperLink; new at each start
                     superexec.secret             whoever holds it may fetch a run's task
                     control.secret               whoever holds it may use the Control API
                     ports.json                   {"superlink": port}
                     state.db                     Flower's own state

Invariants:
- The folder is its owner's alone, every file in it too: another user of the machine can reach the
  SuperLink's port, but neither start runs there nor fetch them.
"""

from __future__ import annotations

import json
import random
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from server.files import write_whole
from shared.errors import OperatorError
from shared.identity.loopback import loopback_pair

if TYPE_CHECKING:
    import httpx
    from flwr.supercore.control.control_http_client import ControlHttpClient
    from flwr.supercore.protobuf.client import ProtobufCall, ProtobufRequestContext

FLOWER = "flower"
HEADER = "x-lianfang-control"
HOST = "127.0.0.1"
_QUIET_PORTS = range(20_000, 32_768)
"""Linux connects from 32,768 on, others from 49,152 on."""
_SECRET_BYTES = 32


@dataclass(frozen=True)
class Loopback:
    """The files of a coordinator's folder that its own processes share."""

    folder: Path

    @property
    def home(self) -> Path:
        """`FOLDER/flower`."""
        return self.folder / FLOWER

    @property
    def certificate(self) -> Path:
        """PEM; its own authority."""
        return self.home / "loopback.crt"

    @property
    def key(self) -> Path:
        """PEM."""
        return self.home / "loopback.key"

    @property
    def superexec_secret(self) -> Path:
        """32 random bytes."""
        return self.home / "superexec.secret"

    @property
    def database(self) -> Path:
        """Flower's own state: nodes, runs, messages under way."""
        return self.home / "state.db"

    @property
    def port(self) -> int:
        """The SuperLink's; OperatorError when nothing was started in this folder."""
        try:
            return int(json.loads((self.home / "ports.json").read_text())["superlink"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise _not_started(self.folder) from error

    @property
    def address(self) -> str:
        """The SuperLink's, "host:port"."""
        return f"{HOST}:{self.port}"

    def control_secret(self) -> str:
        """What the header of a call to the Control API holds."""
        try:
            return (self.home / "control.secret").read_text().strip()
        except OSError as error:
            raise _not_started(self.folder) from error

    def certificate_text(self) -> bytes:
        """PEM, as Flower's clients take it."""
        try:
            return self.certificate.read_bytes()
        except OSError as error:
            raise _not_started(self.folder) from error

    def renew(self, now: datetime | None = None) -> None:
        """New certificate and secrets, and a port if there was none; for a start only."""
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.home.chmod(0o700)
        certificate, key = loopback_pair(secrets.token_bytes, now or datetime.now(UTC))
        write_whole(self.certificate, certificate)
        write_whole(self.key, key)
        write_whole(self.superexec_secret, secrets.token_bytes(_SECRET_BYTES))
        write_whole(self.home / "control.secret", secrets.token_hex(_SECRET_BYTES).encode())
        ports = {"superlink": free_port(self._earlier_port())}
        write_whole(self.home / "ports.json", json.dumps(ports).encode())

    def _earlier_port(self) -> int:
        try:
            return self.port
        except OperatorError:
            return 0


def free_port(wished: int = 0) -> int:
    """A port of 127.0.0.1 that is free now: `wished`, if it is; else one of those that no system
    gives to outgoing connections, which could take it while its owner is being started again.
    """
    others = random.sample(_QUIET_PORTS, len(_QUIET_PORTS))
    for port in [wished, *others] if wished else others:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OperatorError("no port of 127.0.0.1 is free", remedy="end processes that hold them")


class _Secret:
    """Adds the secret header to each call."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def intercept(self, context: ProtobufRequestContext, call_next: ProtobufCall) -> httpx.Response:
        context.request.headers[HEADER] = self._secret
        return call_next(context)


@contextmanager
def control_client(folder: Path) -> Iterator[ControlHttpClient]:
    """Flower's client of the Control API of the SuperLink that `start` runs on this folder.

    Raises OperatorError when nothing was started there; its calls raise httpx errors.
    """
    from flwr.supercore.control.control_http_client import ControlHttpClient

    loopback = Loopback(folder)
    with ControlHttpClient.from_server_address(
        loopback.address,
        insecure=False,
        root_certificates=loopback.certificate_text(),
        interceptors=[_Secret(loopback.control_secret())],
    ) as client:
        yield client


def _not_started(folder: Path) -> OperatorError:
    return OperatorError(
        f"nothing runs on {folder}", remedy=f"start it first: lianfang-server start {folder}"
    )
