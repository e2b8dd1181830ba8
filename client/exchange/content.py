"""Is the list after a delta what the checkpoint says it is? The digests of its groups of rows.

Invariants:
- A delta is taken only when the rows it leads to, their number included, are those signed: members
  that follow deltas and members that take snapshots have the same list, or one of them finds out.
- Only the groups that a delta touches are read; of the others the digests are kept.
- A tag counts as touched when it was listed before and other rows are under it now. One that is
  dropped and added as it was, or that is new, is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from client.exchange.progress import Told
from shared.blacklist.checkpoint import (
    BUCKETS,
    Checkpoint,
    ContentReader,
    bucket_digest,
    bucket_of,
    content_digest,
)
from shared.blacklist.rows import Changes, Row, changes_of, take_page
from shared.errors import PeerError
from shared.wire import registry_pb2 as wire


class Groups(Protocol):
    """A list whose rows can be read group by group."""

    def group(self, number: int) -> list[Row]:
        """The rows of a group (`bucket_of`), in order."""


@dataclass(frozen=True)
class Content:
    """`digests`: of the groups that are not empty; `rows`: how many there are in all."""

    digests: Mapping[int, bytes]
    rows: int

    def is_of(self, checkpoint: Checkpoint) -> bool:
        """Whether it is what the checkpoint says."""
        same = content_digest(self.digests) == checkpoint.content
        return same and self.rows == checkpoint.rows


def content_of(index: Groups) -> Content:
    """Of all rows: every group is read."""
    digests, rows = {}, 0
    for number in range(BUCKETS):
        if there := index.group(number):
            digests[number] = bucket_digest(there)
            rows += len(there)
    return Content(digests, rows)


@dataclass(frozen=True)
class After:
    """What changes make of a list: its `content`; `touched`: tags that were listed before and whose
    rows are others now.
    """

    content: Content
    touched: frozenset[bytes]


def content_after(index: Groups, before: Content, changes: Changes) -> After | None:
    """What the list will be; None when the index is not what `before` says it is.

    PeerError when the changes add a row that is there.
    """
    dropped, added = {*changes.dropped}, _by_group(changes.added)
    digests, rows, touched = dict(before.digests), before.rows, set[bytes]()
    for number in {bucket_of(tag) for tag in dropped} | {*added}:
        there = index.group(number)
        if digests.pop(number, None) != (bucket_digest(there) if there else None):
            return None
        after = sorted([row for row in there if row.tag not in dropped] + added.get(number, []))
        if any(one == later for one, later in pairwise(after)):
            raise PeerError("a version adds a row that is on the list already")
        if after:
            digests[number] = bucket_digest(after)
        rows += len(after) - len(there)
        touched |= {row.tag for row in there} & {row.tag for row in {*there} ^ {*after}}
    return After(Content(digests, rows), frozenset(touched))


def composed(steps: Sequence[Changes]) -> Changes:
    """Several versions' changes as one."""
    rows: dict[bytes, list[Row]] = {}
    for changes in steps:
        for tag in changes.dropped:
            rows[tag] = []
        for row in changes.added:
            rows.setdefault(row.tag, []).append(row)
    # a tag that is added only is not dropped: what is under it stays
    gone = {tag for changes in steps for tag in changes.dropped}
    return changes_of(gone, (row for of_tag in rows.values() for row in of_tag))


def verified_rows(
    stream: Iterable[wire.Page], checkpoint: Checkpoint, content: ContentReader, told: Told
) -> Iterator[Row]:
    """A snapshot's rows, which `content` takes; PeerError at the end when they are not those of the
    checkpoint.
    """
    for message in stream:
        added: list[Row] = []
        dropped: list[bytes] = []
        take_page(message.page, added, dropped)
        if dropped:
            raise PeerError("a snapshot drops rows")
        for row in added:
            content.take(row)
            yield row
        told(len(added))
    if (content.digest(), content.rows) != (checkpoint.content, checkpoint.rows):
        raise PeerError(f"the rows are not those of version {checkpoint.version}")


def _by_group(rows: Iterable[Row]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = {}
    for row in rows:
        found.setdefault(bucket_of(row.tag), []).append(row)
    return found
