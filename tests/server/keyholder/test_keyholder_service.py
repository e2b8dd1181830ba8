"""Key holders on loopback: who is answered over mutual TLS, and that nothing sent stops them."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from datetime import timedelta

import grpc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.exchange.doors import RemoteDoor
from client.tls import Transport, channel
from server.authority import create_authority
from server.keyholder import evaluating
from server.keyholder.service import MOST_BYTES, Serving, serve
from shared.errors import OperatorError, PeerError
from shared.secure_sum.encoding import text_of
from shared.tokens.group import InvalidPointError
from shared.tokens.signed_keys import SignedKeys, check_signed, read_signed
from shared.wire import keyholder_pb2 as wire
from shared.wire.keyholder_pb2_grpc import KeyHolderStub
from tests.identities import fixed_random
from tests.server.keyholder.key_holders import (
    CONTEXT,
    NOW,
    TRUST,
    make_folder,
    served,
    transport_of,
)
from tests.server.keyholder.test_evaluating import BASE, IDENTITY, NEGATIVE, NOT_CANONICAL, OFF

Served = tuple[dict[str, Serving], SignedKeys]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("served"), quotas={"dispute": 10**9}) as (holders, relay):
        yield holders, relay.generate()


def asking(running: Served, transport: Transport, code: str = "K1", to: str = "K1"):
    """A stub of `to`'s port, expecting it to be `code`."""
    opened = channel(f"127.0.0.1:{running[0][to].port}", code, transport)
    return opened, KeyHolderStub(opened)


@pytest.fixture(scope="module")
def stub(running: Served) -> Iterator[KeyHolderStub]:
    opened, made = asking(running, transport_of("L01"))
    yield made
    opened.close()


def request(running: Served, **changes: object) -> wire.EvaluateRequest:
    fields = {
        "request_id": os.urandom(16),
        "purpose": "dispute",
        "reference": "job 1",
        "keys": running[1].keys.name,
        "quorum": (1, 2),
        "points": BASE * 8,
    }
    return wire.EvaluateRequest(**(fields | changes))  # type: ignore[arg-type]


def status(call, *arguments) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call(*arguments, timeout=20)
    return caught.value.code(), caught.value.details()


def outcome(call, message) -> grpc.StatusCode | None:
    """None when there was an answer."""
    try:
        call(message, timeout=20)
    except grpc.RpcError as error:
        return error.code()
    return None


def test_a_ceremony_over_the_wire_makes_a_key_that_all_describe(running: Served) -> None:
    """Three holders apart, one relay: each shows the same key set, signed by all."""
    shown = []
    for code, one in running[0].items():
        door = RemoteDoor(code, f"127.0.0.1:{one.port}", transport_of("L01"))
        shown += [read_signed(text) for text in door.describe()]
        door.close()
    assert [signed.keys for signed in shown] == [running[1].keys] * 3
    for signed in shown:
        check_signed(signed, TRUST)


def test_a_lender_is_answered(running: Served, stub: KeyHolderStub) -> None:
    """Control for all refusals below: the same request by a lender's certificate."""
    reply = stub.Evaluate(request(running), timeout=20)
    assert (len(reply.points), len(reply.proof), len(reply.signature)) == (256, 64, 64)


@pytest.mark.parametrize("role", ["coordinator", "registry", "keyholder"])
def test_only_lenders_evaluate(running: Served, role: str) -> None:
    """Whoever runs the list or a ceremony gets no point multiplied."""
    opened, made = asking(running, transport_of("X1", role))
    code, _ = status(made.Evaluate, request(running))
    opened.close()
    assert code == grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize("role", ["lender", "registry"])
def test_only_operators_relay_ceremonies(running: Served, role: str) -> None:
    """A lender cannot begin or disturb one."""
    opened, made = asking(running, transport_of("X1", role))
    code, _ = status(made.Ceremony, wire.Step(move="status"))
    opened.close()
    assert code == grpc.StatusCode.PERMISSION_DENIED


def test_a_lender_brings_a_key_set_that_all_signed(running: Served) -> None:
    """Of a ceremony's steps lenders may do this one, which proves itself; nobody else may."""
    opened, made = asking(running, transport_of("L01"))
    step = wire.Step(move="activate", statements=[text_of(running[1])])
    assert made.Ceremony(step, timeout=20).state == "active"
    bad = wire.Step(move="activate", statements=[b"{}"])
    assert status(made.Ceremony, bad)[0] == grpc.StatusCode.INVALID_ARGUMENT
    for move in ("open", "deal", "confirm", "complain", "nonsense"):
        code, _ = status(made.Ceremony, wire.Step(move=move))
        assert code == grpc.StatusCode.PERMISSION_DENIED
    opened.close()
    opened, made = asking(running, transport_of("X1", "registry"))
    assert status(made.Ceremony, step)[0] == grpc.StatusCode.PERMISSION_DENIED
    opened.close()


def test_another_authoritys_certificate_is_refused(running: Served) -> None:
    """The connection fails before anything is read."""
    other = create_authority(CONTEXT, days=400, now=NOW, random=fixed_random("other"))
    opened, made = asking(running, transport_of("L01", authority=other))
    code, _ = status(made.Evaluate, request(running))
    opened.close()
    assert code == grpc.StatusCode.UNAVAILABLE


def test_an_expired_certificate_is_refused(running: Served) -> None:
    """A day past its end it is no longer answered."""
    old = transport_of("L01", now=NOW - timedelta(days=2), days=1)
    opened, made = asking(running, old)
    code, _ = status(made.Evaluate, request(running))
    opened.close()
    assert code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAUTHENTICATED)


def test_a_holder_is_believed_under_its_own_code_only(running: Served) -> None:
    """K2 in the place of K1 is not asked."""
    opened, made = asking(running, transport_of("L01"), code="K1", to="K2")
    code, _ = status(made.Evaluate, request(running))
    opened.close()
    assert code == grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize(
    "points",
    [
        b"",
        BASE,
        BASE * 9,
        BASE * 8 + b"\0",
        BASE * 7 + IDENTITY,
        OFF + BASE * 7,
        BASE * 7 + NOT_CANONICAL,
        BASE * 7 + NEGATIVE,
        BASE * 8192,
    ],
    ids=["none", "one", "nine", "cut", "identity", "off", "large", "negative", "oversized"],
)
def test_bad_points_have_one_status_and_one_sentence(
    running: Served, stub: KeyHolderStub, points: bytes
) -> None:
    """Nothing tells what was wrong."""
    said = status(stub.Evaluate, request(running, points=points))
    assert said == (grpc.StatusCode.INVALID_ARGUMENT, InvalidPointError().what)


def test_an_oversized_batch_is_refused_before_it_is_read(
    running: Served, stub: KeyHolderStub
) -> None:
    """By the size of the message alone."""
    code, _ = status(stub.Evaluate, request(running, points=bytes(MOST_BYTES)))
    assert code == grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("role", ["coordinator", "registry", "keyholder"])
def test_who_may_not_evaluate_is_refused_before_its_request(running: Served, role: str) -> None:
    """So it cannot hold a thread with a request that does not come."""
    end = threading.Event()
    opened, _ = asking(running, transport_of("X1", role))
    call = opened.stream_unary("/lianfang.keyholder.v1.KeyHolder/Evaluate")
    with pytest.raises(grpc.RpcError) as caught:
        call.future(iter(lambda: end.wait() or b"", None)).result(timeout=5)
    end.set()
    opened.close()
    assert caught.value.code() == grpc.StatusCode.PERMISSION_DENIED


BYTES = st.binary(max_size=80)


@settings(max_examples=60)
@given(
    id=st.one_of(BYTES, st.binary(min_size=16, max_size=16)),
    purpose=st.one_of(st.text(max_size=20), st.just("dispute")),
    reference=st.text(max_size=70),
    quorum=st.lists(st.integers(0, 2**32 - 1), max_size=5) | st.just([1, 2]),
    every=st.booleans(),
    points=st.one_of(BYTES, st.binary(min_size=256, max_size=256), st.just(BASE * 8)),
    known=st.booleans(),
)
def test_whatever_is_asked_the_holder_keeps_serving(
    running: Served, stub: KeyHolderStub, id, purpose, reference, quorum, every, points, known
) -> None:
    """Fuzzed requests end in a named status or an answer, never in an error of the holder's own."""
    asked = wire.EvaluateRequest(
        request_id=id,
        purpose=purpose,
        reference=reference,
        keys=running[1].keys.name if known else id,
        quorum=quorum,
        every=every,
        points=points,
    )
    assert outcome(stub.Evaluate, asked) in (
        None,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.ALREADY_EXISTS,
    )
    assert stub.Evaluate(request(running), timeout=20).points


@settings(max_examples=40)
@given(raw=st.binary(max_size=300), method=st.sampled_from(["Evaluate", "Ceremony", "Describe"]))
def test_bytes_that_are_no_message_do_no_harm(running: Served, stub: KeyHolderStub, raw, method):
    """Whatever bytes come in a call's place, the next call is answered."""
    opened, _ = asking(running, transport_of("C1", "coordinator"))
    call = opened.unary_unary(f"/lianfang.keyholder.v1.KeyHolder/{method}")
    assert outcome(call, raw) != grpc.StatusCode.UNAVAILABLE
    opened.close()
    assert stub.Evaluate(request(running), timeout=20).points


def test_many_members_at_once_are_charged_exactly(running: Served) -> None:
    """Eight members with five requests each: every point is on its member's account."""
    opened = [asking(running, transport_of(f"M{number}")) for number in range(8)]

    def ask(made: KeyHolderStub) -> None:
        for _ in range(5):
            made.Evaluate(request(running), timeout=30)

    threads = [threading.Thread(target=ask, args=(made,)) for _, made in opened]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    quotas = running[0]["K1"].holder.quotas
    assert [quotas.used(f"M{n}", "dispute") for n in range(8)] == [40] * 8
    for channel_, _ in opened:
        channel_.close()


def test_an_error_of_our_own_says_nothing(
    running: Served, stub: KeyHolderStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its text stays in the holder's log, and the next call is answered."""

    def broken(*arguments: object) -> None:
        raise ValueError("secret 4711")

    with monkeypatch.context() as patch:
        patch.setattr(evaluating, "evaluate", broken)
        said = status(stub.Evaluate, request(running))
    assert said == (grpc.StatusCode.INTERNAL, "an error of this holder")
    assert stub.Evaluate(request(running), timeout=20).points


def test_a_holder_starts_only_in_its_own_place(running: Served, tmp_path) -> None:
    """Not among the holders of its settings, or on a taken port: the error says so."""
    folder = make_folder(tmp_path / "K9", "K9", ["K1", "K2"])
    with pytest.raises(OperatorError, match="not among the holders"):
        serve(folder, "127.0.0.1:0")
    taken = make_folder(tmp_path / "K1", "K1", ["K1", "K2"])
    with pytest.raises(OperatorError, match="cannot be served"):
        serve(taken, f"127.0.0.1:{running[0]['K1'].port}")


def test_addresses_must_be_of_all_holders(tmp_path) -> None:
    """A relay that is missing one says so before anything is sent."""
    from server.keyholder.ceremony import relay_of
    from shared.tokens.ceremony_checks import Terms
    from tests.server.keyholder.key_holders import operator

    terms = Terms(CONTEXT, 2, ("K1", "K2"))
    with pytest.raises(OperatorError, match="one address for each holder"):
        relay_of(operator(tmp_path), terms, {"K1": "x:1"}, TRUST, os.urandom)
    assert PeerError
