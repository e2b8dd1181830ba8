"""One lookup end to end, and what a key holder does a second, over mutual TLS.

    python tests/bench/tokens_single.py [--quick]

Three key holders, of whom two answer, as processes of their own on loopback; one input a lookup,
eight points a request, every charge synced to the disk. p50 and p99 are by the clock, so they want
a quiet machine. Evaluations are points over the holders' processor seconds while 16 members ask at
once: requests of 8 points show what a call costs, those of 512 (`_large`) what a point costs.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from client.exchange.doors import RemoteDoor
from client.exchange.holders import Asking
from shared.tokens.evaluation import blind
from shared.wire import keyholder_pb2 as wire
from tests.exchange_processes import CODES, Exchange
from tests.server.keyholder.key_holders import GROUP, transport_of

MEMBERS = 16
ASKING = Asking("rotation", "bench")
"""The purpose whose quota is not limited in `Exchange`."""


def measure(quick: bool) -> dict[str, float]:
    """`single_p50_ms`, `single_p99_ms`: a lookup from identifier to tag's input, blinding, two
    holders, checks. `evaluations_per_second_per_core`, `evaluations_per_second_per_core_large`:
    points a holder evaluates, its proof and disk included, with 16 members at once.
    """
    with tempfile.TemporaryDirectory() as name:
        exchange = Exchange(Path(name))
        try:
            p50, p99 = _single(exchange, 30 if quick else 1000)
            small = _rate(exchange, 8, 3 if quick else 60)
            large = _rate(exchange, 512, 1 if quick else 12)
        finally:
            for one in exchange.holders.values():
                one.stop()
    return {
        "single_p50_ms": p50,
        "single_p99_ms": p99,
        "evaluations_per_second_per_core": small,
        "evaluations_per_second_per_core_large": large,
    }


def _single(exchange: Exchange, lookups: int) -> tuple[float, float]:
    """Milliseconds of one lookup after another, by one lender over open connections."""
    times = []
    with exchange.lender() as (holders, _):
        for number in range(lookups + 5):
            start = time.perf_counter()
            holders.outputs([b"single %d" % number], ASKING)
            times.append((time.perf_counter() - start) * 1000)
    return tuple(float(one) for one in np.percentile(times[5:], [50, 99]))  # type: ignore[return-value]


def _rate(exchange: Exchange, size: int, requests: int) -> float:
    """Points over the processor seconds of all holders; each member sends so many requests to each
    holder. Blinding is done before: it is the lenders' work.
    """
    with exchange.lender(f"rate {size}") as (holders, _):
        keys = next(iter(holders.key_sets().values())).keys
    inputs = [b"%d" % number for number in range(size - 1)]
    points = blind(GROUP, keys, inputs, secrets.token_bytes).points.tobytes()
    quorums = {"K1": (1, 2), "K2": (2, 3), "K3": (1, 3)}

    def ask(doors: dict[str, RemoteDoor]) -> None:
        for _ in range(requests):
            for code in CODES:
                request = wire.EvaluateRequest(
                    request_id=secrets.token_bytes(16),
                    purpose=ASKING.purpose,
                    reference=ASKING.reference,
                    keys=keys.name,
                    quorum=quorums[code],
                    points=points,
                )
                doors[code].evaluate(request)

    with _members(exchange) as members:
        for doors in members:
            for door in doors.values():
                door.describe()  # connects
        before = sum(one.seconds() for one in exchange.holders.values())
        threads = [threading.Thread(target=ask, args=(doors,)) for doors in members]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        spent = sum(one.seconds() for one in exchange.holders.values()) - before
    return MEMBERS * requests * len(CODES) * size / max(spent, 0.01)


@contextmanager
def _members(exchange: Exchange) -> Iterator[list[dict[str, RemoteDoor]]]:
    """Connections of sixteen members to each holder."""
    members = []
    for number in range(MEMBERS):
        transport = transport_of(f"M{number:02}")
        members.append(
            {
                code: RemoteDoor(code, one.address, transport, seconds=60)
                for code, one in exchange.holders.items()
            }
        )
    try:
        yield members
    finally:
        for doors in members:
            for door in doors.values():
                door.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few of everything")
    print(json.dumps(measure(parser.parse_args().quick)))
