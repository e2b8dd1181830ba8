"""The state in the database answers every question of the rules as the one in memory does."""

from sqlalchemy import select

from server.registry import tables
from server.registry.sql_state import SqlState
from shared.blacklist.events import File, Outcome, Refile, read_event
from shared.blacklist.lifecycle import Logged, fold
from shared.blacklist.row_names import row_names
from shared.blacklist.transitions import Status
from tests.blacklist_members import token
from tests.list_registry import Served

MEMBERS = ("L01", "L02", "L03", "L04")


def every_kind(served: Served) -> None:
    """Entries in all statuses, disputes of several members, two epochs, proposals, an erasure."""
    late, *disputed = served.active(served.a, "late", *[f"s{number}" for number in range(4)])
    served.take(served.b, served.b.dispute(late))
    served.clock.forward(days=21)
    served.publish()
    names = [one.entry.entry_id for one in disputed]
    served.take(served.b, *[served.b.dispute(one) for one in disputed[:2]])
    served.take(served.c, served.c.dispute(disputed[2]))
    served.take(served.a, served.a.dispute(disputed[3]))
    served.take(served.a, served.a.resolve(names[0], Outcome.UPHELD))
    served.open_epoch(2)
    served.take(served.a, served.a.refile(disputed[1].entry, (token("s1", epoch=2),)))
    (gone,) = served.active(served.b, "gone")
    served.take(served.b, served.b.withdraw(gone.entry.entry_id), served.b.open_epoch(3))
    served.take(served.c, served.c.file(served.c.entry("grave", severity=3)))
    served.publish()


def test_it_answers_as_the_state_in_memory(served: Served) -> None:
    """Asked about everything that is in the log, and about what is not."""
    every_kind(served)
    with served.database.reading() as connection:
        log = [
            Logged(row.seq, row.received, read_event(row.text))
            for row in connection.execute(select(tables.events).order_by(tables.events.c.seq))
        ]
        memory, database = fold(log, served.terms), SqlState(connection)
        filed = [one.event for one in log if isinstance(one.event, File | Refile)]
        rows = [name for event in filed for name in row_names(event)]
        assert {one.status for one in memory.entries.values()} >= {
            Status.PENDING_REVIEW,
            Status.ACTIVE,
            Status.DISPUTED,
            Status.SUSPENDED,
            Status.REMOVED,
        }
        for row in (*rows, bytes(32)):
            assert database.filed(row) == memory.filed(row)
        assert any(memory.filed(row) is None for row in rows)
        for name in (*memory.entries, bytes(16)):
            assert database.entry(name) == memory.entry(name)
            assert database.tags(name) == memory.tags(name)
        for code in MEMBERS:
            assert database.standing(code) == memory.standing(code)
            assert database.pending(code) == memory.pending(code)
            for other in MEMBERS:
                assert database.open_disputes(code, other) == memory.open_disputes(code, other)
        assert [memory.pending(code) for code in MEMBERS] == [0, 0, 1, 0]
        assert memory.open_disputes("L02", "L01") == 1  # one was upheld, one is overdue
        for event in (*memory.proposals, bytes(16)):
            assert database.proposal(event) == memory.proposal(event)
        assert database.epochs() == memory.epochs()
        assert [database.uncovered(one) for one in (1, 2)] == [
            memory.uncovered(one) for one in (1, 2)
        ]
