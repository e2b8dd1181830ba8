"""A registry that signs what it likes: members keep one list, and what was signed is kept."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from client.exchange.known_list import GROUPS
from server.registry import publishing
from server.registry.registry import Registry
from shared.blacklist.checkpoint import Checkpoint, ContentReader, read_checkpoint
from shared.blacklist.receipt import BEGINNING, Receipt, check_later, log_head
from shared.blacklist.rows import Changes, Row, changes_of, pages_of
from shared.errors import PeerError
from shared.secure_sum.encoding import text_of
from shared.wire import registry_pb2 as wire
from tests.blacklist_members import AUTHORITY, REGISTRY, hashed
from tests.client.exchange.served_exchange import Exchange
from tests.client.exchange.test_registry_client import (
    deltas,
    file_some,
    forged,
    latest,
    lying,
)
from tests.list_registry import IDENTITY


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Exchange]:
    exchange = Exchange(tmp_path, f"sqlite:///{tmp_path / 'registry.db'}")
    yield exchange
    exchange.close()


def rows_of(exchange: Exchange) -> list[Row]:
    """What the registry publishes."""
    return [one for one in exchange.served.registry.snapshot() if isinstance(one, Row)]


def content(rows: Sequence[Row]) -> bytes:
    """Their digest in a checkpoint."""
    reader = ContentReader()
    for row in sorted(rows):
        reader.take(row)
    return reader.digest()


def telling(checkpoint: Checkpoint, changes: Changes) -> dict[str, Any]:
    """A registry whose next version this is, to those who follow its changes."""
    first, *more = pages_of(changes.packed()) if changes.tags else [b""]
    pages = [wire.Page(checkpoint=text_of(checkpoint), page=first)]
    pages += [wire.Page(page=page) for page in more]
    return {
        "Latest": lambda *_, **__: wire.CheckpointReply(checkpoint=text_of(checkpoint)),
        "Delta": deltas(*pages),
    }


def test_a_version_that_cannot_be_read_is_passed_over(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One version's rows are out of order: whoever was before it takes the list whole, with the
    chain verified. A version in order is followed (control).
    """
    one, two = exchange.found()
    file_some(exchange, one, "first")
    exchange.publish()
    index = exchange.index("L02")
    first = two.sync(index)
    file_some(exchange, one, "second")
    exchange.publish()
    assert two.sync(index).touched is not None
    with monkeypatch.context() as careless:
        careless.setattr(publishing, "changes_of", disordered)
        file_some(exchange, one, "third", "fourth")
        exchange.publish()
    later = two.sync(index)
    assert (later.version, later.touched) == (first.version + 2, None)
    assert index.rows() == rows_of(exchange)


def disordered(dropped: Iterable[bytes], added: Iterable[Row]) -> Changes:
    """The rows that come, the last one first."""
    honest = changes_of(dropped, added)
    return replace(honest, added=honest.added[::-1])


def test_changes_that_lead_elsewhere_are_refused_and_kept(exchange: Exchange) -> None:
    """One signed checkpoint for two lists: those who follow changes lose a row that a snapshot
    has. Nothing changes, and all of it is on the disk; honestly signed it is taken (control).
    """
    one, two = exchange.found()
    file_some(exchange, one, "a", "b")
    exchange.publish()
    index = exchange.index("L02")
    two.sync(index)
    known, (gone, *kept) = latest(exchange), rows_of(exchange)
    changes = changes_of([gone.tag], [])
    new = {"version": known.version + 1, "before": known.head, "changes": changes.digest()}
    for lie in (
        forged(exchange, known, **new),
        forged(exchange, known, **new, content=content(kept)),
        forged(exchange, known, **new, rows=1),
    ):
        with pytest.raises(PeerError, match="do not lead to the list it is signed for"):
            lying(exchange, "L02", **telling(lie, changes)).sync(index)
        assert (index.version, len(index)) == (known.version, 2)
    assert exchange.known("L02").checkpoint() == known
    paths = exchange.known("L02").evidence()
    assert len(paths) == 3
    document = json.loads(paths[0].read_text())
    (version,) = document["versions"]
    signed = base64.b64decode(version["checkpoint"])
    assert read_checkpoint(signed, REGISTRY, AUTHORITY.certificate).version == known.version + 1
    assert [*map(base64.b64decode, version["changes"])] == [*changes.packed()]
    honest = forged(exchange, known, **new, content=content(kept), rows=1)
    assert lying(exchange, "L02", **telling(honest, changes)).sync(index).rows == 1


def test_a_row_that_comes_twice_is_refused(exchange: Exchange) -> None:
    """Added over itself: those who take snapshots could not read it."""
    one, two = exchange.found()
    file_some(exchange, one, "a")
    exchange.publish()
    index = exchange.index("L02")
    two.sync(index)
    known, changes = latest(exchange), changes_of([], rows_of(exchange))
    lie = forged(
        exchange, known, version=known.version + 1, before=known.head, changes=changes.digest()
    )
    with pytest.raises(PeerError, match="on the list already"):
        lying(exchange, "L02", **telling(lie, changes)).sync(index)
    assert index.version == known.version


@pytest.mark.parametrize("damage", ["missing", "cut", "other"])
def test_kept_digests_are_made_anew_when_they_are_not_the_checkpoints(
    exchange: Exchange, damage: str
) -> None:
    """Lost, cut off or of another version: the next delta is verified over all rows."""
    one, two = exchange.found()
    file_some(exchange, one, *[f"s{number}" for number in range(9)])
    exchange.publish()
    index = exchange.index("L02")
    two.sync(index)
    path = exchange.home / "L02" / "list" / GROUPS
    whole = path.read_bytes()
    path.write_bytes({"missing": b"", "cut": whole[:-1], "other": whole[34:]}[damage])
    if damage == "missing":
        path.unlink()
    file_some(exchange, one, "more")
    exchange.publish()
    assert two.sync(index).touched == frozenset()  # by changes, and none of an earlier row
    assert index.rows() == rows_of(exchange)


def test_a_copy_that_is_not_what_was_verified_is_taken_anew(exchange: Exchange) -> None:
    """Rows lost on this side are no lie of the registry's: a snapshot, and no evidence."""
    one, two = exchange.found()
    filed = file_some(exchange, one, *[f"s{number}" for number in range(9)])
    exchange.publish()
    index = exchange.index("L02")
    version = two.sync(index).version
    lost = filed[0].entry.tokens[0].token
    index.replace([row for row in index.rows() if row.tag != lost], version)
    two.submit([exchange.b.dispute(filed[0])])
    exchange.publish()
    assert two.sync(index).touched is None
    assert index.rows() == rows_of(exchange)
    assert exchange.known("L02").evidence() == []


@pytest.mark.parametrize("lie", ["digest", "place", "head", "before"])
def test_a_receipt_for_something_else_settles_nothing(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch, lie: str
) -> None:
    """Rightly signed, over other content or at a place that is taken: the event stays pending, and
    the honest answer settles it (control).
    """
    one, _ = exchange.found()
    honest = Registry.submit

    def evil(self: Registry, peer: str, texts: Sequence[bytes]) -> list[Any]:
        out = [answer for answer in honest(self, peer, texts) if isinstance(answer, Receipt)]
        other: dict[str, Any] = {
            "digest": {"digest": hashed("nothing of yours")},
            "place": {"seq": 1},
            "head": {"head": hashed("another log"), "seq": out[0].seq - 1},
            "before": {"received": 5},
        }
        private = IDENTITY.private
        return [replace(answer, signature=b"", **other[lie]).signed(private) for answer in out]

    file_some(exchange, one, "first")
    filed = exchange.a.file(exchange.a.entry("s"))
    with monkeypatch.context() as lying_now:
        lying_now.setattr(Registry, "submit", evil)
        with pytest.raises(PeerError, match="a receipt"):
            one.submit([filed])
    assert one.send_pending() == 1
    assert one._submissions.answer(filed.event_id).receipt is not None  # type: ignore[union-attr]


def test_receipts_stand_in_one_log() -> None:
    """Places go up, times do not go back, and of neighbours the heads follow."""
    digests = [hashed(f"event {number}") for number in range(3)]
    heads = [log_head(BEGINNING, 1, 10, digests[0])]
    heads.append(log_head(heads[0], 2, 10, digests[1]))
    log = [
        Receipt(
            registry=REGISTRY,
            event_id=hashed("name", 16),
            digest=digests[at],
            seq=at + 1,
            received=10,
            head=heads[at],
        )
        for at in range(2)
    ]
    check_later(None, log[0])
    check_later(*log)
    check_later(log[1], replace(log[1], seq=7, head=hashed("not known here")))
    for bad in (
        replace(log[1], seq=1),
        replace(log[1], received=9),
        replace(log[1], head=hashed("another log")),
    ):
        with pytest.raises(PeerError, match="contradicts"):
            check_later(log[0], bad)


def test_a_checkpoint_from_the_future_is_refused(exchange: Exchange) -> None:
    """Dated months ahead it would hide months of silence; a day ahead is a clock (control)."""
    _, two = exchange.found()
    exchange.publish()
    index = exchange.index("L02")
    two.sync(index)
    known = latest(exchange)
    new = {
        "version": known.version + 1,
        "before": known.head,
        "changes": Changes().digest(),
    }
    ahead = forged(exchange, known, **new, at=known.at + 86_401)
    with pytest.raises(PeerError, match="ahead of this machine's clock"):
        lying(exchange, "L02", **telling(ahead, Changes())).sync(index)
    assert exchange.known("L02").checkpoint() == known
    page = {
        "Delta": deltas(wire.Page(checkpoint=text_of(ahead), page=next(pages_of([bytes(550)]))))
    }
    with pytest.raises(PeerError, match="ahead of this machine's clock"):
        lying(exchange, "L02", **page).sync(index)
    near = forged(exchange, known, **new, at=known.at + 86_400)
    blank = {"Delta": deltas(wire.Page(checkpoint=text_of(near), page=bytes(64 * 550)))}
    assert lying(exchange, "L02", **telling(near, Changes()) | blank).sync(index).stale is False
