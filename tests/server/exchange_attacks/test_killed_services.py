"""Real processes over mutual TLS, killed or out of disk: what was acknowledged is there once."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from client.exchange.holders import Asking, TooFewHoldersError
from server.keyholder.store import FILE
from shared.errors import OperatorError, PeerError
from tests.exchange_processes import Exchange, Member, file_size_limit, founded, registry_at
from tests.server.keyholder.key_holders import (
    CONTEXT,
)

INPUTS = [f"{CONTEXT}|v1|phone|{number}".encode() for number in range(60)]
KILL_AFTER = """
import os, signal
from server.registry.registry import Registry
submit, left = Registry.submit, [{calls}]
def cut(self, peer, texts):
    answers = submit(self, peer, texts)
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)  # durable, not answered
    return answers
Registry.submit = cut
"""


def test_a_holder_killed_in_mid_batch_is_replaced_and_comes_back(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """kill -9 of one of three while ten batches are under way: all outputs are right, through
    another quorum. Started again it answers from what is on its disk.
    """
    asking = Asking("rotation", "book 1")
    victim = exchange.holders["K2"]
    with exchange.lender() as (holders, doors):
        expected = holders.outputs(INPUTS, asking)
        monkeypatch.setattr("client.exchange.holders.MOST_INPUTS", 6)
        answered = doors["K2"].evaluate

        def last(request: Any) -> Any:
            reply = answered(request)
            if victim.running.poll() is None:
                victim.kill()
            return reply

        monkeypatch.setattr(doors["K2"], "evaluate", last)
        with caplog.at_level(logging.WARNING, "lianfang.client"):
            found = holders.outputs(INPUTS, asking)
        assert np.array_equal(found, expected)
        assert "key holder K2: it does not answer; another one is asked" in caplog.text
        assert victim.running.poll() == -9
    exchange.ensure_running()
    exchange.holders["K1"].kill()
    with exchange.lender() as (holders, _):
        assert np.array_equal(holders.outputs(INPUTS, asking), expected)


def test_with_two_of_three_killed_nothing_is_made_up(exchange: Exchange) -> None:
    """Control: below the threshold there is an error that names both, and no output."""
    with exchange.lender() as (holders, _):
        holders.key_sets()
        exchange.holders["K1"].kill()
        exchange.holders["K3"].kill()
        with pytest.raises(TooFewHoldersError, match="K1: it does not answer; K3"):
            holders.outputs(INPUTS[:3], Asking("rotation", "book 2"))


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[bool]:
    """A file system of that size at `folder`; False where this machine does not let us mount."""
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(words, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=True)


def fill_up(folder: Path) -> Path:
    """No free byte is left."""
    path = folder / "filler"
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass
    return path


def refused_in_the_end(ask: Callable[[int], object]) -> str:
    """Why; room that a file has already may last for some more."""
    for number in range(60):
        try:
            ask(number)
        except (OperatorError, PeerError) as error:
            return error.what
    raise AssertionError("it was never refused")


def test_a_holder_out_of_disk_answers_nothing_and_recovers(exchange: Exchange) -> None:
    """Its files cannot grow: every call is a clear refusal and the lender goes on with the others;
    with room again it answers, and what it was charged before is still charged.
    """
    asking = Asking("rotation", "book 3")
    victim = exchange.holders["K3"]
    with exchange.lender() as (holders, _):
        expected = holders.outputs(INPUTS[:3], asking)
    victim.stop()
    before = charged(victim.folder)
    size = max(path.stat().st_size for path in victim.folder.glob(f"{FILE}*"))
    victim.start(file_size_limit(size // 4096 * 4096))
    exchange.holders["K1"].kill()
    with exchange.lender() as (holders, _):
        refusal = refused_in_the_end(
            lambda number: holders.outputs([*INPUTS[:2], b"new %d" % number], asking)
        )
        assert "K3: it does not answer" in refusal
        assert "nothing was answered" in victim.log.read_text()
    victim.kill()
    victim.start()
    with exchange.lender() as (holders, _):
        assert np.array_equal(holders.outputs(INPUTS[:3], asking), expected)
    assert charged(victim.folder) >= before + 8


def charged(folder: Path) -> int:
    """Points all members have used, as they are on the disk."""
    with closing(sqlite3.connect(folder / FILE)) as connection:
        (used,) = connection.execute("SELECT sum(used) FROM quotas").fetchone()
    return int(used or 0)


def names_of(filings: list[Any]) -> list[bytes]:
    return sorted(filing.entry.entry_id for filing in filings)


def test_a_registry_killed_between_write_and_answer_files_once(
    tmp_path: Path, list_url: str
) -> None:
    """kill -9 after the third submission is durable and before it is answered, over mutual TLS: the
    two receipts before stand, the third filing is sent again and gets a receipt, and all three are
    filed once. Until then the lender is told that nothing is settled. On both databases.
    """
    with (
        registry_at(tmp_path / "REG", tmp_path / "REG.log", list_url) as registry,
        founded(tmp_path, registry) as one,
    ):
        registry.stop()
        registry.start(KILL_AFTER.format(calls=3))
        one.restart()
        filings = [one.filing(f"subject {number}") for number in range(3)]
        before = [one.client.submit([filing])[0].receipt for filing in filings[:2]]
        assert all(before)
        with pytest.raises(OperatorError, match="cannot be reached"):
            one.client.submit([filings[2]])
        assert registry.died() == -9
        registry.start()
        one.restart()
        assert one.filed() == names_of(filings)  # it was durable, though nobody was told
        assert (one.client.send_pending(), one.client.send_pending()) == (1, 0)
        again = [one.submissions.answer(filing.event_id) for filing in filings]
        assert [answer.receipt for answer in again if answer][:2] == before
        assert all(answer and answer.receipt for answer in again)
        assert one.filed() == names_of(filings)


def test_a_registry_out_of_disk_acknowledges_nothing_it_has_not_kept(tmp_path: Path) -> None:
    """On a file system with no byte left (else: files that may not grow) submissions end in an
    error that says so; with room again the kept one is sent, each acknowledged one is there once.
    """
    with (
        small_disk(tmp_path / "disk", 8) as mounted,
        registry_at(tmp_path / "disk" / "REG", tmp_path / "REG.log") as registry,
        founded(tmp_path, registry) as one,
    ):
        if mounted:
            filler = fill_up(tmp_path / "disk")
        else:
            registry.stop()
            size = (registry.folder / "registry.db").stat().st_size
            registry.start(file_size_limit(size // 4096 * 4096))
            one.restart()
        filings, acknowledged = filled_to_the_brim(one)
        assert "the database did not do its part (SQLITE_" in registry.log.read_text()
        if mounted:
            filler.unlink()
        registry.kill()
        registry.start()
        goes_on(one, filings, acknowledged)


def filled_to_the_brim(one: Member) -> tuple[list[Any], int]:
    """What was filed until there was no room, and how many of them were acknowledged."""
    filings = [one.filing(f"subject {number}") for number in range(60)]
    receipts: list[Any] = []
    refusal = refused_in_the_end(
        lambda number: receipts.append(one.client.submit([filings[number]])[0].receipt)
    )
    assert "cannot be reached" in refusal
    assert all(receipts)
    return filings, len(receipts)


def goes_on(one: Member, filings: list[Any], acknowledged: int) -> None:
    """With room again."""
    one.restart()
    assert one.filed() == names_of(filings[:acknowledged])
    assert one.client.send_pending() == 1
    assert one.filed() == names_of(filings[: acknowledged + 1])


def test_so_does_a_registry_whose_database_server_is_out_of_disk(
    tmp_path: Path, postgresql: Any
) -> None:
    """PostgreSQL on a file system with no byte left; needs a machine that lets us mount one."""
    with short_folder() as short, small_disk(short / "disk", 24) as mounted:
        if not mounted:
            pytest.skip("no file system can be mounted here")
        with (
            database_on(postgresql, short / "disk") as url,
            registry_at(tmp_path / "REG", tmp_path / "REG.log", url) as registry,
            founded(tmp_path, registry) as one,
        ):
            filler = fill_up(short / "disk")
            filings, acknowledged = filled_to_the_brim(one)
            assert "the database did not do its part (53100)" in registry.log.read_text()
            filler.unlink()
            goes_on(one, filings, acknowledged)
            registry.stop()


@contextmanager
def short_folder() -> Iterator[Path]:
    """That a database server of another user may enter."""
    folder = Path(tempfile.mkdtemp(prefix="lfts"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def database_on(server: Any, folder: Path) -> Iterator[str]:
    """An empty database whose tables lie in a folder."""
    import psycopg
    from sqlalchemy import make_url

    own = server.render_as_string(hide_password=False)
    with psycopg.connect(own, autocommit=True) as connection:
        (data,) = connection.execute("SHOW data_directory").fetchone() or ("",)
        place, owner = folder / "tables", Path(data).stat()
        place.mkdir(0o700)
        os.chown(place, owner.st_uid, owner.st_gid)
        connection.execute(f"CREATE TABLESPACE small LOCATION '{place}'")  # type: ignore[arg-type]
        connection.execute("CREATE DATABASE small TEMPLATE list_template TABLESPACE small")
        try:
            url = make_url(own).set(drivername="postgresql+psycopg", database="small")
            yield str(url.render_as_string(hide_password=False))
        finally:
            connection.execute("DROP DATABASE small WITH (FORCE)")
            connection.execute("DROP TABLESPACE small")
