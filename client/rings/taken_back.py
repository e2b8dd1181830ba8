"""Observations that this lender takes back, as they were contributed by mistake.

    wanted ─► on the week's pages of pairs, then of edges ─► receipted ─► forgotten here

Invariants:
- What never left is forgotten at once. What may be at the desk is forgotten when the desk has
  receipted the pages that take it back.
- What was sent for the count only leaves as a pair again, never as an edge.
- A pair goes only when no other observation of the same person with the same thing stays.
- Pages that came too late took nothing back: the rows go on others.
- People and things with nothing left are forgotten with their identifiers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from client.exchange.sealed_database import SealedDatabase
from client.rings.edges_file import Observations
from shared.cases.pages import Stage
from shared.tokens.identifiers import Canonical

Name = tuple[bytes, bytes]
"""Of a kept observation: its person's mark and its name."""
_LATE: dict[Stage, str] = {
    "count": "update pairs set back = -1 where back = ?",
    "edges": "update edges set back = -1 where back = ?",
}
"""`back`: -1 for what is to be taken back, or the week on whose pages it is; null else."""
_WANT = "update edges set back = -1 where person = ? and name = ? and back is null"
_HERE = (
    "delete from edges where back is not null and round is null",
    "delete from pairs where round is null and not exists (select 1 from edges where "
    "edges.person = pairs.person and edges.attribute = pairs.attribute and edges.back is null)",
    "update pairs set back = -1 where back is null and not exists (select 1 from edges where "
    "edges.person = pairs.person and edges.attribute = pairs.attribute and edges.back is null)",
)
_RECEIPTED = (
    "delete from pairs where back >= 0 and not exists (select 1 from pages where "
    "stage = 'count' and round = pairs.back and receipt is null)",
    "delete from edges where back >= 0 and not exists (select 1 from pages where "
    "stage = 'edges' and round = edges.back and receipt is null)",
)
_ORPHANS = (
    "delete from people where not exists (select 1 from edges where person = people.mark) and "
    "not exists (select 1 from pairs where person = people.mark)",
    "delete from attributes where not exists (select 1 from edges where attribute = "
    "attributes.mark) and not exists (select 1 from pairs where attribute = attributes.mark)",
)


@dataclass(frozen=True)
class Counted:
    """Observations that would go: `here` never left, `sent` may be at the desk, be it for the count
    only; of how many `people`. `unknown`: rows of the file, or references, that stand for nothing
    that is kept; `before`: that were taken back already.
    """

    here: int = 0
    sent: int = 0
    people: int = 0
    unknown: int = 0
    before: int = 0


class TakenBack:
    """Over the records of one case. `mark`: of a token, as `Contributed` names people."""

    def __init__(self, database: SealedDatabase, mark: Callable[..., bytes]) -> None:
        self._database, self._mark = database, mark

    def named(self, found: Observations) -> tuple[list[Name], int]:
        """What rows of a file stand for, and how many stand for nothing that is kept."""
        people, things = self._held("people"), self._held("attributes")
        names, unknown = [], 0
        for seen in found.rows:
            who = people.get(found.people[seen.person])
            what = things.get(found.attributes[seen.attribute])
            if who is None or what is None:
                unknown += 1
                continue
            said = bytes([int(seen.kind), seen.band])
            names.append((who, self._mark(b"e", who + what + said, seen.week)))
        known = {tuple(row) for row in self._database.rows("select person, name from edges")}
        kept = [name for name in names if name in known]
        return kept, unknown + len(names) - len(kept)

    def of_refs(self, refs: Sequence[str]) -> tuple[list[Name], int]:
        """All observations of the customers with these references, and how many name nobody."""
        found = dict[str, list[bytes]]()
        for mark, sealed in self._database.rows("select mark, sealed from people"):
            found.setdefault(self._database.opened(mark, sealed)[2], []).append(mark)
        marks = [mark for ref in {*refs} - {""} for mark in found.get(ref, [])]
        query = "select person, name from edges where person = ?"
        names = [(who, name) for mark in marks for who, name in self._database.rows(query, (mark,))]
        return names, sum(ref not in found or not ref for ref in {*refs})

    def counted(self, names: Sequence[Name], unknown: int = 0) -> Counted:
        """What `want` would do."""
        query = (
            "select ifnull(edges.round, pairs.round), edges.back from edges left join pairs on "
            "pairs.person = edges.person and pairs.attribute = edges.attribute "
            "where edges.person = ? and edges.name = ?"
        )
        rows = [(who, *self._database.rows(query, (who, name))[0]) for who, name in {*names}]
        new = [(who, round_) for who, round_, back in rows if back is None]
        here = sum(round_ is None for _, round_ in new)
        people = len({who for who, _ in new})
        return Counted(here, len(new) - here, people, unknown, len(rows) - len(new))

    def want(self, names: Sequence[Name]) -> None:
        """Take these back."""
        self._database.change((_WANT, names), *(_once(one) for one in (*_HERE, *_ORPHANS)))

    def settle(self) -> None:
        """Forget what pages took back that are all receipted."""
        self._database.change(*(_once(one) for one in (*_RECEIPTED, *_ORPHANS)))

    def late(self, stage: Stage, round_: int) -> tuple[str, Sequence[Sequence[object]]]:
        """The change by which what was on a late round's pages waits for others."""
        return _LATE[stage], [(round_,)]

    def _held(self, table: str) -> dict[Canonical, bytes]:
        """Marks of what is kept, by identifier."""
        rows = self._database.rows(f"select mark, sealed from {table}")  # noqa: S608
        opened = [(mark, self._database.opened(mark, sealed)) for mark, sealed in rows]
        return {Canonical(kind, value): mark for mark, (kind, value, *_) in opened}


def _once(statement: str) -> tuple[str, Sequence[Sequence[object]]]:
    return statement, [()]
