"""A version that comes while a member reads the list: the list is read anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from client.exchange import registry
from client.exchange.reaching import OvertakenError
from client.exchange.registry import RegistryClient
from shared.blacklist.receipt import Receipt
from shared.secure_sum.encoding import text_of
from tests.client.exchange.served_exchange import Exchange


@pytest.fixture
def exchange(tmp_path: Path, sqlite_template: Path) -> Iterator[Exchange]:
    """A registry whose list has six rows, two read at a time."""
    path = tmp_path / "list.db"
    path.write_bytes(sqlite_template.read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("server.registry.listed._PAGE_ROWS", 2)
        exchange = Exchange(tmp_path, f"sqlite:///{path}")
        exchange.found()
        put(exchange, *[f"s{number}" for number in range(6)])
        yield exchange
        exchange.close()


def put(exchange: Exchange, *subjects: str) -> None:
    """A new version with these subjects."""
    filed = [exchange.a.file(exchange.a.entry(subject)) for subject in subjects]
    for events in (filed, [exchange.a.approve(one) for one in filed]):
        answers = exchange.served.registry.submit("L01", [text_of(one) for one in events])
        assert all(isinstance(one, Receipt) for one in answers)
    exchange.publish()


def disturbed(
    exchange: Exchange, times: int, monkeypatch: pytest.MonkeyPatch
) -> tuple[RegistryClient, list[int]]:
    """A lender's end; while it reads its first snapshots a version comes each time. The second
    value grows with each snapshot.
    """
    two, asked, begun = exchange.client("L02"), list[int](), exchange.served.registry.snapshot

    def snapshot() -> Iterator[Any]:
        asked.append(len(asked))
        for place, item in enumerate(begun()):
            if place == 1 and len(asked) <= times:
                put(exchange, f"new {len(asked)}")
            yield item

    monkeypatch.setattr(exchange.served.registry, "snapshot", snapshot)
    return two, asked


def test_a_snapshot_that_is_overtaken_is_taken_anew(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice, if it must be; the list is the newest one, whole."""
    two, asked = disturbed(exchange, 2, monkeypatch)
    index = exchange.index("L02")
    assert two.sync(index).rows == len(index.rows()) == 8
    assert len(asked) == 3


def test_it_is_not_tried_for_ever(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry that breaks off each time is told of, and nothing is changed; without another try
    one version is enough for that (control).
    """
    two, asked = disturbed(exchange, 99, monkeypatch)
    index = exchange.index("L02")
    with pytest.raises(OvertakenError, match="a new version of the list came"):
        two.sync(index)
    assert (len(asked), index.version) == (3, 0)
    monkeypatch.setattr(registry, "SNAPSHOTS", 1)
    with pytest.raises(OvertakenError):
        two.sync(index)
    assert len(asked) == 4
