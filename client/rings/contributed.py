"""What this lender contributed to a case: it alone knows whom and what its tokens stand for.

    own/rings/<case>/contributed.db   sealed records of people, attributes, observations and pages

Invariants:
- An observation is on the disk before anything of it is sent, and the same one is kept once.
- A week's pages are kept, with what is on them, before the first leaves; the very same bytes leave
  again until they are answered. What was on pages that came too late goes on those of another week.
- What is taken back (`taken_back`) is never sent again as an observation.
- Identifiers and tokens are sealed under this lender's secret, which lies in another file; the
  tables hold keyed hashes of tokens.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256, shake_256
from hmac import digest
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from client.exchange.sealed_database import SealedDatabase
from client.exchange.secret import Secret
from client.files import keep_private
from client.rings.edges_file import Observations
from client.rings.taken_back import TakenBack
from shared.cases.pages import Stage
from shared.errors import OperatorError
from shared.rings.kinds import Kind
from shared.tokens.identifiers import Canonical

FILE = "contributed.db"
_FORM = 2
_OLDER = {
    1: (
        "alter table pairs add column back integer",
        "alter table edges add column back integer",
    )
}
_TABLES = (
    "people (mark blob primary key, sealed blob not null)",
    "attributes (mark blob primary key, shared integer not null default 0, sealed blob not null)",
    "pairs (person blob not null, attribute blob not null, round integer, "
    "back integer, primary key (person, attribute))",
    "edges (name blob not null, person blob not null, attribute blob not null, round integer, "
    "sealed blob not null, back integer, primary key (person, name))",
    "pages (name blob primary key, stage text not null, round integer not null, number integer "
    "not null, sealed blob, receipt blob)",
)
_FREED: Mapping[Stage, str] = {
    "count": "update pairs set round = -1 where round = ?",
    "edges": "update edges set round = -1 where round = ?",
}
"""The round of what was on pages that came too late is -1: some of them may be at the desk."""
_PAIRS = (
    "select people.mark, people.sealed, attributes.mark, attributes.sealed from pairs "
    "join people on people.mark = pairs.person "
    "join attributes on attributes.mark = pairs.attribute where "
)
_EDGES = (
    "select edges.name, edges.sealed, people.mark, people.sealed, attributes.mark, "
    "attributes.sealed from edges join people on people.mark = edges.person "
    "join attributes on attributes.mark = edges.attribute where "
)
_UNCOUNTED = _PAIRS + "ifnull(pairs.round, -1) < 0 and pairs.back is null"
_UNSENT = _EDGES + (
    "ifnull(edges.round, -1) < 0 and edges.back is null and attributes.shared = 1 "
    "order by edges.name"
)
_BACK = {"pairs": _PAIRS + "pairs.back < 0", "edges": _EDGES + "edges.back < 0 order by edges.name"}
Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Person:
    """Somebody this lender saw. `token`: of the case, 32 bytes; `ref`: its own name, or nothing."""

    token: bytes
    identifier: Canonical = field(repr=False)
    ref: str = field(repr=False)


@dataclass(frozen=True)
class Attribute:
    """What people were seen with."""

    token: bytes
    identifier: Canonical = field(repr=False)


@dataclass(frozen=True)
class Edge:
    """An observation; `name`: 32 bytes, of this lender's own."""

    name: bytes
    person: Person
    attribute: Attribute
    kind: Kind
    week: int
    band: int


@dataclass(frozen=True)
class KeptPage:
    """A page as it is sent; `name`: its digest, 32 bytes; `round`: the week it is sent in."""

    name: bytes
    round: int
    number: int
    text: bytes = field(repr=False)


Pair = tuple[Person, Attribute]
Observed = tuple[bytes, bytes, int, int]
"""Subject token, attribute token, kind, week: what an edge of a ring shows of an observation."""


class Contributed:
    """The records of one case in `folder`. Methods raise OperatorError when the disk does not do
    its part.
    """

    def __init__(self, folder: Path, secret: Secret, random: Callable[[int], bytes]) -> None:
        try:
            keep_private(folder)
        except OSError as error:
            raise OperatorError(
                f"{folder}: {error.strerror or type(error).__name__}",
                remedy="check space and rights of the folder",
            ) from error
        self._key = secret.derived(b"rings/mark", folder.name.encode())
        self.recognition = secret.derived(b"rings/recognition", folder.name.encode())
        box = secret.derived(b"rings/box", folder.name.encode())
        self._database = SealedDatabase(folder / FILE, _TABLES, _FORM, box, random, _OLDER)
        self.back = TakenBack(self._database, self._mark)

    def close(self) -> None:
        """Let the file go."""
        self._database.close()

    def add(self, found: Observations, people: Bytes, attributes: Bytes) -> int:
        """Keep observations whose people and attributes have these tokens (n, 32); how many are
        new. A reference is replaced by a later one; what was to be taken back and is on no page
        yet stays.
        """
        before = self.counted()[0]
        who = [self._mark(b"p", token.tobytes()) for token in people]
        what = [self._mark(b"a", token.tobytes()) for token in attributes]
        edges = []
        for seen in found.rows:
            pair = who[seen.person], what[seen.attribute]
            said = [int(seen.kind), seen.week, seen.band]
            name = self._mark(b"e", pair[0] + pair[1] + bytes([said[0], said[2]]), seen.week)
            edges.append((name, *pair, self._database.sealed(name, said)))
        self._database.change(
            (
                "insert into people values (?, ?) on conflict do update set sealed = "
                "excluded.sealed",
                self._people(found, people, who),
            ),
            (
                "insert or ignore into attributes (mark, sealed) values (?, ?)",
                [
                    (
                        mark,
                        self._database.sealed(mark, [one.kind, one.value, token.tobytes().hex()]),
                    )
                    for mark, one, token in zip(what, found.attributes, attributes, strict=True)
                ],
            ),
            (
                "insert into pairs (person, attribute) values (?, ?) "
                "on conflict do update set back = null where back < 0",
                [row[1:3] for row in edges],
            ),
            (
                "insert into edges (name, person, attribute, sealed) values (?, ?, ?, ?) "
                "on conflict do update set back = null where back < 0",
                edges,
            ),
        )
        return self.counted()[0] - before

    def counted(self) -> tuple[int, int, int]:
        """How many observations, people and attributes are kept."""
        query = (
            "select (select count(*) from edges), (select count(*) from people), "
            "(select count(*) from attributes)"
        )
        ((edges, people, attributes),) = self._database.rows(query)
        return int(edges), int(people), int(attributes)

    def people(self) -> list[Person]:
        """Everybody, in no order that means anything."""
        rows = self._database.rows("select mark, sealed from people order by mark")
        return [self._person(*row) for row in rows]

    def person(self, token: bytes) -> Person | None:
        """Whom a token stands for; None: nobody this lender contributed."""
        mark = self._mark(b"p", token)
        rows = self._database.rows("select mark, sealed from people where mark = ?", (mark,))
        return self._person(*rows[0]) if rows else None

    def attribute(self, token: bytes) -> Attribute | None:
        """What a token stands for; None: nothing this lender contributed."""
        mark = self._mark(b"a", token)
        rows = self._database.rows("select mark, sealed from attributes where mark = ?", (mark,))
        return self._attribute(*rows[0]) if rows else None

    def observed(self, person: bytes, *, sent: bool = True) -> frozenset[Observed]:
        """This lender's own observations of the subject with this token that the desk has; or those
        that it has not (or not all of whose round's pages it receipted).
        """
        mark = self._mark(b"p", person)
        rows = self._database.rows(
            "select edges.name, edges.sealed, attributes.mark, attributes.sealed from edges "
            "join attributes on attributes.mark = edges.attribute where edges.person = ? and "
            "(ifnull(edges.round, -1) >= 0 and not exists (select 1 from pages where "
            "stage = 'edges' and pages.round = edges.round and receipt is null)) = ?",
            (mark, sent),
        )
        found = set()
        for name, sealed, at, attribute in rows:
            kind, week, _ = self._database.opened(name, sealed)
            found.add((person, self._attribute(at, attribute).token, int(kind), int(week)))
        return frozenset(found)

    def uncounted(self, *, back: bool = False) -> list[Pair]:
        """Pairs that are on no count page; or that are to be taken back and on none that does."""
        rows = self._database.rows(_BACK["pairs"] if back else _UNCOUNTED)
        return [(self._person(*row[:2]), self._attribute(*row[2:])) for row in rows]

    def unsent(self, *, back: bool = False) -> list[Edge]:
        """Observations at attributes that are shared, and on no page of edges; or that are to be
        taken back and on none that does.
        """
        rows = self._database.rows(_BACK["edges"] if back else _UNSENT)
        found = []
        for name, sealed, *rest in rows:
            kind, week, band = self._database.opened(name, sealed)
            who, what = self._person(*rest[:2]), self._attribute(*rest[2:])
            found.append(Edge(name, who, what, Kind(kind), int(week), int(band)))
        return found

    def attributes(self, *, shared: bool | None = None) -> list[Attribute]:
        """All of them, or those that are shared or are not known to be."""
        rows = self._database.rows("select mark, sealed, shared from attributes order by mark")
        return [self._attribute(*row[:2]) for row in rows if shared in (None, bool(row[2]))]

    def share(self, tokens: Iterable[bytes]) -> None:
        """The desk says that these attributes have two subjects or more."""
        rows = [(self._mark(b"a", token),) for token in tokens]
        self._database.change(("update attributes set shared = 1 where mark = ?", rows))

    def drawn(self, round_: int, rows: int) -> Bytes:
        """(rows, 2, 32): degree ids and pair tags that stand for nothing, of a round; always the
        same ones, and as random as drawn to whoever has not this lender's secret.
        """
        seed = digest(self._key, b"drawn" + round_.to_bytes(4, "big"), sha256)
        packed = shake_256(seed).digest(rows * 64)
        return np.frombuffer(packed, np.uint8).reshape(rows, 2, 32)

    def keep_count(
        self, pages: Sequence[KeptPage], pairs: Sequence[Pair], back: Sequence[Pair] = ()
    ) -> None:
        """Keep a round's count pages; `pairs`: those that are on them, `back`: to be taken back."""

        def on_them(rows: Sequence[Pair]) -> list[tuple[int, bytes, bytes]]:
            marks = [(self._mark(b"p", a.token), self._mark(b"a", b.token)) for a, b in rows]
            return [(pages[0].round, *one) for one in marks]

        self._database.change(
            self._kept(pages, "count"),
            ("update pairs set round = ? where person = ? and attribute = ?", on_them(pairs)),
            ("update pairs set back = ? where person = ? and attribute = ?", on_them(back)),
        )

    def keep_edges(
        self, pages: Sequence[KeptPage], edges: Sequence[Edge], back: Sequence[Edge] = ()
    ) -> None:
        """Keep a round's pages of edges; `edges`: the observations on them, `back`: to be taken
        back.
        """

        def on_them(rows: Sequence[Edge]) -> list[tuple[int, bytes, bytes]]:
            return [(pages[0].round, self._mark(b"p", one.person.token), one.name) for one in rows]

        self._database.change(
            self._kept(pages, "edges"),
            ("update edges set round = ? where person = ? and name = ?", on_them(edges)),
            ("update edges set back = ? where person = ? and name = ?", on_them(back)),
        )

    def has_pages(self, stage: Stage, round_: int) -> bool:
        """Whether the pages of a round are made."""
        query = "select count(*) from pages where stage = ? and round = ?"
        return bool(self._database.rows(query, (stage, round_))[0][0])

    def pending(self, stage: Stage) -> list[KeptPage]:
        """Pages without an answer, in order."""
        rows = self._database.rows(
            "select name, round, number, sealed from pages where stage = ? and receipt is null "
            "order by round, number",
            (stage,),
        )
        return [
            KeptPage(name, int(week), int(number), b64decode(self._database.opened(name, sealed)))
            for name, week, number, sealed in rows
        ]

    def answered(self, name: bytes, receipt: bytes) -> None:
        """Keep the desk's receipt; the page itself is needed no more."""
        self._database.change(
            ("update pages set receipt = ?, sealed = null where name = ?", [(receipt, name)])
        )

    def late(self, stage: Stage, round_: int) -> None:
        """A round closed before all its pages were answered: what was on them goes on others."""
        self._database.change(
            (_FREED[stage], [(round_,)]),
            self.back.late(stage, round_),
            (
                "delete from pages where stage = ? and round = ? and receipt is null",
                [(stage, round_)],
            ),
        )

    def _kept(
        self, pages: Sequence[KeptPage], stage: Stage
    ) -> tuple[str, Sequence[Sequence[object]]]:
        statement = "insert into pages (name, stage, round, number, sealed) values (?, ?, ?, ?, ?)"
        rows = []
        for page in pages:
            sealed = self._database.sealed(page.name, b64encode(page.text).decode())
            rows.append((page.name, stage, page.round, page.number, sealed))
        return statement, rows

    def _people(
        self, found: Observations, tokens: Bytes, marks: Sequence[bytes]
    ) -> list[tuple[bytes, bytes]]:
        rows = []
        for mark, token, one, ref in zip(marks, tokens, found.people, found.refs, strict=True):
            packed = token.tobytes()
            known = None if ref else self.person(packed)
            said = [one.kind, one.value, ref or (known.ref if known else ""), packed.hex()]
            rows.append((mark, self._database.sealed(mark, said)))
        return rows

    def _person(self, mark: bytes, sealed: bytes) -> Person:
        kind, value, ref, token = self._database.opened(mark, sealed)
        return Person(bytes.fromhex(token), Canonical(kind, value), ref)

    def _attribute(self, mark: bytes, sealed: bytes) -> Attribute:
        kind, value, token = self._database.opened(mark, sealed)
        return Attribute(bytes.fromhex(token), Canonical(kind, value))

    def _mark(self, what: bytes, content: bytes, number: int = 0) -> bytes:
        return digest(self._key, what + number.to_bytes(4, "big") + content, sha256)
