"""Whether the coordinator's own addresses can be listened at, asked before anything starts.

Invariants:
- All are held at once and let go of: two that are one port are found as well.
- The processes of a `start` that was just killed may take a moment to end: they are waited for.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack

from server.deployment.enrolment import listening_at
from shared.errors import OperatorError

SECONDS = 3.0
_PAUSE = 0.2


def check_free(
    addresses: Mapping[str, str],
    *,
    seconds: float = SECONDS,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """OperatorError when one cannot be listened at within `seconds`. `addresses`: whose it is →
    "host:port", as members know it.
    """
    until = clock() + seconds
    while True:
        try:
            return _hold(addresses)
        except OperatorError:
            if clock() >= until:
                raise
        sleep(_PAUSE)


def _hold(addresses: Mapping[str, str]) -> None:
    with ExitStack() as held:
        for whose, address in addresses.items():
            host, port = listening_at(address)
            try:
                _listen(held, host, port)
            except OSError as error:
                raise OperatorError(
                    f"{address}, of {whose}, cannot be listened at: {error.strerror or 'no host'}",
                    remedy="stop what listens at that port (ss -ltnp shows it), then start again; "
                    "the addresses are in consortium.toml",
                ) from error


def _listen(held: ExitStack, host: str, port: int) -> None:
    """On each of the host's addresses, as the servers do. OSError."""
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    for family, kind, protocol, _, where in dict.fromkeys(found):
        try:
            one = held.enter_context(socket.socket(family, kind, protocol))
        except OSError:  # the machine has no such family
            continue
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind(where)
        one.listen(1)
