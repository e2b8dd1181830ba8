"""What nobody approves ends by itself and stands in nobody's way; on both databases."""

from __future__ import annotations

from sqlalchemy import select

from server.registry import tables
from shared.blacklist.events import Expire, read_event
from tests.blacklist_members import token
from tests.list_registry import Served


def names(served: Served, code: str = "L01") -> set[bytes]:
    """Of a member's live entries."""
    return {one.entry_id for one in served.registry.own(code)}


def test_an_entry_that_nobody_approves_ends_after_thirty_days(served: Served) -> None:
    """Not a day earlier, and also when it was re-filed meanwhile; its rows are erased. One that was
    approved stays (control).
    """
    (kept,) = served.active(served.a, "kept")
    filed = [served.a.file(served.a.entry(f"pending {one}", severity=3)) for one in range(3)]
    served.take(served.a, *filed)
    served.open_epoch(2)
    served.clock.forward(days=20)
    served.take(served.a, served.a.refile(filed[0].entry, (token("pending 0", epoch=2),)))
    later = served.a.file(served.a.entry("later", day=served.clock.now.date()))
    served.take(served.a, later)
    served.clock.forward(days=10)
    served.publish()
    assert names(served) == {one.entry.entry_id for one in (kept, later, *filed)}
    served.clock.forward(days=1)
    served.publish()
    assert names(served) == {kept.entry.entry_id, later.entry.entry_id}
    assert list(served.registry.waiting("L02")) == []
    with served.database.reading() as connection:
        texts = connection.scalars(select(tables.events.c.text)).all()
        held = set(connection.scalars(select(tables.tokens.c.entry_id)))
    ended = [one.entries for one in map(read_event, texts) if isinstance(one, Expire)]
    assert ended == [tuple(sorted(one.entry.entry_id for one in filed))]
    assert held == {kept.entry.entry_id, later.entry.entry_id}
    assert not any(one.sealed[0] in text for one in filed for text in texts)
    served.restart()


def test_what_waits_for_approval_holds_up_no_retirement(served: Served) -> None:
    """One entry of another member's that was never approved; an approved one does (control)."""
    served.take(served.c, served.c.file(served.c.entry("junk")))
    (kept,) = served.active(served.a, "kept")
    served.open_epoch(2)
    assert served.refused(served.a, served.a.retire_epoch(1)) == "uncovered"
    served.take(served.a, served.a.refile(kept.entry, (token("kept", epoch=2),)))
    served.retire_epoch(1)
    served.publish()
    served.restart()
    served.clock.forward(days=31)
    served.publish()
    assert names(served, "L03") == set()
    served.restart()
