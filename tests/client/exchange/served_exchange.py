"""A registry that serves on loopback over mutual TLS, and lenders with folders of their own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import grpc

from client.exchange.index import ListIndex
from client.exchange.known_list import KnownList
from client.exchange.registry import RegistryClient
from client.exchange.submissions import Submissions
from client.tls import Transport, channel
from server.actor import read_actor, write_actor
from server.registry.publishing import AT_ONCE
from server.registry.service import Serving, serve
from shared.identity.certificate import Role
from tests.blacklist_members import AUTHORITY, DAYS, FOUNDED, REGISTRY, Clock, Lender
from tests.identities import NOW, fixed_random
from tests.list_registry import TERMS


class Exchange:
    """`url`: the registry's database; `a` and `b` are the first two of the lenders."""

    def __init__(
        self, home: Path, url: str, lenders: Sequence[str] = ("L01", "L02"), now: datetime = NOW
    ) -> None:
        self.home, self.url, self.clock = home, url, Clock(now)
        self.transports: dict[str, Transport] = {}
        self.channels: list[grpc.Channel] = []
        self.identify("REG", "registry")
        for code in lenders:
            self.identify(code, "lender")
        self.lenders = {code: Lender.of(code) for code in lenders}
        self.a, self.b = (self.lenders[code] for code in lenders[:2])
        self.start()

    def identify(self, code: str, role: Role) -> None:
        """Make an actor's folder with the same keys as `blacklist_members`."""
        random = fixed_random(f"{role} {code}")
        folder = self.home / code
        write_actor(folder, AUTHORITY, code, role, days=DAYS, now=FOUNDED, random=random)
        if role != "registry":
            actor = read_actor(folder, role, FOUNDED)
            self.transports[code] = Transport(
                code, AUTHORITY.certificate, actor.transport, actor.transport_key
            )

    def start(self) -> None:
        """Serve."""
        self.served: Serving = serve(
            self.home / "REG",
            "127.0.0.1:0",
            database_url=self.url,
            profile="demo",  # the tests of key holders are in this process, too
            clock=self.clock,
            random=fixed_random("served"),
            terms=TERMS,
            batches=AT_ONCE,
            tick_seconds=3600,
        )

    def open(self, code: str) -> grpc.Channel:
        """A connection of this member's."""
        opened = channel(f"127.0.0.1:{self.served.port}", REGISTRY, self.transports[code])
        self.channels.append(opened)
        return opened

    def client(self, code: str, over: Any = None, attempts: int = 3) -> RegistryClient:
        """A lender's end, on the disk of its folder."""
        return RegistryClient(
            over or self.open(code),
            REGISTRY,
            AUTHORITY.certificate,
            Submissions(self.home / code / "own" / "submissions.db"),
            self.known(code),
            clock=self.clock,
            sleep=lambda _: None,
            attempts=attempts,
        )

    def known(self, code: str) -> KnownList:
        """What it knows of the list."""
        return KnownList(self.home / code / "list", REGISTRY, AUTHORITY.certificate)

    def index(self, code: str) -> ListIndex:
        """Its copy of the list."""
        return ListIndex(self.home / code / "index")

    def found(self) -> tuple[RegistryClient, RegistryClient]:
        """Open the first epoch; both lenders' ends."""
        one, two = self.client("L01"), self.client("L02")
        proposal = self.a.open_epoch(1)
        assert one.submit([proposal])[0].receipt
        assert two.submit([self.b.consent(proposal)])[0].receipt
        return one, two

    def publish(self) -> None:
        """Make a version now."""
        self.served.registry.tick()

    def close(self) -> None:
        """End all."""
        for opened in self.channels:
            opened.close()
        self.served.stop()
