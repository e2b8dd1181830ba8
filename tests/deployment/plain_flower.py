"""Flower's own SuperLink with TLS and node authentication, as its guide has it: what our gate and
guard are compared with.
"""

from __future__ import annotations

import os
import secrets
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
from cryptography.hazmat.primitives.serialization import load_ssh_private_key
from flwr.supernode.fleet_http_client import FleetHttpClient
from flwr.supernode.node_auth_http_interceptor import NodeAuthHttpInterceptor

from server.deployment.flower import ENVIRONMENT
from server.deployment.loopback import free_port
from shared.identity.loopback import loopback_pair

_COMMAND = "from flwr.superlink.cli.flower_superlink import flower_superlink as f; f()"


@dataclass(frozen=True)
class PlainSuperLink:
    """Where it answers, and what whoever has its authority's file needs to speak to it."""

    address: str
    authority: bytes

    def client(self) -> httpx.Client:
        """With nothing but the authority's file."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=self.authority.decode())
        return httpx.Client(verify=context, base_url=f"https://{self.address}", trust_env=False)

    def node(self, member: Path) -> FleetHttpClient:
        """A node under a member's node key, which shows the member's certificate if it is asked."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=self.authority.decode())
        context.load_cert_chain(member / "transport.crt", member / "own/transport.key")
        base = f"https://{self.address}"
        return FleetHttpClient(base, interceptors=[signing(member)], verify=context)


def signing(member: Path) -> NodeAuthHttpInterceptor:
    """Signs a node's calls with the member's node key."""
    private = load_ssh_private_key((member / "own/node.key").read_bytes(), None)
    return NodeAuthHttpInterceptor(private, private.public_key())


@contextmanager
def plain_superlink(folder: Path) -> Iterator[PlainSuperLink]:
    """One that runs until the block ends."""
    folder.mkdir()
    certificate, key = loopback_pair(secrets.token_bytes, datetime.now(UTC))
    for name, content in (("tls.crt", certificate), ("tls.key", key)):
        (folder / name).write_bytes(content)
    port = free_port()
    files = {
        "--ssl-ca-certfile": "tls.crt",
        "--ssl-certfile": "tls.crt",
        "--ssl-keyfile": "tls.key",
    }
    words = [word for option, name in files.items() for word in (option, str(folder / name))]
    words += ["--host", "127.0.0.1", "--port", str(port), "--isolation", "process"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", _COMMAND, *words, "--enable-supernode-auth"],
            env={**os.environ, **ENVIRONMENT, "FLWR_HOME": str(folder / "home")},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    link = PlainSuperLink(f"127.0.0.1:{port}", certificate)
    try:
        _await(link, process)
        yield link
    finally:
        process.kill()
        process.wait()


def _await(link: PlainSuperLink, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 120
    with link.client() as client:
        while time.monotonic() < until and process.poll() is None:
            try:
                if client.get("/health").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
    raise AssertionError("Flower's SuperLink did not start")
