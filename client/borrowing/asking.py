"""The stronger mode at the lender that asks, and its own events at every lender that answers.

    own/borrowing/kept/                  own events under tokens (`kept_events.py`)
    own/borrowing/asked/BATCH.ask        which line of the book each token of a batch is of
    own/borrowing/asked/BATCH.numbers    what this lender itself answered (`asked_book.py`)

Invariants:
- A batch file holds tokens only; which are of persons, and of whom, stays here.
- An answer is opened only if this lender answered the batch itself, over exactly the lenders that
  the answer names, and heard its end: what it takes off is what it added.
- Bands are told, of the others together; triggers say "look", never more.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np

from client.borrowing.asked_book import AskedBook
from client.borrowing.event_rows import PURPOSE, rows_of
from client.borrowing.events_file import known, read_events
from client.borrowing.kept_events import KeptEvents
from client.exchange.book import read_book
from client.exchange.cells import BadCell
from client.exchange.own_tokens import OwnTokens
from client.exchange.parties import Progress, no_progress
from client.exchange.secret import Secret
from client.files import keep_private, write_durably, write_whole
from client.outbox import Outbox
from shared.borrowing.answer import Bands
from shared.borrowing.asked import asked_bands
from shared.borrowing.batch import (
    Batch,
    check_answer,
    made_batch,
    read_answer,
    read_batch,
    rows_name,
)
from shared.borrowing.rows import ledger_of
from shared.borrowing.tokens import subject_tokens
from shared.errors import OperatorError, PeerError
from shared.identity.certificate import Identity
from shared.secure_sum.encoding import text_of
from shared.secure_sum.trust import Trust


@dataclass(frozen=True)
class Kept:
    """`events` of a file, as `rows` of which `there` are kept now; `late`: lines left out."""

    events: int
    rows: int
    there: int
    late: tuple[int, ...]


@dataclass(frozen=True)
class BatchMade:
    """`digest`: hex; `rows` of the book, with so many `tokens`; `bad`: cells left out."""

    digest: str
    rows: int
    tokens: int
    bad: tuple[BadCell, ...]


@dataclass(frozen=True, eq=False)
class Opened:
    """Of a batch: its day; how many lenders are in it; per token that was asked its line of the
    book, the book's own reference, the kind of identifier, and `bands` (m, ASKED_CELLS - 1).
    """

    day: date
    lenders: int
    lines: tuple[int, ...]
    refs: tuple[str, ...]
    kinds: tuple[str, ...]
    bands: Bands


class Asking:
    """`own`: the lender's own folder; `trust`: whom it believes."""

    def __init__(
        self,
        identity: Identity,
        context: str,
        own: Path,
        tokens: OwnTokens,
        secret: Secret,
        trust: Trust,
        outbox: Outbox,
        *,
        clock: Callable[[], datetime],
        random: Callable[[int], bytes],
    ) -> None:
        self._identity, self._context = identity, context
        self._tokens, self._secret, self._trust = tokens, secret, trust
        self._outbox, self._clock, self._random = outbox, clock, random
        self._kept = KeptEvents(own / "borrowing" / "kept")
        self._folder = own / "borrowing" / "asked"

    @property
    def today(self) -> date:
        """By the clock, UTC."""
        return self._clock().date()

    def keep(
        self,
        path: Path,
        *,
        retract: bool = False,
        columns: Mapping[str, str] | None = None,
        progress: Progress = no_progress,
    ) -> Kept:
        """Keep a file's events to answer batches from, or take them back; nothing of them leaves
        but blinded points to the key holders. OperatorError, and nothing is changed, where a row is
        wrong.
        """
        events, late = read_events(path, today=self.today, columns=columns or {})
        epoch = self._epoch()
        rows = rows_of(events, epoch, self._tokens, self._context, self._secret, progress)
        there = self._kept.change(epoch, rows, self.today.toordinal(), retract=retract)
        return Kept(len(events), len(rows), there, late)

    def ask(
        self,
        path: Path,
        out: Path,
        *,
        columns: Mapping[str, str] | None = None,
        progress: Progress = no_progress,
    ) -> BatchMade:
        """Write a batch about the people in a book to `out`; OperatorError, and nothing is written,
        where there are too many, or none has an identifier that borrowing is counted by.
        """
        book = read_book(path, today=self.today, columns=columns or {})
        asked = [
            (int(row), kind, one)
            for row, subject in zip(book.row, book.subject, strict=True)
            for kind, one in known((book.subjects[int(subject)],))
        ]
        if not asked:
            raise OperatorError(
                f"{path.name}: no identifier that borrowing is counted by",
                remedy="give a resident id (or passport …), a phone or a device",
            )
        epoch, distinct = self._epoch(), list(dict.fromkeys(one for _, _, one in asked))
        outputs = self._tokens.outputs(distinct, epoch, PURPOSE, progress)
        made = subject_tokens(ledger_of(self._context, epoch), outputs)
        token = {one: made[at].tobytes() for at, one in enumerate(distinct)}
        batch = made_batch(
            self._context, epoch, self.today.toordinal(), self._identity, list(token.values()),
            self._random,
        )  # fmt: skip
        place = {one: at for at, one in enumerate(batch.tokens)}
        refs = book.refs or ("",) * len(book.lines)
        lines = [
            [int(book.lines[row]), refs[row], kind.name.lower(), place[token[one]]]
            for row, kind, one in asked
        ]
        self._remember(batch, lines)
        try:
            write_whole(out, text_of(batch) + b"\n")
        except OSError as error:
            raise OperatorError(
                f"{out}: cannot be written ({error.strerror})", remedy="check folder and space"
            ) from error
        return BatchMade(batch.digest.hex(), len(book.lines), len(distinct), book.bad)

    def open(self, path: Path) -> Opened:
        """What the others counted, in bands, from the coordinator's answer to an own batch.

        OperatorError, PeerError for another file, a changed one, or one over other lenders than
        this lender answered over.
        """
        try:
            answer = read_answer(path.read_bytes().strip())
        except OSError as error:
            raise OperatorError(
                f"{path.name}: cannot be read ({error.strerror})", remedy="check path and rights"
            ) from error
        batch, lines = self._remembered(answer.batch)
        check_answer(answer, self._trust.member(answer.certificate, "coordinator"), batch.digest)
        book = AskedBook(self._folder)
        own, terms = book.numbers(batch), book.heard_under(batch)
        if own is None or terms is None or answer.lenders != self._answered(batch, terms):
            raise PeerError(
                "this lender did not answer this batch over the lenders that the answer names",
                remedy="keep the file and ask the coordinator: an own part is taken off only where "
                "it was added",
            )
        bands = asked_bands(answer.numbers, own)
        places = [int(place) for *_, place in lines]
        return Opened(
            date.fromordinal(batch.day),
            len(answer.lenders),
            tuple(int(one[0]) for one in lines),
            tuple(str(one[1]) for one in lines),
            tuple(str(one[2]) for one in lines),
            bands[np.array(places, np.int64)],
        )

    def _epoch(self) -> int:
        used, _ = self._tokens.usable()
        return max(used)

    def _answered(self, batch: Batch, terms: str) -> tuple[str, ...] | None:
        """The lenders of the sum that this lender opened."""
        name = rows_name(batch.context)
        for record in self._outbox.history.answered.values():
            if (record.rows, record.agreement) == (name, terms):
                return record.lenders
        return None

    def _remember(self, batch: Batch, lines: Sequence[Sequence[object]]) -> None:
        content = {"batch": text_of(batch).decode(), "lines": lines}
        path = self._path(batch.digest)
        try:
            keep_private(self._folder)
            write_durably(path, json.dumps(content, ensure_ascii=False).encode())
        except OSError as error:
            raise OperatorError(
                f"{path}: {error.strerror or type(error).__name__}; no batch was written",
                remedy="check space and rights of the folder",
            ) from error

    def _remembered(self, digest: bytes) -> tuple[Batch, list[list[Any]]]:
        path = self._path(digest)
        try:
            found = json.loads(path.read_bytes())
            return read_batch(found["batch"].encode()), list(found["lines"])
        except FileNotFoundError as error:
            raise OperatorError(
                "an answer to a batch that was not asked from this folder",
                remedy="name the folder of the lender that asked",
            ) from error
        except (OSError, ValueError, KeyError, TypeError, AttributeError, PeerError) as error:
            raise OperatorError(f"{path} is damaged", remedy="ask anew") from error

    def _path(self, digest: bytes) -> Path:
        return self._folder / f"{digest.hex()}.ask"
