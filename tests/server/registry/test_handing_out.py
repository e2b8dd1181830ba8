"""A member that reads slowly holds up nothing; on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pytest
from sqlalchemy import select, text

from server.registry import listed, tables, waiting_items
from server.registry.handing_out import OvertakenError
from shared.blacklist.checkpoint import Checkpoint, ContentReader
from shared.blacklist.rows import Row
from tests.list_registry import Served


@pytest.fixture(autouse=True)
def _short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two or three of what is read."""
    monkeypatch.setattr(listed, "_PAGE_ROWS", 2)
    monkeypatch.setattr(waiting_items, "_PAGE_ENTRIES", 2)


def is_held(served: Served) -> bool:
    """Whether a transaction is open: SQLite's log cannot be emptied, PostgreSQL cannot clean up."""
    if served.database.is_sqlite:
        for words in (
            "INSERT INTO markers VALUES ('here', x'00')",
            "DELETE FROM markers WHERE name = 'here'",
        ):
            with served.database.writing() as connection:  # there is something in the log
                connection.execute(text(words))
        return not served.database.clean()
    mine = "datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"
    with served.database.reading() as connection:
        found = connection.scalar(text(f"SELECT count(*) FROM pg_stat_activity WHERE {mine}"))
    return bool(found)


def filled(served: Served) -> None:
    """Seven rows and five entries that wait."""
    for lender in (served.a, served.b, served.c):
        served.active(lender, "shared", f"of {lender.code}")
    served.active(served.a, "more")
    served.take(
        served.a, *[served.a.file(served.a.entry(f"w{one}", severity=3)) for one in range(5)]
    )
    served.publish()


STREAMS: dict[str, Callable[[Served], Iterator[object]]] = {
    "snapshot": lambda served: served.registry.snapshot(),
    "delta": lambda served: served.registry.versions_since(0),
    "waiting": lambda served: served.registry.waiting("L02"),
}


def test_no_transaction_is_open_between_two_parts(served: Served) -> None:
    """Wherever the reader of any of them stops; one that reads in a single transaction holds it
    (control).
    """
    filled(served)
    for stream in STREAMS.values():
        for _ in stream(served):
            assert not is_held(served)
    with served.database.reading() as connection:
        connection.execute(select(tables.published.c.tag)).first()
        assert is_held(served)


def test_a_snapshot_in_pages_is_the_list(served: Served) -> None:
    """All rows, in order, three of one tag together, as the checkpoint signs them."""
    filled(served)
    checkpoint, *rows = served.registry.snapshot()
    assert isinstance(checkpoint, Checkpoint)
    content = ContentReader()
    for row in rows:
        assert isinstance(row, Row)
        content.take(row)
    assert (content.rows, content.digest()) == (7, checkpoint.content)


def test_a_snapshot_ends_when_a_new_version_comes(served: Served) -> None:
    """Between two pages; without a new version it goes on (control)."""
    filled(served)
    overtaken, undisturbed = served.registry.snapshot(), served.registry.snapshot()
    list(islice(overtaken, 2))
    list(islice(undisturbed, 2))
    assert len(list(undisturbed)) == 6
    served.active(served.b, "new")
    served.publish()
    with pytest.raises(OvertakenError):
        list(overtaken)


def test_what_is_withdrawn_while_members_read_is_erased(tmp_path: Path) -> None:
    """From SQLite's files, whoever is in the middle of a snapshot, and its log is emptied."""
    assert left(tmp_path, held=False) == (0, 0)


def test_it_would_be_left_with_a_transaction_for_each_stream(tmp_path: Path) -> None:
    """Control: a reader of one transaction keeps the log and the row in it."""
    remains, size = left(tmp_path, held=True)
    assert remains > 0
    assert size > 0


def left(folder: Path, *, held: bool) -> tuple[int, int]:
    """How often a withdrawn row is in the files, and how large SQLite's log is."""
    served = Served(f"sqlite:///{folder / 'registry.db'}")
    served.found()
    filled(served)
    (filed,) = served.active(served.a, "mistaken")
    served.publish()
    streams = [stream(served) for stream in STREAMS.values()]
    for stream in streams:
        next(stream)
    with served.database.reading() as connection:
        if held:
            connection.execute(select(tables.published.c.tag)).first()
        served.take(served.a, served.a.withdraw(filed.entry.entry_id))
        served.publish()
        dump = b"".join(path.read_bytes() for path in sorted(folder.glob("registry.db*")))
        size = (folder / "registry.db-wal").stat().st_size
    served.close()
    return dump.count(filed.sealed[0][:40]), size


def test_what_waits_is_not_read_before_it_is_asked_for(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page at a time; what is gone by then is not shown."""
    filled(served)
    read, shown = [], waiting_items._shown
    monkeypatch.setattr(waiting_items, "_shown", lambda *args: read.append(args[1]) or shown(*args))
    items = served.registry.waiting("L02")
    first = next(items)
    assert len(read) == 2
    later = [one.entry_id for one in served.registry.own("L01") if one.severity == 3][4]
    served.take(served.a, served.a.withdraw(later))
    rest = list(items)
    assert len({first.name, *(one.name for one in rest)}) == len(read) == 4
    assert len(list(served.registry.waiting("L03"))) == 4
