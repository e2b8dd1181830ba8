"""A lender's desk for rings as its folder says, with an outbox line for all that leaves.

exchange.toml   [cases]
                code    = "D1"
                address = "cases.example:7445"
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from client.exchange.opening import REMOTE, Ways, open_desk
from client.exchange.recorded import recorded_channel
from client.exchange.settings import read_exchange, service_of
from client.outbox import Outbox
from client.rings.case_desk import WHO, CaseDeskClient, about_rings
from client.rings.ring_desk import RingDesk

SECTION = "cases"


def _now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def open_ring_desk(
    folder: Path,
    *,
    clock: Callable[[], datetime] = _now,
    random: Callable[[int], bytes] = secrets.token_bytes,
    ways: Ways = REMOTE,
) -> Iterator[RingDesk]:
    """The desk of the lender in `folder`; files and connections are let go at the end.

    Nothing is asked of anybody yet. Raises OperatorError, also where the case desk is revoked.
    """
    settings = read_exchange(folder, clock=clock)
    code, address = service_of(folder, SECTION, WHO)
    with ExitStack() as stack:
        desk = stack.enter_context(open_desk(folder, clock=clock, random=random, ways=ways))
        outbox = Outbox(settings.own / "outbox.jsonl", clock)
        stack.callback(outbox.close)
        way = ways.channel(address, code, settings.transport)
        stack.callback(way.close)
        client = CaseDeskClient(
            recorded_channel(way, code, outbox, about_rings),
            code,
            settings.authority,
            settings.member,
            clock=clock,
        )
        rings = RingDesk(desk, client, code, settings.authority, clock=clock, random=random)
        stack.callback(rings.close)
        yield rings
