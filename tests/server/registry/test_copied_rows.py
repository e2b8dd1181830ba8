"""A member that files another's published row again; on both databases."""

from dataclasses import replace

import pytest

from server.registry import registry, sealed_records
from server.registry.database import DamagedError
from server.registry.sql_state import SqlState
from shared.blacklist.entry import SubjectRole, SubjectToken
from shared.blacklist.events import File
from shared.blacklist.rows import Row, changes_of, pages_of, read_pages
from tests.blacklist_members import Lender, token
from tests.list_registry import Served


def copy_of(lender: Lender, row: Row) -> File:
    """A filing of a row that was read off the list: its maker knows no identifier."""
    tokens = (SubjectToken("resident_id", row.tag, row.epoch, SubjectRole.SUBJECT),)
    return lender.sign(
        File(**lender.header(), entry=lender.entry(tokens=tokens), sealed=(row.sealed,))
    )


def test_a_copied_row_is_refused(served: Served) -> None:
    """Under its tag or another's; an own record about the same subject is not (control)."""
    filed = served.active(served.a, "victim")[0]
    served.publish()
    (row,) = served.rows()
    assert served.refused(served.b, copy_of(served.b, row)) == "copied"
    elsewhere = replace(row, tag=token("another").token)
    assert served.refused(served.b, copy_of(served.b, elsewhere)) == "copied"
    served.take(served.a, filed)
    served.active(served.b, "victim")
    assert served.publish().rows == 2


def test_an_erased_row_does_not_come_back(served: Served) -> None:
    """Its digest is known after its tokens are gone, and after a restart."""
    filed = served.active(served.a, "cleared")[0]
    served.publish()
    (row,) = served.rows()
    served.take(served.a, served.a.withdraw(filed.entry.entry_id))
    served.publish()
    served.restart()
    assert served.refused(served.b, copy_of(served.b, row)) == "copied"


def test_a_record_is_not_refiled_or_filed_twice_in_one_entry(served: Served) -> None:
    """Copied through a rotation, or under both tokens of an entry."""
    served.active(served.a, "victim")
    own = served.active(served.b, "own")[0]
    served.publish()
    row = next(one for one in served.rows() if one.tag == token("victim").token)
    served.open_epoch(2)
    moved = served.b.refile(own.entry, (token("own", epoch=2),))
    copied = served.b.sign(replace(moved, sealed=(row.sealed,)))
    assert served.refused(served.b, copied) == "copied"
    served.take(served.b, served.b.refile(own.entry, (token("own", epoch=2),)))
    both = served.b.file(served.b.entry(tokens=(token("p", epoch=2), token("p", "phone", epoch=2))))
    twice = served.b.sign(replace(both, sealed=both.sealed[:1] * 2))
    assert served.refused(served.b, twice) == "copied"
    served.take(served.b, both)


def test_even_a_copy_that_was_taken_is_published_once(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without both refusals (control) the list stays readable: the first filing's row is there, and
    the copier's own other rows with it. A restart, which has them, finds the copy in the log.
    """
    monkeypatch.setattr(registry, "take_records", lambda *_: None)
    monkeypatch.setattr(SqlState, "filed", lambda *_: None)
    served.active(served.a, "victim")
    served.publish()
    (row,) = served.rows()
    served.active(served.b, "victim", severity=1)
    copy = copy_of(served.b, row)
    served.take(served.b, copy, served.b.approve(copy))
    assert served.publish().rows == 2
    for version in served.registry.versions_since(0):
        read_pages(pages_of(version.changes or []))
    assert len({one.sealed for one in served.rows()}) == 2
    assert row in served.rows()
    with pytest.raises(Exception, match="not in order"):
        read_pages(pages_of(changes_of([], [row, row]).packed()))  # what members would have got
    assert sealed_records.take_records is not registry.take_records
    with pytest.raises(DamagedError, match="a row of this filing was filed before"):
        served.restart()
