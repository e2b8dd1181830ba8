"""Any bytes in any method of both services: they keep serving, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from client.tls import channel
from shared.secure_sum.encoding import text_of
from shared.wire import keyholder_pb2, registry_pb2
from tests.blacklist_members import AUTHORITY as LIST_AUTHORITY
from tests.blacklist_members import REGISTRY, Lender
from tests.exchange_processes import Exchange, Process, founded, registry_at
from tests.server.keyholder.key_holders import transport_of
from tests.server.keyholder.test_evaluating import BASE

KEYHOLDER, LIST = "/lianfang.keyholder.v1.KeyHolder/", "/lianfang.registry.Registry/"
MOST_MEMORY = 200 << 20
LARGE = [bytes(150_000), b"\x0a\x02{}" * 30_000, b"\x0a\xff\xff\xff\xff\x0f" * 900, bytes(2 << 20)]
RAW = st.binary(max_size=400) | st.sampled_from(LARGE)


def changed(message: bytes) -> st.SearchStrategy[bytes]:
    """A right message with some bytes replaced, cut out or put in, so that it gets further."""

    def change(at: int, gone: int, put: bytes) -> bytes:
        return message[: at % len(message)] + put + message[at % len(message) + gone :]

    return st.builds(change, st.integers(0, 1 << 16), st.integers(0, 40), st.binary(max_size=40))


def call(opened: grpc.Channel, method: str, body: bytes) -> None:
    """Whatever comes back is read."""
    with suppress(grpc.RpcError):
        list(opened.unary_stream(method)(body, timeout=20))


class Fuzzed:
    """A service and ways into it; how much memory it had at first."""

    def __init__(self, process: Process, code: str, transports: list[Any]) -> None:
        self.process = process
        self.channels = [channel(process.address, code, one) for one in transports]
        self.before = process.memory()

    def check(self) -> None:
        """It is the process it was, and has not grown."""
        assert self.process.running.poll() is None
        assert self.process.memory() - self.before < MOST_MEMORY

    def close(self) -> None:
        for one in self.channels:
            one.close()


@pytest.fixture
def holder(exchange: Exchange) -> Iterator[Fuzzed]:
    """K1, asked by a lender and by the coordinator."""
    transports = [transport_of("L01"), transport_of("C1", "coordinator")]
    fuzzed = Fuzzed(exchange.holders["K1"], "K1", transports)
    yield fuzzed
    fuzzed.close()


@pytest.fixture
def registry(tmp_path: Path, list_url: str) -> Iterator[Fuzzed]:
    """A registry with an entry over either kind of database, asked by a lender."""
    with (
        registry_at(tmp_path / "REG", tmp_path / "REG.log", list_url) as process,
        founded(tmp_path, process) as one,
    ):
        assert one.client.submit([one.filing("somebody")])[0].receipt
        transport = transport_of("L01", authority=LIST_AUTHORITY, trusting=LIST_AUTHORITY)
        fuzzed = Fuzzed(process, REGISTRY, [transport])
        yield fuzzed
        fuzzed.close()


REQUEST = keyholder_pb2.EvaluateRequest(
    request_id=bytes(16),
    purpose="rotation",
    reference="job",
    keys=bytes(32),
    quorum=(1, 2),
    points=BASE * 8,
).SerializeToString()
STEP = keyholder_pb2.Step(move="deal", statements=[b'{"a":1}'] * 3).SerializeToString()


@settings(
    max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    method=st.sampled_from(["Describe", "Evaluate", "Ceremony"]),
    body=RAW | changed(REQUEST) | changed(STEP),
    caller=st.integers(0, 1),
)
def test_a_holder_keeps_serving_whatever_comes(
    holder: Fuzzed, method: str, body: bytes, caller: int
) -> None:
    """Each method, by both who may ask: the next call is answered, memory grows by less than
    200 MB over all of it.
    """
    call(holder.channels[caller], KEYHOLDER + method, body)
    describe = holder.channels[0].unary_unary(KEYHOLDER + "Describe")
    assert keyholder_pb2.Description.FromString(describe(b"", timeout=20)).keys
    holder.check()


LENDER = Lender.of("L01")
EVENT = text_of(LENDER.file(LENDER.entry("fuzzed", day=date.today())))
SUBMIT = registry_pb2.SubmitRequest(events=[EVENT, b"{}"]).SerializeToString()


@settings(
    max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    method=st.sampled_from(["Submit", "Latest", "Snapshot", "Delta", "Own", "Waiting"]),
    body=RAW | changed(SUBMIT),
)
def test_a_registry_keeps_serving_whatever_comes(
    registry: Fuzzed, method: str, body: bytes
) -> None:
    """The same for each of its methods; the list is what it was."""
    call(registry.channels[0], LIST + method, body)
    latest = registry.channels[0].unary_unary(LIST + "Latest")
    assert registry_pb2.CheckpointReply.FromString(latest(b"", timeout=20)).checkpoint
    registry.check()
