"""Screening at the lender: applicants and whole books against its own copy of the list.

    book ──read_book──▶ subjects ──cache, else tokenise──▶ tags ──index──▶ rows ──open──▶ answers

Invariants:
- Nobody learns who was looked up or whether there was a hit: the list is searched here. All that
  leaves are blinded points of identifiers that have no cached token yet.
- An unchanged book whose tokens are cached is screened without a network.
- An answer never says "decline"; a record that does not open is counted, never taken for a hit or
  for none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from client.exchange.book import (
    Book,
    Progress,
    digest_of,
    no_progress,
    read_book,
)
from client.exchange.cache import TokenCache
from client.exchange.cells import BadCell, WarnedCell
from client.exchange.fetching import InParts, keep_parts, missing
from client.exchange.index import ListIndex
from client.exchange.screened_book import KeptBook, keep, kept
from client.exchange.sorted_keys import Numbers
from shared.blacklist.answer import Answer, Hit, answer_of
from shared.blacklist.record import read_record
from shared.blacklist.row_names import row_name
from shared.errors import InternalError, OperatorError, PeerError
from shared.tokens.identifiers import Canonical, MissingIdentifierError, canonical, token_input
from shared.tokens.tags import open_sealed, seal_key

_FORMAT = b"book/3|"
"""Of what is kept of a book; one kept otherwise is read again."""
MOST_LINES = 20


@dataclass(frozen=True)
class Source:
    """Where the tokens of an epoch come from; `in_parts` None: only from the cache."""

    epoch: int
    cache: TokenCache
    in_parts: InParts | None = None


@dataclass(frozen=True)
class Findings:
    """What a book's cells are like: `bad` ones; how many had each of `warnings`; some of those."""

    bad: tuple[BadCell, ...]
    warnings: Mapping[str, int]
    warned: tuple[WarnedCell, ...]


Told = Callable[[Findings], None]


@dataclass(frozen=True)
class RowAnswer:
    """A row of a book with a hit. `line` as in the file; `ref`: the book's own reference."""

    line: int
    ref: str
    answer: Answer


@dataclass(frozen=True)
class NotLookedUp:
    """Rows without an identifier: how many, and the lines of at most `MOST_LINES` of them."""

    count: int
    lines: tuple[int, ...]


_ALL = NotLookedUp(0, ())


@dataclass(frozen=True)
class Screening:
    """`hits` by line. `unreadable`: records that did not open; `asked`: tokens that were fetched;
    `version`: of the list; `findings`: in the book's cells; `skipped`: key epochs whose rows were
    not looked at (`Screener`); `not_looked_up`: rows without an identifier.
    """

    rows: int
    subjects: int
    hits: tuple[RowAnswer, ...]
    findings: Findings
    unreadable: int
    asked: int
    version: int
    skipped: tuple[int, ...] = ()
    not_looked_up: NotLookedUp = _ALL


class Screener:
    """Screens against `index` with the tokens of every epoch that answers (two in a rotation), but
    those in `skipped`, which nobody has a key of.
    """

    def __init__(
        self,
        context: str,
        index: ListIndex,
        sources: Sequence[Source],
        *,
        today: date,
        skipped: tuple[int, ...] = (),
    ) -> None:
        if not sources:
            raise InternalError("a screening needs the tokens of an epoch")
        self._context, self._index = context, index
        self._sources, self._today = tuple(sources), today
        self._skipped, self._unreadable = skipped, 0

    def look_up(self, identifiers: Mapping[str, str]) -> Answer | None:
        """The answer about one subject, kind → text; None: not on the list, as far as asked.

        Raises IdentifierError for a text without a canonical form, OperatorError when tokens are
        not cached and there is nobody to ask.
        """
        subjects = []
        for kind, text in identifiers.items():
            try:
                subjects.append(canonical(kind, text, today=self._today))
            except MissingIdentifierError:
                continue
        return answer_of(self.hits(subjects), self._today)

    def hits(self, subjects: Sequence[Canonical]) -> list[Hit]:
        """Every opened row about one subject's identifiers: what its answer is made of."""
        hits: list[Hit] = []
        for source in self._sources:
            token, _ = self._tokens(source, subjects, no_progress(0))
            found = self._hits(source, token, lambda at: subjects[at].kind)
            hits += [hit for of_subject in found.values() for hit in of_subject]
        return hits

    def screen(
        self,
        path: Path,
        *,
        columns: Mapping[str, str] | None = None,
        progress: Progress = no_progress,
        told: Told = lambda _: None,
    ) -> Screening:
        """Screen a book (CSV or Parquet). `columns` as `read_book`.

        `progress` is called for reading and again for each epoch's tokens; `told` once, when the
        cells are known and before anybody is asked. Raises OperatorError, PeerError.
        """
        name = self._name(path, columns or {})
        books = [kept(source.cache, name) for source in self._sources]
        asked = 0
        if any(book is None for book in books):
            asked = self._read(path, columns or {}, name, progress, told)
            books = [kept(source.cache, name) for source in self._sources]
        elif books[0] is not None:
            told(_findings(books[0]))
        self._unreadable = 0
        whole = [book for book in books if book is not None]
        hits = self._by_row(whole)
        rows = np.array(sorted(hits), np.int64)
        book = whole[0]
        answers = zip(rows, book.lines(rows), book.refs(rows), strict=True)
        found = [
            (int(line), ref, answer_of(hits[int(row)], self._today)) for row, line, ref in answers
        ]
        return Screening(
            rows=book.rows,
            subjects=len(book.token),
            hits=tuple(RowAnswer(line, ref, one) for line, ref, one in found if one is not None),
            findings=_findings(book),
            unreadable=self._unreadable,
            asked=asked,
            version=self._index.version,
            skipped=self._skipped,
            not_looked_up=_not_looked_up(book),
        )

    def _name(self, path: Path, columns: Mapping[str, str]) -> bytes:
        return _FORMAT + digest_of(path, columns) + self._context.encode()

    def _read(
        self,
        path: Path,
        columns: Mapping[str, str],
        name: bytes,
        progress: Progress,
        told: Told,
    ) -> int:
        """Read a book, fetch the tokens that are missing, and keep both; returns how many."""
        book = read_book(path, today=self._today, columns=columns, progress=progress)
        if self._name(path, columns) != name:
            raise OperatorError(
                f"{path.name} was changed while it was read", remedy="screen it again"
            )
        told(_findings(book))
        asked = 0
        for source in self._sources:
            token, fetched = self._tokens(source, book.subjects, progress(len(book.subjects)))
            keep(source.cache, name, book, token, file=path.name, day=self._today)
            asked += fetched
        return asked

    def _tokens(
        self, source: Source, subjects: Sequence[Canonical], told: Callable[[int], None]
    ) -> tuple[Numbers, int]:
        """The number of each subject's token in the cache, and how many had to be fetched."""
        inputs = [token_input(self._context, subject) for subject in subjects]
        numbers = source.cache.numbers(inputs)
        wanted = missing(inputs, numbers)
        told(int((numbers >= 0).sum()))
        if not wanted:
            return numbers, 0
        if source.in_parts is None:
            raise OperatorError(
                f"{len(wanted):,} identifiers have no token of epoch {source.epoch} yet",
                remedy="screen once with the key holders in reach; after that none is needed",
            )
        keep_parts(source.cache, source.in_parts(wanted), told)
        return source.cache.numbers(inputs), len(wanted)

    def _by_row(self, books: Sequence[KeptBook]) -> dict[int, list[Hit]]:
        hits: dict[int, list[Hit]] = {}
        for source, book in zip(self._sources, books, strict=True):
            of_subject = self._hits(source, book.token, book.kind_of)
            if not of_subject:
                continue
            row, subject = book.cells()
            chosen = np.isin(subject, [*of_subject])
            for at, one in zip(row[chosen], subject[chosen], strict=True):
                hits.setdefault(int(at), []).extend(of_subject[int(one)])
        return hits

    def _hits(
        self, source: Source, token: Numbers, kind_of: Callable[[int], str]
    ) -> dict[int, list[Hit]]:
        """Subject → its opened rows; `token` (s,) are the subjects' tokens."""
        tags = source.cache.tags(token)
        pairs = self._index.find(tags)
        subjects = np.unique(pairs.asked)
        outputs = source.cache.outputs(token[subjects])
        keys = {int(one): seal_key(y) for one, y in zip(subjects, outputs, strict=True)}
        hits: dict[int, list[Hit]] = {}
        for asked, found in zip(pairs.asked, pairs.found, strict=True):
            row = self._index.row(int(found))
            try:
                record = read_record(open_sealed(keys[int(asked)], row.sealed, row.tag))
            except PeerError:
                self._unreadable += 1
                continue
            name = row_name(row.tag, row.sealed)
            hit = Hit(kind_of(int(asked)), row.tag, name, row.flags, record)
            hits.setdefault(int(asked), []).append(hit)
        return hits


def _not_looked_up(book: KeptBook) -> NotLookedUp:
    empty = np.ones(book.rows, bool)
    row, _ = book.cells()
    empty[row] = False
    rows = np.flatnonzero(empty)
    return NotLookedUp(len(rows), tuple(map(int, book.lines(rows[:MOST_LINES]))))


def _findings(book: Book | KeptBook) -> Findings:
    return Findings(book.bad, book.warnings, book.warned)
