"""A dispute stays visible however often its contributor files the subject; on both databases."""

from __future__ import annotations

import pytest

from server.registry import listed
from shared.blacklist.events import File, Outcome
from shared.blacklist.rows import Flag
from tests.list_registry import Served


def flags(served: Served) -> list[Flag]:
    """Of all published rows."""
    served.publish()
    return [row.flags for row in served.rows()]


def disputed_and_filed_again(served: Served) -> tuple[File, File]:
    """A disputed entry, and a later one of its contributor's, whose row is shown instead."""
    (first,) = served.active(served.a, "victim", severity=1)
    served.publish()
    served.take(served.b, served.b.dispute(first))
    (again,) = served.active(served.a, "victim", severity=2)
    served.publish()
    assert [row.sealed for row in served.rows()] == [again.sealed[0]]
    return first, again


def test_filing_again_hides_no_dispute(served: Served) -> None:
    """Neither while it is open nor once it is overdue; when it is settled the mark goes. Another
    contributor's row has none (control).
    """
    first, _ = disputed_and_filed_again(served)
    assert flags(served) == [Flag.DISPUTED]
    served.active(served.b, "victim")
    assert sorted(flags(served)) == [Flag(0), Flag.DISPUTED]
    served.clock.forward(days=22)
    assert sorted(flags(served)) == [Flag(0), Flag.DISPUTED]
    served.restart()
    served.take(served.a, served.a.resolve(first.entry.entry_id, Outcome.ANNOTATED))
    assert sorted(flags(served)) == [Flag(0), Flag.ANNOTATED]
    served.take(served.a, served.a.withdraw(first.entry.entry_id))
    assert flags(served) == [Flag(0), Flag(0)]
    served.restart()


def test_the_end_of_an_overdue_dispute_takes_the_mark_away(served: Served) -> None:
    """Although the suspended entry has no row that could change."""
    first, again = disputed_and_filed_again(served)
    served.clock.forward(days=22)
    assert flags(served) == [Flag.DISPUTED]
    served.take(served.a, served.a.resolve(first.entry.entry_id, Outcome.CORRECTED))
    assert flags(served) == [Flag(0)]
    assert [row.sealed for row in served.rows()] == [again.sealed[0]]
    served.restart()


def test_it_would_without_the_marks_of_all_its_entries(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: by the marks of its own entry alone the later row looks clean."""
    monkeypatch.setattr(listed, "_marked_together", lambda filed, entry: entry.entry_id)
    disputed_and_filed_again(served)
    assert flags(served) == [Flag(0)]
