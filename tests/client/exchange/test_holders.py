"""A lender and its key holders: right outputs whoever fails, and whoever lies is named."""

from __future__ import annotations

import json
import logging
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from client.exchange.doors import HolderFailedError, RemoteDoor
from client.exchange.holders import Asking, Holders, TooFewHoldersError
from shared.tokens.evaluation import SUITE, Evaluation, Request
from shared.tokens.group import scalars_of
from shared.tokens.oprf import finalize
from shared.tokens.signed_evaluation import check_evaluation_signature, sign_evaluation
from shared.tokens.signed_keys import SignedKeys
from shared.wire import keyholder_pb2 as wire
from tests.dealt_keys import combine
from tests.identities import fixed_random
from tests.server.keyholder.key_holders import (
    CONTEXT,
    GROUP,
    TRUST,
    Local,
    LocalDoor,
    locals_of,
    relay_between,
    served,
    transport_of,
)

ASKING = Asking("portfolio", "job 1")
INPUTS = [f"{CONTEXT}|v1|phone|{number}".encode() for number in range(20)]


@pytest.fixture
def holders(tmp_path: Path) -> dict[str, Local]:
    return locals_of(tmp_path)


@pytest.fixture
def signed(holders: dict[str, Local]) -> SignedKeys:
    return relay_between(holders).generate()


def lender(holders: dict[str, Local], own: Path, **options: object) -> Holders:
    doors = {code: LocalDoor(one) for code, one in holders.items()}
    return Holders(
        doors,
        own,
        CONTEXT,
        TRUST,
        GROUP,
        fixed_random("lender"),
        pause=lambda seconds: None,
        **options,  # type: ignore[arg-type]
    )


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return tmp_path / "L01" / "own"


@pytest.fixture
def client(holders: dict[str, Local], signed: SignedKeys, own: Path) -> Iterator[Holders]:
    made = lender(holders, own)
    yield made
    made.close()


def expected(holders: dict[str, Local], keys: bytes, inputs: list[bytes] = INPUTS) -> np.ndarray:
    """What the whole key gives, which nobody has but this test."""
    shares = [one.holder.shares.active(keys) for one in holders.values()]
    key = combine({share.index: share.secret for share in shares[:2] if share})
    elements = GROUP.multiply(SUITE.hash_to_group(GROUP, inputs), scalars_of([key]))
    return finalize(inputs, elements)


def lying(holder: Local, *, rows: slice, every: bool = False):
    """Answers whose rows are other points, rightly signed; also when all have to be proven."""

    def wrong(request: wire.EvaluateRequest, reply: wire.EvaluateReply) -> wire.EvaluateReply:
        if request.every and not every:
            return reply
        points = np.frombuffer(reply.points, np.uint8).reshape(-1, 32).copy()
        points[rows] = points[::-1][rows]
        asked = np.frombuffer(request.points, np.uint8).reshape(-1, 32)
        sent = Request(request.keys, tuple(request.quorum), asked, request.every)
        answer = Evaluation(points, reply.proof)
        private = holder.holder.actor.identity.private
        signature = sign_evaluation(private, sent, answer)
        return wire.EvaluateReply(points=points.tobytes(), proof=reply.proof, signature=signature)

    return wrong


def test_outputs_are_the_keys_whatever_order_and_repeats(
    client: Holders, holders: dict[str, Local], signed: SignedKeys
) -> None:
    """Row by row what the whole key gives, also for inputs that stand there twice."""
    inputs = [INPUTS[3], INPUTS[1], INPUTS[3]]
    assert np.array_equal(
        client.outputs(inputs, ASKING), expected(holders, signed.keys.name, inputs)
    )
    assert client.outputs([], ASKING).shape == (0, 64)


def test_one_input_alone(client: Holders, holders: dict[str, Local], signed: SignedKeys) -> None:
    """A single lookup, which has no check row."""
    found = client.outputs(INPUTS[:1], ASKING)
    assert np.array_equal(found, expected(holders, signed.keys.name, INPUTS[:1]))


def test_large_books_go_in_batches_with_progress(
    holders: dict[str, Local], signed: SignedKeys, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More inputs than a request takes are asked in several, and told as they are done."""
    monkeypatch.setattr("client.exchange.holders.MOST_INPUTS", 7)
    done: list[int] = []
    left: list[tuple[str, int, tuple[str, ...]]] = []
    made = lender(
        holders,
        own,
        leaving=lambda asking, points, codes: left.append((asking.purpose, points, codes)),
    )
    found = made.outputs(INPUTS, ASKING, progress=done.append)
    made.close()
    assert np.array_equal(found, expected(holders, signed.keys.name))
    assert done == [7, 7, 6]
    assert [entry[:2] for entry in left] == [("portfolio", 8)] * 3
    assert {code for *_, codes in left for code in codes} == {"K1", "K2", "K3"}


def test_a_holder_killed_in_the_middle_costs_nothing(
    holders: dict[str, Local],
    signed: SignedKeys,
    own: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Batches under way go on with another quorum, are right, and are charged once at each."""
    monkeypatch.setattr("client.exchange.holders.MOST_INPUTS", 7)
    one = holders["K2"]

    def dies() -> None:
        one.down = one.calls >= 1

    one.before = dies
    made = lender(holders, own)
    with caplog.at_level(logging.WARNING, "lianfang.client"):
        found = made.outputs(INPUTS, ASKING)
    made.close()
    assert np.array_equal(found, expected(holders, signed.keys.name))
    assert "key holder K2: it does not answer; another one is asked" in caplog.text
    for code in ("K1", "K3"):
        used = holders[code].holder.quotas.used("L01", "portfolio")
        assert used <= 24, code


def test_too_few_holders_are_named(client: Holders, holders: dict[str, Local]) -> None:
    """With two of three gone the error says who and why; they come back and all goes on."""
    client.outputs(INPUTS, ASKING)
    holders["K1"].down = holders["K3"].down = True
    with pytest.raises(TooFewHoldersError, match="K1: it does not answer; K3: it does not answer"):
        client.outputs(INPUTS, ASKING)
    holders["K1"].down = False
    client.outputs(INPUTS, ASKING)


def test_a_used_up_quota_is_said_and_not_waited_for(tmp_path: Path, own: Path) -> None:
    """Enumeration through an honest client ends at the holders' quotas, by name."""
    limited = locals_of(tmp_path, quotas={"portfolio": 16})
    relay_between(limited).generate()
    made = lender(limited, own)
    for number in range(3):  # 3 holders x 16 points / (2 holders a request x 8 points)
        made.outputs([b"sequential %d" % number], ASKING)
    with pytest.raises(TooFewHoldersError, match="quota of 16 points a day for portfolio"):
        made.outputs([b"sequential 3"], ASKING)
    made.close()


def test_parts_under_way_are_given_when_another_fails(
    holders: dict[str, Local], signed: SignedKeys, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second of three at once fails: the first and the third are given, then the error; no
    other part is begun.
    """
    monkeypatch.setattr("client.exchange.holders.MOST_INPUTS", 2)
    made = lender(holders, own)
    usual, begun = made._part, []

    def part(inputs: list[bytes], *rest: object) -> np.ndarray:
        begun.append(INPUTS.index(inputs[0]))
        if inputs[0] == INPUTS[2]:
            raise TooFewHoldersError("gone")
        return usual(inputs, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(made, "_part", part)
    given = []

    def take_all() -> None:
        for inputs, outputs in made.in_parts(INPUTS, ASKING):
            assert np.array_equal(outputs, expected(holders, signed.keys.name, list(inputs)))
            given.append(INPUTS.index(inputs[0]))

    with pytest.raises(TooFewHoldersError, match="gone"):
        take_all()
    made.close()
    assert given == [0, 4]
    assert sorted(begun) == [0, 2, 4]


@pytest.mark.parametrize(("purpose", "most"), [("portfolio", 3), ("filing", 1), ("rotation", 1)])
def test_only_books_are_asked_for_in_several_requests_at_once(
    holders: dict[str, Local],
    signed: SignedKeys,
    own: Path,
    monkeypatch: pytest.MonkeyPatch,
    purpose: str,
    most: int,
) -> None:
    """Small quotas are not used up at different holders by requests that are then not answered."""
    monkeypatch.setattr("client.exchange.holders.MOST_INPUTS", 2)
    made = lender(holders, own)
    usual, begun, open_at_once = made._part, [], []
    given = 0

    def part(inputs: list[bytes], *rest: object) -> np.ndarray:
        begun.append(inputs)
        return usual(inputs, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(made, "_part", part)
    for _ in made.in_parts(INPUTS, Asking(purpose, "job 1")):
        given += 1
        open_at_once.append(len(begun) - given + 1)
    made.close()
    assert given == 10
    assert open_at_once[0] == 1
    assert max(open_at_once) <= most


@pytest.mark.parametrize("every", [False, True], ids=["once", "always"])
@pytest.mark.parametrize("rows", [slice(10, 50), slice(-1, None)], ids=["some", "checked"])
def test_a_lying_holder_is_named_with_its_signed_answer(
    client: Holders,
    holders: dict[str, Local],
    signed: SignedKeys,
    own: Path,
    rows: slice,
    every: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whether it lies in proven rows or others, once or always: outputs are right, the holder is
    named and not asked again, and its signature of the wrong answer is on disk.
    """
    liar = holders["K1"]
    liar.wrong = lying(liar, rows=rows, every=every)
    with caplog.at_level(logging.WARNING, "lianfang.client"):
        found = client.outputs(INPUTS, ASKING)
    assert np.array_equal(found, expected(holders, signed.keys.name))
    assert "key holder K1 answered wrongly" in caplog.text
    (path,) = (own / "evidence").glob("holder-K1-*.json")
    kept = json.loads(path.read_text())
    answer = kept["answers"][0]
    sent = Request(
        b64decode(answer["keys"]),
        tuple(answer["quorum"]),
        np.frombuffer(b64decode(answer["asked"]), np.uint8).reshape(-1, 32),
        answer["every"],
    )
    said = Evaluation(
        np.frombuffer(b64decode(answer["answered"]), np.uint8).reshape(-1, 32),
        b64decode(answer["proof"]),
    )
    public = liar.holder.actor.identity.member.public
    check_evaluation_signature(public, sent, said, b64decode(answer["signature"]))
    calls = liar.calls
    client.outputs(INPUTS[:2], ASKING)
    assert liar.calls == calls
    assert not any(text.decode() in path.read_text() for text in INPUTS)


def test_without_the_check_a_lie_would_be_believed(
    client: Holders,
    holders: dict[str, Local],
    signed: SignedKeys,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Positive control: with the sum check left out, the same lie gives wrong outputs."""
    holders["K1"].wrong = lying(holders["K1"], rows=slice(50, 60))
    monkeypatch.setattr("shared.tokens.evaluation._check_sum", lambda group, elements: None)
    found = client.outputs(INPUTS, ASKING)
    assert not np.array_equal(found, expected(holders, signed.keys.name))


def test_an_answer_not_signed_by_its_holder_is_no_answer(
    client: Holders, holders: dict[str, Local], signed: SignedKeys
) -> None:
    """So nothing can be put into a holder's mouth, and another quorum is asked."""
    holders["K1"].wrong = lambda request, reply: wire.EvaluateReply(
        points=reply.points, proof=reply.proof, signature=bytes(64)
    )
    found = client.outputs(INPUTS, ASKING)
    assert np.array_equal(found, expected(holders, signed.keys.name))


def test_over_tls_a_stopped_holder_is_replaced(tmp_path: Path, own: Path) -> None:
    """The whole way over mutual TLS: three of five, one of them stopped between two lookups."""
    with served(tmp_path, 3, 5) as (running, relay):
        relay.generate()
        transport = transport_of("L01")
        doors = {
            code: RemoteDoor(code, f"127.0.0.1:{one.port}", transport, seconds=20)
            for code, one in running.items()
        }
        made = Holders(doors, own, CONTEXT, TRUST, GROUP, fixed_random("tls"))
        before = made.outputs(INPUTS, ASKING)
        running.pop("K1").stop()
        assert np.array_equal(made.outputs(INPUTS, ASKING), before)
        with pytest.raises(HolderFailedError, match="does not answer"):
            doors["K1"].describe()
        made.close()
        for door in doors.values():
            door.close()
