"""Clocks a day off, either way and back again: counters order, not clocks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from server.keyholder.quotas import QuotaError
from server.registry import tables
from tests.blacklist_members import Clock
from tests.client.exchange.test_registry_client import Exchange, file_some
from tests.server.keyholder.key_holders import locals_of, relay_between
from tests.server.keyholder.test_evaluating import ask, question


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Exchange]:
    exchange = Exchange(tmp_path, f"sqlite:///{tmp_path / 'registry.db'}")
    yield exchange
    exchange.close()


@pytest.mark.parametrize("days", [-1, 1])
def test_the_registrys_clock_jumps(exchange: Exchange, days: int) -> None:
    """A day forward or back, and back again: versions count on, receipts' times never go back,
    members follow.
    """
    one, two = exchange.found()
    index, synced = exchange.index("L02"), []
    for jump in (0, days, -days):
        exchange.clock.forward(days=jump)
        file_some(exchange, one, f"subject {jump}")
        exchange.publish()
        synced.append(two.sync(index))
    assert [one.version for one in synced] == sorted({one.version for one in synced})
    assert synced[-1].rows == len(index) == 3
    times = [event.received for event in logged(exchange)]
    assert times == sorted(times)


def logged(exchange: Exchange) -> list[Any]:
    with exchange.served._database.reading() as connection:
        return list(connection.execute(select(tables.events).order_by(tables.events.c.seq)))


@pytest.mark.parametrize("days", [-1, 1])
def test_a_lenders_clock_is_off(exchange: Exchange, days: int) -> None:
    """It files, is answered, syncs, and its entry has the registry's time."""
    _, two = exchange.found()
    skewed = exchange.client("L01")
    skewed._clock = Clock(exchange.clock.now + timedelta(days=days))
    file_some(exchange, skewed, "somebody")
    exchange.publish()
    assert skewed.sync(exchange.index("L01")).rows == 1
    assert two.sync(exchange.index("L02")).rows == 1
    assert logged(exchange)[-1].received == int(exchange.clock.now.timestamp())


def test_holders_days_apart_answer_together(tmp_path: Path) -> None:
    """Three holders whose clocks are a day apart make a key and answer as one; a clock put back
    gives no quota twice.
    """
    holders = locals_of(tmp_path, quotas={"dispute": 8})
    for code, days in (("K1", -1), ("K3", 1)):
        holders[code].clock = Clock(holders[code].clock.now + timedelta(days=days))  # type: ignore
        holders[code].restart()
    relay_between(holders).generate()
    last = holders["K3"]
    for one in holders.values():
        quorum = (1, 3) if one is last else (1, 2)
        ask(one, question(one, quorum=quorum))
    last.clock.now -= timedelta(days=1)
    with pytest.raises(QuotaError):
        ask(last, question(last, 2, quorum=(1, 3)))
