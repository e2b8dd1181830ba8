"""How a lender's processes find and believe each other on 127.0.0.1.

    FOLDER/own/node/   loopback.crt, loopback.key   TLS of sidecar and SuperNode; new at each start
                       superexec.secret             whoever holds it may fetch a task
                       ports.json                   {"sidecar": port, "supernode": port}
                       registered                   the node's number, once the SuperLink gave one

Invariants:
- The folder is its owner's alone, every file in it too.
"""

from __future__ import annotations

import json
import random
import secrets
import socket
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from client.files import keep_private, write_whole
from shared.errors import OperatorError
from shared.identity.loopback import loopback_pair

HOST = "127.0.0.1"
NODE_KEY = "own/node.key"
_SECRET_BYTES = 32
_PORTS = ("sidecar", "supernode")
_QUIET_PORTS = range(20_000, 32_768)
"""Linux connects from 32,768 on, others from 49,152 on."""


@dataclass(frozen=True)
class Loopback:
    """The files of a lender's folder that its own processes share."""

    folder: Path

    @property
    def home(self) -> Path:
        """`FOLDER/own/node`."""
        return self.folder / "own" / "node"

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
    def registered(self) -> Path:
        """Holds the node's number at the SuperLink."""
        return self.home / "registered"

    @property
    def node_key(self) -> Path:
        """The node's private key, OpenSSH form; made at joining."""
        return self.folder / NODE_KEY

    def port(self, name: str) -> int:
        """Of "sidecar" or "supernode"; OperatorError when nothing was started in this folder."""
        try:
            return int(json.loads((self.home / "ports.json").read_text())[name])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise OperatorError(
                f"nothing runs on {self.folder}", remedy="start it: lianfang-client start"
            ) from error

    def address(self, name: str) -> str:
        """ "host:port" of "sidecar" or "supernode"."""
        return f"{HOST}:{self.port(name)}"

    def renew(self) -> None:
        """New certificate and secret, and ports that are free; for a start only."""
        keep_private(self.folder / "own")
        keep_private(self.home)
        certificate, key = loopback_pair(secrets.token_bytes, datetime.now(UTC))
        write_whole(self.certificate, certificate)
        write_whole(self.key, key)
        write_whole(self.superexec_secret, secrets.token_bytes(_SECRET_BYTES))
        ports = dict(zip(_PORTS, _free_ports(), strict=True))
        write_whole(self.home / "ports.json", json.dumps(ports).encode())


def _free_ports() -> list[int]:
    """One for each of `_PORTS`, of those that no system gives to outgoing connections, which could
    take it while its owner is being started again.
    """
    found: list[int] = []
    for port in random.sample(_QUIET_PORTS, len(_QUIET_PORTS)):
        with socket.socket() as probe, suppress(OSError):
            probe.bind((HOST, port))
            found.append(port)
        if len(found) == len(_PORTS):
            return found
    raise OperatorError("no port of 127.0.0.1 is free", remedy="end processes that hold them")
