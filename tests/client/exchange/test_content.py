"""Which earlier hits a delta touches: those listed before whose rows are others now."""

from __future__ import annotations

from pathlib import Path

import pytest

from client.exchange.content import composed, content_after, content_of
from client.exchange.index import ListIndex
from shared.blacklist.rows import Changes, Row, changes_of
from tests.client.exchange.rows_made import row, tag

KNOWN, OTHER = row(1), row(30)


def touched(folder: Path, *steps: Changes) -> frozenset[bytes]:
    """Of a list that holds two rows; what the index then holds is what was computed."""
    index = ListIndex(folder / "list")
    index.replace([KNOWN, OTHER], 1)
    changes = composed(steps)
    after = content_after(index, content_of(index), changes)
    assert after is not None
    index.apply(changes, 2)
    assert content_of(index) == after.content
    return after.touched


def again(*rows: Row) -> Changes:
    """Rows that are dropped and come as they are said."""
    return changes_of({one.tag for one in rows}, rows)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([again(KNOWN)], set()),
        ([again(row(1, flags=1)), again(KNOWN)], set()),
        ([changes_of([], [row(60)]), again(row(60, flags=1))], set()),
        ([changes_of([KNOWN.tag], []), changes_of([], [KNOWN])], set()),
        ([again(row(1, flags=1))], {tag(1)}),
        ([changes_of([], [row(1, contributor=1)])], {tag(1)}),
        ([changes_of([KNOWN.tag], []), changes_of([], [row(60)])], {tag(1)}),
    ],
)
def test_only_what_was_listed_and_changed_is_touched(
    tmp_path: Path, steps: list[Changes], expected: set[bytes]
) -> None:
    """A row that came back as it was, or that nobody had before, is no earlier hit that changed; a
    flag, another contributor's row or an end is (controls).
    """
    assert touched(tmp_path, *steps) == expected
