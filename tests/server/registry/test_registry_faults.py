"""Crashes, full disks, corrupt pages: nothing acknowledged is lost, nothing damaged is served."""

import os
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from server.registry.database import DamagedError, UnavailableError
from server.registry.registry import Registry
from shared.blacklist.receipt import Receipt
from shared.secure_sum.encoding import text_of
from tests.list_registry import Served

REPOSITORY = Path(__file__).resolve().parents[3]

KILLED = """
import os, signal, sys
from server.registry.registry import Registry
from tests.list_registry import Served
served = Served(sys.argv[1])
submit = Registry.submit
def cut(self, peer, texts):
    submit(self, peer, texts)
    os.kill(os.getpid(), signal.SIGKILL)  # durable, not answered
Registry.submit = cut
served.a.number = 1000
served.take(served.a, served.a.file(served.a.entry("somebody")))
"""


def event_count(served: Served) -> int:
    """How long the log is."""
    with served.database.reading() as connection:
        return int(connection.scalar(text("SELECT count(*) FROM events")) or 0)


def test_killed_between_write_and_answer(served: Served, url: str) -> None:
    """The event is in the log; sent again, it is answered and not filed twice."""
    count = event_count(served)
    served.close()
    done = subprocess.run([sys.executable, "-c", KILLED, url], cwd=REPOSITORY, check=False)
    assert done.returncode == -signal.SIGKILL
    served.open()
    assert event_count(served) == count + 1
    served.a.number = 1000
    again = served.a.file(served.a.entry("somebody"))
    (receipt,) = served.take(served.a, again)
    assert receipt.seq == count + 1
    assert event_count(served) == count + 1
    assert len(served.registry.own("L01")) == 1


def test_killed_before_the_commit_leaves_nothing(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No answer, no event; the same event is taken afterwards."""
    filed = served.a.file(served.a.entry())

    def fail(_: object) -> None:
        raise OperationalError("commit", {}, sqlite3.OperationalError("disk I/O error"))

    sqlalchemy_event.listen(served.database.engine, "commit", fail)
    with pytest.raises(UnavailableError):
        served.answers(served.a, filed)
    sqlalchemy_event.remove(served.database.engine, "commit", fail)
    count = event_count(served)
    served.restart()
    (receipt,) = served.take(served.a, filed)
    assert receipt.seq == count + 1


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Served]:
    """On SQLite only, for what is done to its file."""
    served = Served(f"sqlite:///{tmp_path / 'registry.db'}")
    served.found()
    yield served
    served.close()


def leave_little_room(served: Served) -> str:
    """The database's disk is full after some more events; how it then says so."""
    if not served.database.is_sqlite:
        full = (
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "IF NEW.seq > 9 THEN RAISE EXCEPTION 'No space left on device' USING ERRCODE = '53100';"
            " END IF; RETURN NEW; END $$",
            "CREATE TRIGGER full_disk BEFORE INSERT ON events FOR EACH ROW "
            "EXECUTE FUNCTION full_disk()",
        )
        with served.database.engine.begin() as connection:
            for line in full:
                connection.execute(text(line))
        return "53100"
    with served.database.reading() as connection:
        pages = int(connection.scalar(text("PRAGMA page_count")) or 0)
    for_all = f"PRAGMA max_page_count={pages + 6}"
    served.database.engine.dispose()
    sqlalchemy_event.listen(
        served.database.engine, "connect", lambda c, _: c.execute(for_all).fetchall()
    )
    return "SQLITE_FULL"


def make_room(served: Served) -> None:
    """The disk is well again; SQLite's limit ends with its connections."""
    if not served.database.is_sqlite:
        with served.database.engine.begin() as connection:
            connection.execute(text("DROP TRIGGER full_disk ON events"))


def test_a_full_disk_acknowledges_nothing_and_is_survived(served: Served) -> None:
    """What was acknowledged before is there after a restart; with room again, it goes on."""
    acknowledged: list[Receipt] = []
    says = leave_little_room(served)
    filings = [served.a.file(served.a.entry(f"s{number}")) for number in range(40)]
    full = False
    for filed in filings:
        try:
            acknowledged += served.take(served.a, filed)
        except UnavailableError as error:
            full = says in error.what
            break
    assert full
    assert 0 < len(acknowledged) < 40
    make_room(served)
    served.restart()
    again = served.take(served.a, *filings)
    assert [text_of(one) for one in again[: len(acknowledged)]] == [
        text_of(one) for one in acknowledged
    ]


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """The operating system refuses to write past this size (EFBIG)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_after_a_failed_write_nothing_is_written_until_a_restart(
    small: Served, tmp_path: Path
) -> None:
    """Even when the disk seems to be well again: what it holds is not known."""
    filed = [small.a.file(small.a.entry(f"s{number}")) for number in range(3)]
    small.take(small.a, filed[0])
    wal = Path(f"{tmp_path / 'registry.db'}-wal")
    with file_size_limit(os.path.getsize(wal) + 4096), pytest.raises(UnavailableError):
        small.answers(small.a, *filed[1:])
    with pytest.raises(UnavailableError, match="failed earlier"):
        small.answers(small.a, filed[1])
    with pytest.raises(UnavailableError):
        small.registry.tick()
    small.restart()
    assert len(small.take(small.a, *filed)) == 3


def damage(statement: str) -> Callable[[Served], None]:
    """Run a statement behind the registry's back."""

    def run(served: Served) -> None:
        with served.database.engine.begin() as connection:
            assert connection.execute(text(statement)).rowcount > 0

    return run


DAMAGES = {
    "an event's text": "UPDATE events SET text = (SELECT text FROM events WHERE seq = 2) "
    "WHERE seq = 4",
    "an event's time": "UPDATE events SET received = received + 1 WHERE seq = 4",
    "the last events": "DELETE FROM events WHERE seq > 3",
    "an event in the middle": "DELETE FROM events WHERE seq = 3",
    "an entry": "DELETE FROM entries",
    "a status": "UPDATE entries SET status = 'removed'",
    "whose dispute": "UPDATE entries SET disputed_by = 'L02'",
    "what waits": "UPDATE entries SET waits = NOT waits",
    "a standing": "DELETE FROM standings",
    "a proposal": "DELETE FROM proposals",
    "a consent": "UPDATE proposals SET closed = NOT closed",
    "a proposal's day": "UPDATE proposals SET made = made + 1",
    "an epoch": "DELETE FROM epochs",
    "a token": "DELETE FROM tokens",
    "a row's name": "UPDATE tokens SET row_name = tag",
    "a row": "DELETE FROM published",
    "a flag": "UPDATE published SET flags = 1",
    "a change": "UPDATE changes SET place = place + 7, packed = (SELECT head FROM events "
    "WHERE seq = 1)",
    "a version": "DELETE FROM versions WHERE version = 1",
    "all versions": "DELETE FROM versions",
}


@pytest.mark.parametrize("what", DAMAGES)
def test_what_is_not_what_the_log_gives_is_not_served(served: Served, what: str) -> None:
    """Whatever was changed; without the change it starts (control)."""
    served.active(served.a, "somebody")
    served.publish()
    served.clock.forward(days=1)
    served.publish()
    served.restart()
    damage(DAMAGES[what])(served)
    served.close()
    with pytest.raises(DamagedError, match="damaged") as refused:
        served.open()
    assert "restore" in refused.value.remedy
    served.database.close()


def test_flipped_bytes_in_the_file_are_found(small: Served, tmp_path: Path) -> None:
    """Anywhere: the registry refuses, or nothing of what it serves has changed. In what it serves
    or in the log: it refuses.
    """
    small.active(small.a, *[f"s{number}" for number in range(12)])
    before = small.publish()
    rows = small.rows()
    small.close()
    path = tmp_path / "registry.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    good = path.read_bytes()
    inside = [good.rfind(row.tag) for row in rows[::4]] + [good.find(b'"severity"')]
    refused = []
    for place in [*range(200, len(good), len(good) // 6), *inside]:
        bad = bytearray(good)
        bad[place : place + 8] = bytes(byte ^ 0x55 for byte in bad[place : place + 8])
        path.write_bytes(bytes(bad))
        try:
            small.open()
        except (DamagedError, UnavailableError):
            refused.append(place)
            continue
        assert (small.registry.latest(), small.rows()) == (before, rows)
        small.close()
    assert set(inside) <= set(refused)
    path.write_bytes(good)
    small.open()


def test_a_failed_publication_is_made_again(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Digests kept in memory do not run ahead of the database."""
    served.active(served.a, "one", "two")

    def fail(_: object) -> None:
        raise OperationalError("commit", {}, Exception("gone"))

    sqlalchemy_event.listen(served.database.engine, "commit", fail)
    with pytest.raises(UnavailableError):
        served.registry.tick()
    sqlalchemy_event.remove(served.database.engine, "commit", fail)
    assert isinstance(served.registry, Registry)
    assert served.publish().rows == 2
    served.restart()
