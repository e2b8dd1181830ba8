"""One lookup end to end, and what a key holder does a second, over mutual TLS.

    python tests/bench/tokens_single.py [--quick]

Three key holders, of whom two answer, as processes of their own on loopback; one person a lookup,
eight points a request, every charge synced to the disk. A lookup is all that a lender does: the
canonical form, blinding, two holders, checks, the encrypted cache, its own copy of a list of a
million rows, the record of every second person opened, the answer. p50 and p99 are by the clock, so
they want a quiet machine. Evaluations are points over the holders' processor seconds while 16
members ask at once: requests of 8 points show what a call costs, those of 512 (`_large`) what a
point costs.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from client.exchange.cache import TokenCache
from client.exchange.doors import RemoteDoor
from client.exchange.holders import Asking, Holders
from client.exchange.index import ListIndex
from client.exchange.screening import Screener, Source
from shared.blacklist.entry import SubjectRole
from shared.blacklist.reasons import Confidence, ListClass, ReasonClass
from shared.blacklist.record import Record
from shared.blacklist.rows import Changes, Row
from shared.tokens.evaluation import blind
from shared.tokens.identifiers import canonical, token_input
from shared.tokens.tags import seal, seal_key, tags_of
from shared.wire import keyholder_pb2 as wire
from tests.bench.lookup import random_rows
from tests.exchange_processes import CODES, Exchange
from tests.server.keyholder.key_holders import CONTEXT, GROUP, transport_of

MEMBERS = 16
WARM = 5
TODAY = date(2026, 1, 1)
RECORD = Record(
    list_class=ListClass.FRAUD_CONFIRMED,
    reason_class=ReasonClass.THIRD_PARTY,
    severity=2,
    confidence=Confidence.CONFIRMED,
    event_end=TODAY,
    role=SubjectRole.SUBJECT,
    mark=bytes(range(32)),
)
ASKING = Asking("rotation", "bench")
"""The purpose whose quota is not limited in `Exchange`."""


def measure(quick: bool) -> dict[str, float]:
    """`single_p50_ms`, `single_p99_ms`: a lookup from what was typed to the answer.

    `evaluations_per_second_per_core`, `evaluations_per_second_per_core_large`: points a holder
    evaluates, its proof and disk included, with 16 members at once.
    """
    with tempfile.TemporaryDirectory() as name:
        exchange = Exchange(Path(name))
        try:
            p50, p99 = _single(exchange, *((30, 10_000) if quick else (1000, 1_000_000)))
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


def _single(exchange: Exchange, lookups: int, rows: int) -> tuple[float, float]:
    """Milliseconds of one lookup after another, by one lender over open connections, against a list
    of `rows` rows and every second person.
    """
    persons = [str(13_800_000_000 + number) for number in range(lookups + WARM)]
    times, hits = [], 0
    with exchange.lender() as (holders, _):
        listed = _listed(holders, persons[::2])
        index = ListIndex(exchange.home / "list")
        index.replace(random_rows(rows, np.random.default_rng(1)), 1)
        index.apply(Changes(tuple(sorted(listed))), 2)
        cache = TokenCache(exchange.home / "tokens", 1)
        ask = partial(holders.in_parts, asking=ASKING, epoch=1)
        screener = Screener(CONTEXT, index, [Source(1, cache, ask)], today=TODAY)
        for person in persons:
            start = time.perf_counter()
            answer = screener.look_up({"phone": person})
            times.append((time.perf_counter() - start) * 1000)
            hits += answer is not None
    if hits != len(listed):
        raise AssertionError("every second person is on the list")
    p50, p99 = np.percentile(times[WARM:], [50, 99])
    return float(p50), float(p99)


def _listed(holders: Holders, persons: Sequence[str]) -> list[Row]:
    """Rows of these persons, sealed for whoever knows them."""
    inputs = [token_input(CONTEXT, canonical("phone", one, today=TODAY)) for one in persons]
    outputs = holders.outputs(inputs, ASKING, epoch=1)
    tags = [tag.tobytes() for tag in tags_of(outputs, 1)]
    return [
        Row(tag, seal(seal_key(output), RECORD.text(), tag, secrets.token_bytes), 1)
        for tag, output in zip(tags, outputs, strict=True)
    ]


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
