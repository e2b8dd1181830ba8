"""A lender and a registry over real mutual TLS: submit, sync, forks; and what must not pass."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest

from client.exchange.index import ListIndex
from client.exchange.refiling import refile
from client.exchange.registry import RegistryClient
from server.actor import read_actor
from shared.blacklist.checkpoint import Checkpoint, ForkError, read_checkpoint
from shared.blacklist.rows import PAGE_BYTES, Row
from shared.blacklist.state import EntryState
from shared.errors import OperatorError, PeerError
from shared.secure_sum.encoding import text_of
from shared.wire import registry_pb2 as wire
from tests.blacklist_members import AUTHORITY, FOUNDED, REGISTRY, token
from tests.client.exchange.served_exchange import Exchange
from tests.identities import fixed_random


@pytest.fixture
def exchange(tmp_path: Path, list_url: str) -> Iterator[Exchange]:
    """Served on loopback, over each kind of database."""
    exchange = Exchange(tmp_path, list_url)
    yield exchange
    exchange.close()


def file_some(exchange: Exchange, client: RegistryClient, *subjects: str) -> list[Any]:
    """Active entries of L01."""
    filed = [exchange.a.file(exchange.a.entry(subject)) for subject in subjects]
    approved = [exchange.a.approve(one) for one in filed]
    assert all(answer.receipt for answer in client.submit([*filed, *approved]))
    return filed


def test_a_member_follows_the_list(exchange: Exchange) -> None:
    """Snapshot first, deltas after; the index holds what the registry published, version by
    version, and says which tags changed.
    """
    one, two = exchange.found()
    filed = file_some(exchange, one, *[f"s{number}" for number in range(70)])
    exchange.publish()
    index = exchange.index("L02")
    first = two.sync(index)
    assert (first.rows, first.touched, first.epochs) == (70, None, (1,))
    one.submit([exchange.a.withdraw(filed[0].entry.entry_id)])
    exchange.publish()
    two.submit([exchange.b.dispute(filed[1])])
    exchange.publish()
    second = two.sync(index)
    assert second.version >= first.version + 1
    assert second.touched == {one.entry.tokens[0].token for one in filed[:2]}
    assert index.rows() == [
        row for row in exchange.served.registry.snapshot() if isinstance(row, Row)
    ]
    assert two.sync(index) == replace(second, touched=frozenset())
    exchange.clock.forward(days=4)
    assert two.sync(index).stale


class Cut(grpc.UnaryUnaryClientInterceptor):  # type: ignore[misc]
    """A network that loses requests or answers of Submit."""

    def __init__(self, plan: list[str]) -> None:
        self.plan = plan
        self.sizes: list[int] = []

    def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        """Lose what the plan says, in turn."""
        if not details.method.endswith("/Submit"):
            return continuation(details, request)
        self.sizes.append(request.ByteSize())
        what = self.plan.pop(0) if self.plan else "pass"
        if what == "lose request":
            raise Lost
        answer = continuation(details, request)
        if what == "lose answer":
            answer.result()
            raise Lost
        return answer


class Lost(grpc.RpcError, grpc.Call):  # type: ignore[misc]
    """What gRPC raises when the way is down."""

    def code(self) -> grpc.StatusCode:
        """UNAVAILABLE."""
        return grpc.StatusCode.UNAVAILABLE

    def details(self) -> str:
        """Nothing."""
        return ""


for _name in Lost.__abstractmethods__:
    setattr(Lost, _name, lambda self, *rest: None)
Lost.__abstractmethods__ = frozenset()


def test_lost_requests_and_answers_file_nothing_twice(exchange: Exchange) -> None:
    """Retried under one name; all requests have few sizes."""
    exchange.found()
    cut = Cut(["lose request", "lose answer", "pass", "lose answer"])
    client = exchange.client("L01", grpc.intercept_channel(exchange.open("L01"), cut))
    file_some(exchange, client, "s", "t", "u")
    assert len(client.own()) == 3
    assert {size % 16_384 for size in cut.sizes} == {0}


def test_an_interrupted_submission_is_sent_after_the_restart(exchange: Exchange) -> None:
    """Kept before it is sent: whether or not the registry had it already."""
    exchange.found()
    for plan in (["lose request"], ["lose answer"]):
        cut = grpc.intercept_channel(exchange.open("L01"), Cut(list(plan)))
        filed = exchange.a.file(exchange.a.entry(plan[0]))
        with pytest.raises(OperatorError, match="cannot be reached"):
            exchange.client("L01", cut, attempts=1).submit([filed])
        again = exchange.client("L01")
        assert again.send_pending() == 1
        assert again.send_pending() == 0
    assert len(again.own()) == 2


def test_a_registry_that_restarts_answers_the_same(exchange: Exchange) -> None:
    """Own folder, own database, the same list."""
    one, _ = exchange.found()
    file_some(exchange, one, "s")
    exchange.publish()
    exchange.served.stop()
    with pytest.raises(OperatorError, match="cannot be reached"):
        exchange.client("L01", attempts=1).own()
    exchange.start()
    assert len(exchange.client("L01").own()) == 1
    assert exchange.client("L02").sync(exchange.index("L02")).rows == 1


class Scripted:
    """A registry that says what it likes, behind the stub's interface."""

    def __init__(self, honest: Any, **answers: Any) -> None:
        self.honest, self.answers = honest, answers

    def __getattr__(self, name: str) -> Any:
        return self.answers.get(name) or getattr(self.honest, name)


def lying(exchange: Exchange, code: str, **answers: Any) -> RegistryClient:
    """A lender's end of a registry that lies in these calls."""
    client = exchange.client(code)
    client._stub = Scripted(client._stub, **answers)
    return client


def forged(exchange: Exchange, checkpoint: Checkpoint, **other: Any) -> Checkpoint:
    """Signed with the registry's own key."""
    actor = read_actor(exchange.home / "REG", "registry", FOUNDED)
    return replace(checkpoint, **other).signed(actor.identity.private)


def latest(exchange: Exchange) -> Checkpoint:
    """The honest registry's last checkpoint."""
    found = exchange.served.registry.latest()
    assert found is not None
    return found


def test_a_split_view_is_refused_and_kept(exchange: Exchange) -> None:
    """The same version with another head: nothing changes, and both signed checkpoints are on the
    disk, enough for anybody to verify. Without the fork the same sync passes (control).
    """
    one, two = exchange.found()
    file_some(exchange, one, "s")
    exchange.publish()
    index = exchange.index("L02")
    before = two.sync(index)
    fork = forged(exchange, latest(exchange), rows=7)
    liar = lying(
        exchange,
        "L02",
        Latest=lambda *_, **__: wire.CheckpointReply(checkpoint=text_of(fork)),
    )
    with pytest.raises(ForkError, match="contradicts"):
        liar.sync(index)
    (path,) = exchange.known("L02").evidence()
    kept = json.loads(path.read_text())
    for name, expected in (("known", latest(exchange)), ("other", fork)):
        text = base64.b64decode(kept[name])
        assert read_checkpoint(text, REGISTRY, AUTHORITY.certificate) == expected
    assert two.sync(index) == replace(before, touched=frozenset())


def test_two_members_who_compare_find_a_split_view(exchange: Exchange) -> None:
    """Each was shown a branch of its own; one message between them proves it."""
    _, two = exchange.found()
    exchange.publish()
    two.sync(exchange.index("L02"))
    two.compare(text_of(latest(exchange)))
    with pytest.raises(ForkError):
        two.compare(text_of(forged(exchange, latest(exchange), rows=3)))
    assert len(exchange.known("L02").evidence()) == 1


def deltas(*messages: wire.Page) -> Any:
    """An answer to Delta."""
    return lambda *_, **__: iter(messages)


def test_a_delta_that_does_not_extend_is_a_fork(exchange: Exchange) -> None:
    """A successor of another branch."""
    _, two = exchange.found()
    exchange.publish()
    index = exchange.index("L02")
    two.sync(index)
    known = latest(exchange)
    other = forged(exchange, known, version=known.version + 1, before=known.changes)
    liar = lying(
        exchange,
        "L02",
        Latest=lambda *_, **__: wire.CheckpointReply(checkpoint=text_of(other)),
        Delta=deltas(wire.Page(checkpoint=text_of(other), page=bytes(PAGE_BYTES))),
    )
    with pytest.raises(ForkError):
        liar.sync(index)
    assert exchange.known("L02").evidence()


def test_old_changed_or_missing_answers_change_nothing(exchange: Exchange) -> None:
    """An older version, rows that are not those signed, a gap, a page out of place."""
    one, two = exchange.found()
    exchange.publish()
    old = latest(exchange)
    file_some(exchange, one, "s")
    exchange.publish()
    index = exchange.index("L02")
    two.sync(index)
    known = latest(exchange)
    next_one = forged(exchange, known, version=known.version + 1, before=known.head)
    gap = forged(exchange, known, version=known.version + 2, before=next_one.head)

    def shown(checkpoint: Checkpoint) -> Any:
        return lambda *_, **__: wire.CheckpointReply(checkpoint=text_of(checkpoint))

    def paged(checkpoint: Checkpoint) -> wire.Page:
        return wire.Page(checkpoint=text_of(checkpoint), page=blank)

    blank = bytes(PAGE_BYTES)
    lies: list[dict[str, Any]] = [
        {"Latest": shown(old)},
        {"Latest": shown(next_one), "Delta": deltas(paged(next_one))},
        {"Latest": shown(gap), "Delta": deltas(paged(gap))},
        {"Latest": shown(next_one), "Delta": deltas(wire.Page(page=blank))},
        {"Latest": shown(replace(known, rows=9))},
        {"Latest": lambda *_, **__: wire.CheckpointReply(checkpoint=b"{}")},
    ]
    rows = index.rows()
    for lie in lies:
        with pytest.raises(PeerError):
            lying(exchange, "L02", **lie).sync(index)
        assert (index.rows(), index.version) == (rows, known.version)
    assert exchange.known("L02").evidence() == []


def test_a_snapshot_with_other_rows_is_not_taken(exchange: Exchange) -> None:
    """The digest of its rows is signed: a row less, and the index stays empty."""
    one, two = exchange.found()
    file_some(exchange, one, *[f"s{number}" for number in range(3)])
    exchange.publish()
    honest = list(two._stub.Snapshot(wire.SnapshotRequest()))
    page = bytearray(honest[1].page)
    page[2 * 550 : 3 * 550] = bytes(550)
    short = [honest[0], wire.Page(page=bytes(page))]
    index = exchange.index("L02")
    with pytest.raises(PeerError, match="not those"):
        lying(exchange, "L02", Snapshot=deltas(*short)).sync(index)
    assert index.version == 0
    assert lying(exchange, "L02", Snapshot=deltas(*honest)).sync(index).rows == 3


def test_a_forged_receipt_leaves_the_event_pending(exchange: Exchange) -> None:
    """Only a signature of the registry settles it."""
    exchange.found()
    filed = exchange.a.file(exchange.a.entry("s"))

    def forge(request: wire.SubmitRequest, **_: Any) -> wire.SubmitReply:
        reply = exchange.client("L01")._stub.Submit(request)
        reply.answers[0].receipt = reply.answers[0].receipt.replace(b'"seq":3', b'"seq":4')
        return reply

    with pytest.raises(PeerError):
        lying(exchange, "L01", Submit=forge).submit([filed])
    assert exchange.client("L01").send_pending() == 1


def test_an_interrupted_sync_goes_on(exchange: Exchange) -> None:
    """The index is a version ahead of the checkpoint, or was removed: the next sync mends it."""
    one, two = exchange.found()
    file_some(exchange, one, "s")
    exchange.publish()
    index = exchange.index("L02")
    two.sync(index)
    before = exchange.known("L02").checkpoint()
    assert before is not None
    file_some(exchange, one, "t")
    exchange.publish()
    two.sync(index)
    exchange.known("L02").keep(before)  # as if the power had failed between the two writes
    assert two.sync(index).rows == 2
    fresh = ListIndex(exchange.home / "L02" / "fresh")
    assert two.sync(fresh).rows == 2
    assert fresh.rows() == index.rows()


def test_a_rotation_is_interrupted_and_resumed(exchange: Exchange) -> None:
    """Half of the entries re-filed, then the way is down; afterwards every entry is covered and
    none was re-filed twice.
    """
    one, two = exchange.found()
    file_some(exchange, one, *[f"s{number}" for number in range(20)])
    proposal = exchange.a.open_epoch(2)
    one.submit([proposal])
    two.submit([exchange.b.consent(proposal)])

    def tokens(entry: EntryState) -> Any:
        made = (token(entry.entry_id.hex(), epoch=2),)
        return made, exchange.a.refile(entry, made).sealed

    people = {"maker": exchange.a.person("maker"), "checker": exchange.a.person("checker")}
    arguments: Any = (exchange.a.identity, REGISTRY, 2, tokens)
    cut = Cut(["pass", "lose answer"])
    broken = exchange.client("L01", grpc.intercept_channel(exchange.open("L01"), cut), attempts=1)
    with pytest.raises(OperatorError):
        refile(broken, *arguments, **people, random=fixed_random("first"))
    done = refile(exchange.client("L01"), *arguments, **people, random=fixed_random("second"))
    assert (done.covered, done.unknown, done.refused) == (20, (), ())
    assert {entry.epochs for entry in one.own()} == {(1, 2)}
    retire = exchange.a.retire_epoch(1)
    assert one.submit([retire])[0].receipt
