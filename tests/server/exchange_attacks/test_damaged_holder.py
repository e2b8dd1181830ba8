"""Bytes of a key holder's file flipped: what it answers is right, or it does not answer."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from server.keyholder.evaluating import Question
from server.keyholder.service import join
from server.keyholder.store import FILE
from shared.errors import OperatorError, PeerError
from tests.server.keyholder.key_holders import GROUP, Clock, Local, locals_of, relay_between
from tests.server.keyholder.test_evaluating import question

PLACES = 48


@pytest.fixture
def holder(tmp_path: Path) -> Local:
    """Stopped, all of it in one file, with a share in use and a charge."""
    holders = locals_of(tmp_path, quotas={"dispute": 16})
    relay_between(holders).generate()
    one = holders["K1"]
    one.holder.evaluator.answer("L01", question(one))
    return one


def reading(folder: Path, asked: Question) -> tuple[bytes, list[bytes]] | None:
    """What a restarted holder answers and describes; None when it says that it cannot."""
    try:
        made = join(folder, group=GROUP, clock=Clock())
    except OperatorError:
        return None
    try:
        texts = [signed.keys.name for signed in made.shares.answered_for()]
        return made.evaluator.answer("L02", asked)[0].points.tobytes(), texts
    except (OperatorError, PeerError):
        return None
    finally:
        made.store.close()


def test_flipped_bytes_are_never_answered_from(holder: Local, tmp_path: Path) -> None:
    """Eight bytes at each of 48 places, and in share, key set and charge: the holder stops with an
    error that names its file, refuses, or answers exactly what it answered before.
    """
    asked = question(holder, 1)
    holder.holder.store.clean()
    holder.holder.store.close()
    path = holder.folder / FILE
    good = path.read_bytes()
    before = reading(holder.folder, asked)
    assert before is not None
    good = path.read_bytes()
    with sqlite3.connect(path) as connection:
        (secret, keys, signed) = connection.execute(
            "SELECT secret, keys, signed FROM shares"
        ).fetchone()
    connection.close()
    inside = [good.find(one[8:40]) for one in (secret, keys, signed) if good.find(one[8:40]) > 0]
    outcomes = []
    for place in [*inside, *range(0, len(good) - 8, len(good) // PLACES)]:
        shutil.rmtree(tmp_path / "copy", ignore_errors=True)
        shutil.copytree(holder.folder, tmp_path / "copy")
        bad = bytearray(good)
        bad[place : place + 8] = bytes(byte ^ 0x55 for byte in bad[place : place + 8])
        (tmp_path / "copy" / FILE).write_bytes(bad)
        outcomes.append(reading(tmp_path / "copy", asked))
    assert len(inside) == 3
    assert outcomes[: len(inside)] == [None] * len(inside)
    assert {str(one) for one in outcomes} == {str(None), str(before)}
