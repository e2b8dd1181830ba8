"""What the coordinator sends to a lender's SuperNode is bounded while it comes."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flwr.app import RecordDict
from flwr.common.serde import message_from_proto
from flwr.proto.message_pb2 import PullObjectRequest, PullObjectResponse
from flwr.supercore.fab import Fab
from flwr.supercore.object_store import ObjectStoreFactory
from flwr.supercore.run import Run
from flwr.supernode import start_client_internal as loop
from flwr.supernode.fleet_http_client import FleetHttpClient
from flwr.supernode.nodestate import NodeStateFactory
from flwr.supernode.start_client_internal import _pull_and_store_message

from client.node import bounded_answers, supernode
from client.node.bounded_answers import KeptAnswers, OneQuestion, TooMuchError, with_bounds
from client.node.supernode import Pace
from shared.wire.bounds import MOST_PARTS, MOST_SMALL
from tests.client.node.asked_node import AskedNode

MOST = 100_000


class Coordinator(BaseHTTPRequestHandler):
    """Answers `length` zeros as a part; `sent`: how many it got rid of; `head`: of the answer."""

    length = 0
    status = 200
    head: tuple[tuple[str, str], ...] = ()
    sent = 0

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        part = PullObjectResponse(object_found=True, object_available=True)
        part.object_content = bytes(self.length)
        content = part.SerializeToString()
        self.send_response(self.status)
        for name, value in (*self.head, ("content-length", str(len(content)))):
            self.send_header(name, value)
        self.end_headers()
        for start in range(0, len(content), MOST):
            self.wfile.write(content[start : start + MOST])
            type(self).sent += MOST

    def log_message(self, *told: Any) -> None:
        """Nothing."""


@pytest.fixture
def coordinator(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[type[Coordinator], str]]:
    """A server on loopback, and its address."""
    monkeypatch.setattr(bounded_answers, "MOST_ANSWER", MOST)

    class Own(Coordinator):
        pass

    server = HTTPServer(("127.0.0.1", 0), Own)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield Own, f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


def _asked(client: type[Any], address: str) -> int:
    """Bytes of a part that the client fetches there."""
    with client.from_server_address(address, True, None, interceptors=[]) as asking:
        return len(asking.PullObject(PullObjectRequest()).object_content)


def test_an_answer_is_given_up_at_the_first_byte_too_many(
    coordinator: tuple[type[Coordinator], str],
) -> None:
    """Long before its end; control: Flower's own client takes all of it, and ours what fits."""
    answers, address = coordinator
    answers.length = 40_000_000
    with pytest.raises(TooMuchError, match="more than 100000 bytes"):
        _asked(with_bounds(FleetHttpClient), address)
    assert answers.sent < answers.length / 2
    assert _asked(FleetHttpClient, address) == answers.length
    answers.length = MOST - 100
    assert _asked(with_bounds(FleetHttpClient), address) == answers.length


@pytest.mark.parametrize(
    ("status", "head"),
    [(200, (("content-encoding", "gzip"),)), (307, (("location", "http://127.0.0.1:9/"),))],
)
def test_an_answer_is_neither_unpacked_nor_looked_for_elsewhere(
    status: int, head: tuple[tuple[str, str], ...], coordinator: tuple[type[Coordinator], str]
) -> None:
    """Flower's own client would do either: it fails at what it finds there."""
    answers, address = coordinator
    answers.status, answers.head, answers.length = status, head, 10
    with pytest.raises(TooMuchError, match="packed, or to be had elsewhere"):
        _asked(with_bounds(FleetHttpClient), address)
    with pytest.raises(Exception, match=r"decompress|refused"):
        _asked(FleetHttpClient, address)


Bound = Callable[[OneQuestion, Callable[[], bytes]], bytes]
_OURS: Bound = OneQuestion.fetched
_FLOWERS: Bound = lambda _, fetch: fetch()  # noqa: E731


@pytest.mark.parametrize(("bound", "kept"), [(_OURS, False), (_FLOWERS, True)])
@pytest.mark.parametrize("much", ["bytes", "parts"])
def test_a_question_that_is_too_large_is_not_kept(
    much: str, bound: Bound, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its parts are small each; nothing of it stays. Control: without the bound all of it does."""
    monkeypatch.setattr(bounded_answers, "MOST_REPLY", 50_000)
    node, question = AskedNode(RecordDict()), OneQuestion()
    number, size = (6, 10_000) if much == "bytes" else (MOST_PARTS + 1, 1)
    node.parts |= {f"{one:064x}": b"x" * size for one in range(number)}
    factory = NodeStateFactory(objectstore_factory=ObjectStoreFactory())
    state, store = factory.state(), factory.objectstore_factory.store()
    state.set_node_id(7)
    monkeypatch.setattr(store, "put", lambda name, content: put.append(name))
    put: list[str] = []
    state.store_run(Run.create_empty(11))
    answer = node.PullMessages(None)

    def received() -> Any:
        message = message_from_proto(answer.messages_list[0])
        message.metadata.__dict__["_message_id"] = node.number
        return message, answer.message_object_trees[0]

    _pull_and_store_message(
        state=state,
        object_store=store,
        node_config={},
        receive=received,
        get_run=lambda run: Run.create_empty(run),
        get_fab=lambda digest, run: None,  # type: ignore[arg-type, return-value]
        pull_object=lambda run, name: bound(question, lambda: node.parts[name]),
        confirm_message_received=lambda run, name: node.confirmed.append(name),
        trusted_entities=None,
    )
    assert (bool(put), bool(node.confirmed), len(state.msg_store)) == (kept, kept, int(kept))


def test_the_loop_of_the_supernode_goes_on_after_too_much(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What it is told of a question may be too much as well; each question is counted anew."""
    monkeypatch.setattr(supernode, "_await_gate", lambda *_: None)
    monkeypatch.setattr(supernode, "_taken_back", lambda *_: False)
    told: list[Any] = ["first", "second", TooMuchError("too much")]

    def receive() -> Any:
        one = told.pop(0)
        if isinstance(one, Exception):
            raise one
        return one

    @contextmanager
    def flowers(*given: Any) -> Iterator[tuple[Any, ...]]:
        yield 7, receive, "send", "run", "fab", lambda run, name: b"x", "push", "confirm"

    place: Any = SimpleNamespace(registered=tmp_path / "registered")
    with supernode._connected(flowers, place, Pace())("gate", False, b"", None) as given:
        _, received, _, _, _, pull, push, confirm = given
        for question in ("first", "second"):
            assert received() == question
            assert [pull(11, "name") for _ in range(MOST_PARTS)] == [b"x"] * MOST_PARTS
            with pytest.raises(TooMuchError, match="more than 64 parts"):
                pull(11, "name")
        assert received() is None
    assert "no question was taken: too much" in caplog.text
    assert (push, confirm) == ("push", "confirm")


class Told:
    """What a coordinator says of runs; `answers`: of get_run and get_fab, or what they raise."""

    def __init__(self, run: Any, fab: Any) -> None:
        self.answers = [run, fab]

    def run(self, number: int) -> Any:
        return self._given(self.answers[0])

    def fab(self, digest: str, number: int) -> Any:
        return self._given(self.answers[1])

    def _given(self, one: Any) -> Any:
        if isinstance(one, Exception):
            raise one
        return one


def _run(bundle: bytes = b"ours") -> Run:
    found = Run.create_empty(11)
    found.fab_hash = hashlib.sha256(bundle).hexdigest()
    return found


def _fab(content: bytes = b"ours", says: bytes = b"ours") -> Fab:
    return Fab(hashlib.sha256(says).hexdigest(), content, {})


GOOD = (_run(), _fab())
LIES: list[tuple[Any, Any]] = [
    (TooMuchError("too much"), _fab()),
    (_run(), TooMuchError("too much")),
    (ValueError("Invalid protobuf response payload"), _fab()),
    (_run(), _fab(content=b"others")),
    (_run(), _fab(content=b"others", says=b"others")),
]


@contextmanager
def _flowers_loop(told: Told, monkeypatch: pytest.MonkeyPatch, ours: bool) -> Iterator[Any]:
    """A step of Flower's loop with `told`, through our connection or as Flower's own."""
    monkeypatch.setattr(supernode, "_await_gate", lambda *_: None)
    monkeypatch.setattr(supernode, "_taken_back", lambda *_: False)
    node = AskedNode(RecordDict())
    factory = NodeStateFactory(objectstore_factory=ObjectStoreFactory())
    state, store = factory.state(), factory.objectstore_factory.store()
    state.set_node_id(7)

    def receive() -> Any:
        answer = node.PullMessages(None)
        message = message_from_proto(answer.messages_list[0])
        message.metadata.__dict__["_message_id"] = node.number
        return message, answer.message_object_trees[0]

    @contextmanager
    def flowers(*given: Any) -> Iterator[tuple[Any, ...]]:
        pull = lambda run, name: node.parts[name]  # noqa: E731
        yield 7, receive, "send", told.run, told.fab, pull, "push", lambda *_: None

    place: Any = SimpleNamespace(registered=Path(os.devnull))
    monkeypatch.setattr(supernode, "write_whole", lambda *_: None)
    connect: Any = supernode._connected(flowers, place, Pace()) if ours else flowers
    with connect("gate", False, b"", None) as given:
        _, received, _, get_run, get_fab, pull, _, confirm = given

        def step() -> Any:
            return _pull_and_store_message(
                state=state, object_store=store, node_config={}, receive=received,
                get_run=get_run, get_fab=get_fab, pull_object=pull,
                confirm_message_received=confirm, trusted_entities=None,
            )  # fmt: skip

        monkeypatch.setattr(loop, "get_fused_config_from_fab", lambda *given: {})
        yield step


@pytest.mark.parametrize("lie", LIES)
def test_what_is_told_of_a_run_does_not_end_the_supernode(
    lie: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The question is left and the next one is taken. Control: Flower's own loop ends, or keeps a
    run whose bundle it does not have.
    """
    told = Told(*lie)
    with _flowers_loop(told, monkeypatch, ours=True) as step:
        assert step() is None
        told.answers = list(GOOD)
        assert step() == 11
    told = Told(*lie)
    with _flowers_loop(told, monkeypatch, ours=False) as step:
        if lie is LIES[-1]:
            assert step() == 11
            return
        with pytest.raises((TooMuchError, ValueError)):
            step()


def test_a_question_that_cannot_be_read_does_not_end_the_supernode(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Only the kind of error is told. Control: Flower's own loop ends at it."""
    for ours in (True, False):
        with _flowers_loop(Told(*GOOD), monkeypatch, ours=ours) as step:
            monkeypatch.setattr(AskedNode, "PullMessages", _strange)
            if ours:
                assert step() is None
                assert "IndexError" in caplog.text
                assert "secret" not in caplog.text
            else:
                with pytest.raises(IndexError):
                    step()


def _strange(node: Any, request: Any) -> Any:
    raise IndexError("secret")


@pytest.mark.parametrize(("call", "most"), [("run", MOST_SMALL), ("bundle", 10_000 + MOST_SMALL)])
def test_what_is_told_of_runs_and_bundles_is_bounded_as_it_comes(
    call: str,
    most: int,
    coordinator: tuple[type[Coordinator], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """More tightly than a question's part. Control: as a part the same bytes are taken."""
    answers, address = coordinator
    monkeypatch.setattr(bounded_answers, "MOST_BUNDLE", 10_000)
    monkeypatch.setattr(bounded_answers, "MOST_ANSWER", 1_000_000)
    answers.length = most + 1
    client, kept = with_bounds(FleetHttpClient), KeptAnswers()

    def fetch() -> int:
        return _asked(client, address)

    asked = {"run": lambda: kept.run(fetch), "bundle": lambda: kept.bundle("", fetch)}[call]
    with pytest.raises(TooMuchError, match=f"more than {most} bytes"):
        asked()
    assert _asked(client, address) == answers.length


def test_what_is_kept_of_runs_and_bundles_is_bounded_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that comes again takes no more room; the first ones are the control."""
    monkeypatch.setattr(bounded_answers, "MOST_KEPT", 3 * MOST_SMALL)
    kept = KeptAnswers()

    def bundle(letter: bytes) -> None:
        content = letter * MOST_SMALL
        digest = hashlib.sha256(content).hexdigest()
        kept.bundle(digest, lambda: _fab(content, content))

    for letter in (b"a", b"b", b"a", b"b"):
        bundle(letter)
    kept.run(_run)
    bundle(b"a")
    with pytest.raises(TooMuchError, match="start it again"):
        bundle(b"c")
    with pytest.raises(TooMuchError, match="start it again"):
        kept.run(_run)


def test_parts_that_many_threads_fetch_are_bounded_together_while_they_come(
    coordinator: tuple[type[Coordinator], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """None of the answers is too large, nor is any part whole when all of them are given up.
    Control: the same answers, of no question, are all taken.
    """
    answers, address = coordinator
    answers.length = MOST - 100
    monkeypatch.setattr(bounded_answers, "MOST_REPLY", 50_000)
    monkeypatch.setattr(bounded_answers, "MOST_PARTS", 4)
    monkeypatch.setattr(bounded_answers, "MOST_SMALL", 10_000)
    question, kept = OneQuestion(), list[bytes]()
    asking = with_bounds(FleetHttpClient)

    def part() -> bytes:
        content = bytes(_asked(asking, address))
        kept.append(content)
        return content

    with pytest.raises(TooMuchError, match="more than 50000 bytes"):
        question.fetched(part)
    assert not kept
    assert len(part()) == answers.length
