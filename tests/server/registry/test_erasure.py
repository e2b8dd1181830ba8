"""What was withdrawn is gone: from what members can download, and from SQLite's files."""

from base64 import b64encode
from pathlib import Path

import pytest
from sqlalchemy import LargeBinary, select

from server.registry import database, tables
from tests.list_registry import Served


def places(served: Served, content: bytes) -> set[str]:
    """Tables that hold it, as it is or as texts write it."""
    found, forms = set(), (content, b64encode(content))
    with served.database.reading() as connection:
        for table in tables.metadata.sorted_tables:
            blobs = [one for one in table.c if isinstance(one.type, LargeBinary)]
            for row in connection.execute(select(*blobs)):
                if any(form in one for one in row if one for form in forms):
                    found.add(table.name)
    return found


def test_a_withdrawn_row_cannot_be_downloaded(served: Served) -> None:
    """Its sealed record is nowhere at once; its tag is where followers learn that it went, for 30
    days. The versions' checkpoints stay, and other versions' changes with them (control).
    """
    served.active(served.a, "before")
    served.publish()
    filed = served.active(served.a, "mistaken")[0]
    served.publish()
    tag, sealed = filed.entry.tokens[0].token, filed.sealed[0]
    assert places(served, sealed) == {"events", "tokens", "changes", "published"}
    served.take(served.a, served.a.withdraw(filed.entry.entry_id))
    served.publish()
    assert places(served, sealed) == set()
    assert places(served, tag) == {"changes"}
    versions = list(served.registry.versions_since(0))
    assert [one.changes is None for one in versions] == [False, True, False]
    served.restart()
    served.clock.forward(days=31)
    served.publish()
    assert places(served, tag) == set()
    served.restart()


def test_nothing_of_it_is_left_in_the_files(tmp_path: Path) -> None:
    """Neither in freed pages nor in the write-ahead log, while the registry runs."""
    assert remains(tmp_path) == (0, 0)


@pytest.mark.parametrize("careless", ["freed", "log"])
def test_it_would_be_left_without_the_overwriting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, careless: str
) -> None:
    """Control: SQLite only marks pages as free, and its log keeps what they held."""
    if careless == "log":
        monkeypatch.setattr(database.Database, "clean", lambda self: True)
    else:
        monkeypatch.setattr(database, "_prepare_sqlite", without_overwriting)
    assert max(remains(tmp_path)) > 0


def without_overwriting(connection: object, _: object) -> None:
    """As SQLite is set by default."""
    connection.isolation_level = None  # type: ignore[attr-defined]
    for line in ("journal_mode=WAL", "secure_delete=OFF"):
        connection.execute(f"PRAGMA {line}").fetchall()  # type: ignore[attr-defined]


def forms_of(content: bytes) -> list[bytes]:
    """Parts that no page's end cuts off in all nine: as it is, and as texts write it."""
    return [content[:32], b64encode(content)[:40]]


def remains(folder: Path) -> tuple[int, int]:
    """How often tag and sealed record of a withdrawn entry are in the files after 31 days."""
    served = Served(f"sqlite:///{folder / 'registry.db'}")
    served.found()
    filed = served.active(served.a, *[f"mistaken {number}" for number in range(9)])
    served.publish()
    served.take(served.a, served.a.withdraw(*[one.entry.entry_id for one in filed]))
    served.publish()
    served.clock.forward(days=31)
    served.publish()
    dump = b"".join(path.read_bytes() for path in sorted(folder.glob("registry.db*")))
    served.close()
    tags = [form for one in filed for form in forms_of(one.entry.tokens[0].token)]
    sealed = [form for one in filed for form in forms_of(one.sealed[0])]
    return sum(map(dump.count, tags)), sum(map(dump.count, sealed))


def test_a_reader_in_the_way_is_waited_for(tmp_path: Path) -> None:
    """The log is emptied at the next tick; the registry does not stand still."""
    served = Served(f"sqlite:///{tmp_path / 'registry.db'}")
    served.found()
    filed = served.active(served.a, "mistaken")[0]
    served.publish()
    with served.database.reading() as reader:
        reader.execute(select(tables.events.c.seq)).all()
        served.take(served.a, served.a.withdraw(filed.entry.entry_id))
        served.publish()
        assert filed.sealed[0][64:128] in (tmp_path / "registry.db-wal").read_bytes() or (
            served.registry._unclean
        )
    served.publish()
    assert not served.registry._unclean
    assert (tmp_path / "registry.db-wal").stat().st_size == 0
    served.close()
