"""A lender's desk as its folder says: over the network, with an outbox line for all that leaves.

own/outbox.jsonl     everything that left        own/keys.json     keys this lender believes
own/list/            its copy of the list        own/tokens/       cached tokens, encrypted
own/registry/        checkpoint, submissions     own/filed/        own entries, and its secret
own/evidence/        others' wrongdoing          revoked.json      whom it asks no more
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import grpc

from client.exchange.desk import Desk
from client.exchange.doors import Door, RemoteDoor
from client.exchange.holders import Holders
from client.exchange.known_list import KnownList
from client.exchange.recorded import RecordedDoor, recorded_channel
from client.exchange.registry import RegistryClient
from client.exchange.settings import ExchangeSettings, read_exchange
from client.exchange.submissions import Submissions
from client.files import keep_private
from client.outbox import Outbox
from client.tls import Transport, channel
from shared.errors import OperatorError
from shared.secure_sum.trust import Trust
from shared.tokens.fastest import fastest_group


class OpenDoor(Door, Protocol):
    """A door that is let go at the end."""

    def close(self) -> None:
        """Let the connection go."""


@dataclass(frozen=True)
class Ways:
    """How actors are reached. `door`: of a holder's code, address and what this lender shows;
    `channel`: of the registry's address, code and the same.
    """

    door: Callable[[str, str, Transport], OpenDoor]
    channel: Callable[[str, str, Transport], grpc.Channel]


REMOTE = Ways(RemoteDoor, channel)
"""Over the network."""


def _now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def open_desk(
    folder: Path,
    *,
    clock: Callable[[], datetime] = _now,
    random: Callable[[int], bytes] = secrets.token_bytes,
    ways: Ways = REMOTE,
) -> Iterator[Desk]:
    """The desk of the lender in `folder`; files and connections are let go at the end.

    Nothing is asked of anybody yet. Raises OperatorError.
    """
    settings = read_exchange(folder, clock=clock)
    keep_own(settings.own)
    with ExitStack() as stack:
        outbox = Outbox(settings.own / "outbox.jsonl", clock)
        stack.callback(outbox.close)
        holders = open_holders(settings, ways, outbox, clock, random, stack)
        known = KnownList(settings.own / "registry", settings.registry, settings.authority)
        registry = _registry(settings, ways, outbox, known, clock, stack)

        def epochs() -> Sequence[int]:
            checkpoint = known.checkpoint()
            return () if checkpoint is None else checkpoint.epochs

        def published() -> int | None:
            checkpoint = known.checkpoint()
            return None if checkpoint is None else checkpoint.at

        def version() -> int:
            checkpoint = known.checkpoint()
            return 0 if checkpoint is None else checkpoint.version

        desk = Desk(
            settings.identity,
            settings.context,
            settings.registry,
            settings.own,
            holders,
            registry,
            epochs=epochs,
            published=published,
            version=version,
            clock=clock,
            random=random,
        )
        stack.callback(desk.close)
        yield desk


def open_holders(
    settings: ExchangeSettings,
    ways: Ways,
    outbox: Outbox,
    clock: Callable[[], datetime],
    random: Callable[[int], bytes],
    stack: ExitStack,
) -> Holders:
    """The key holders of these settings; let go with the stack."""
    doors = {}
    revoked = settings.revoked & {*settings.holders}
    for code, address in settings.holders.items():
        if code in revoked:
            continue
        door = ways.door(code, address, settings.transport)
        stack.callback(door.close)
        doors[code] = RecordedDoor(code, door, outbox)
    trust = Trust(settings.authority, clock)
    pool = ThreadPoolExecutor(os.cpu_count() or 1, "points")
    stack.callback(pool.shutdown)
    group = fastest_group(pool.map)
    holders = Holders(doors, settings.own, settings.context, trust, group, random, revoked=revoked)
    stack.callback(holders.close)
    return holders


def _registry(
    settings: ExchangeSettings,
    ways: Ways,
    outbox: Outbox,
    known: KnownList,
    clock: Callable[[], datetime],
    stack: ExitStack,
) -> RegistryClient:
    submissions = Submissions(settings.own / "registry" / "submissions.db")
    stack.callback(submissions.close)
    way = ways.channel(settings.registry_address, settings.registry, settings.transport)
    stack.callback(way.close)
    return RegistryClient(
        recorded_channel(way, settings.registry, outbox),
        settings.registry,
        settings.authority,
        submissions,
        known,
        clock=clock,
        attempts=4,
    )


def keep_own(own: Path) -> None:
    """Only its owner gets into the lender's own folder; OperatorError."""
    try:
        keep_private(own)
    except OSError as error:
        raise OperatorError(
            f"{own} cannot be kept from other users: {error.strerror or type(error).__name__}",
            remedy="make it a folder of the user this runs as, then chmod 700",
        ) from error
