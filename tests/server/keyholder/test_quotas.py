"""Quotas over time, whatever the clock is set to, and work that is refused before it is done."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from server.keyholder.quotas import MOST_PROVEN, OtherRequestError, QuotaError
from shared.tokens.group import InvalidPointError
from tests.server.keyholder.key_holders import GROUP, Local, locals_of, relay_between
from tests.server.keyholder.test_evaluating import OFF, ask, question, used


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Local:
    made = locals_of(tmp_path_factory.mktemp("quotas"), quotas={"dispute": 64})
    relay_between(made).generate()
    return made["K1"]


@pytest.fixture
def one(made: Local) -> Local:
    """A holder with empty accounts that has just started."""
    with made.holder.store.transaction() as run:
        for table in ("quotas", "requests", "passed"):
            run.execute(f"DELETE FROM {table}")
    made.restart()
    return made


def test_midnight_is_no_new_quota(one: Local) -> None:
    """Eight requests a minute before midnight (UTC) and one after it: the ninth is refused."""
    before = one.clock.now
    midnight = (before + timedelta(days=1)).replace(hour=0, minute=0, second=0)
    try:
        one.clock.now = midnight - timedelta(minutes=1)
        for number in range(8):
            ask(one, question(one, number))
        one.clock.now = midnight + timedelta(minutes=1)
        with pytest.raises(QuotaError):
            ask(one, question(one, 8))
    finally:
        one.clock.now = before
        one.restart()


@pytest.mark.parametrize("days", [-400, 1, 400])
def test_a_clock_that_is_set_gives_nothing_and_holds_nothing_up(one: Local, days: int) -> None:
    """Set forward or back while the service runs, it opens no quota; a day after it was set right,
    with a restart in between, the quota is there again.
    """
    before = one.clock.now
    for number in range(8):
        ask(one, question(one, number))
    try:
        one.clock.now += timedelta(days=days)
        one.jumped = days * 86_400.0
        for number in (8, 9):
            with pytest.raises(QuotaError):
                ask(one, question(one, number))
        one.clock.now, one.jumped = before, 0.0
        with pytest.raises(QuotaError):
            ask(one, question(one, 8))
        one.restart()
        with pytest.raises(QuotaError):
            ask(one, question(one, 8))
        one.clock.now = before + timedelta(hours=26)
        ask(one, question(one, 8))
    finally:
        one.clock.now, one.jumped = before, 0.0
        one.restart()


def test_the_alert_comes_within_the_call_that_crosses(
    one: Local, caplog: pytest.LogCaptureFixture
) -> None:
    """No time passes by the holder's clock between the answer and the line in the log."""
    with caplog.at_level(logging.WARNING, "lianfang.keyholder"):
        for number in range(6):
            ask(one, question(one, number))
        assert not caplog.records
        before = one.clock.now
        ask(one, question(one, 6))
        assert [record.getMessage()[-6:] for record in caplog.records] == ["(80 %)"]
        ask(one, question(one, 7))
        assert [record.getMessage()[-7:] for record in caplog.records] == [" (80 %)", "(100 %)"]
    assert one.clock.now == before


def test_every_point_is_proven_a_few_times_for_one_charge(one: Local) -> None:
    """A proof of every point costs the holder as much again, so there are fewer of them; answers
    without one still come.
    """
    for _ in range(MOST_PROVEN):
        ask(one, question(one, every=True))
    with pytest.raises(OtherRequestError, match=f"proven {MOST_PROVEN} times"):
        ask(one, question(one, every=True))
    ask(one, question(one))
    assert used(one) == 8


def test_points_are_not_looked_at_without_quota(
    one: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has used up its quota, or sent as many bad points as its quota has, is refused before
    a point is decoded. Control: until then points are looked at.
    """
    looked: list[int] = []
    real = GROUP.check
    monkeypatch.setattr(GROUP, "check", lambda points: (looked.append(len(points)), real(points)))
    for number in range(8):
        ask(one, question(one, number))
    assert looked == [8] * 8
    with pytest.raises(QuotaError):
        ask(one, question(one, 9))
    assert looked == [8] * 8


def test_bad_points_are_looked_at_up_to_the_total(
    one: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are not charged, but whoever sends as many as its total is refused unseen for a day;
    another member is answered, and so is this one a day later.
    """
    quotas = one.holder.quotas
    monkeypatch.setattr(quotas, "_spoilt", {})
    monkeypatch.setattr(type(quotas._settings), "total", lambda self, member: 16)
    bad = question(one, points=OFF * 8)
    for _ in range(2):
        with pytest.raises(InvalidPointError):
            ask(one, bad)
    with pytest.raises(QuotaError, match="bad points"):
        ask(one, bad)
    with pytest.raises(QuotaError, match="bad points"):
        ask(one, question(one))
    one.holder.evaluator.answer("L02", question(one))
    before = one.clock.now
    try:
        one.clock.now = before + timedelta(hours=26)
        ask(one, question(one))
    finally:
        one.clock.now = before
        one.restart()
