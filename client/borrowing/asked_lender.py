"""A lender that answers a batch of tokens from its own events: under the secure sum, if it will.

Invariants:
- It takes part only where its own settings say so (`asked_settings.py`): for this asker, so many
  batches a day, of this consortium and about today. It decides before it gives keys, and again
  before it gives numbers; the reason leaves signed.
- All batches of a consortium, of whatever day and key epoch, are answered over the same lenders,
  unless a person here allows others (`lianfang-client terms allow`): two totals of one person over
  sets that differ by one lender would be that lender's numbers.
- Only batches of the newest key epoch that events are kept under are answered.
- No batch is answered before the end of the one answered last was heard: that all were told the
  same lenders of its sum (docs/protocols/borrowing.md); or two persons here gave that up.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from client.answering import Answering, keep_to_itself
from client.borrowing.asked_book import AskedBook
from client.borrowing.asked_settings import AskedSettings
from client.borrowing.kept_events import KeptEvents
from client.outbox import Outbox
from client.revoked import read_revoked
from client.sealed import Sealed
from shared.borrowing.batch import NEWEST_DAYS, OLDEST_DAYS, check_batch, rows_name
from shared.errors import PeerError
from shared.secure_sum.floors import RefusedError
from shared.secure_sum.suite import Randomness
from shared.secure_sum.trust import Trust
from shared.training.asked_run import ASKED, AskedRun
from shared.training.question import Question as StageQuestion
from shared.wire.messages import Ask, Reply, Sum

_log = logging.getLogger("lianfang.client")


class AskedLender(Answering[AskedRun]):
    """Raises OperatorError when outbox, vault or what is kept cannot be used."""

    def __init__(
        self,
        settings: AskedSettings,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        randomness: Randomness = os.urandom,
    ) -> None:
        self._settings, self._clock = settings, clock
        self._batch = settings.agreement.batch
        self._rows_name = rows_name(self._batch.context)
        here = settings.own / "borrowing"
        self._book, self._events = AskedBook(here / "asked"), KeptEvents(here / "kept")
        keep_to_itself(settings.own)
        outbox = Outbox(settings.outbox, clock)
        sealed = Sealed(settings, outbox, clock, randomness, rows=self._rows_name)
        terms = settings.agreement
        super().__init__(settings.member, terms.digest(), AskedRun(terms), outbox, sealed)

    def _check_willing(self) -> None:
        willing, batch = self._settings.willing, self._batch
        if willing is None or not willing.answers(batch.asker):
            raise RefusedError("asked", expected="an asker named in [asked]", came=batch.asker)
        self._check_asker()
        self._check_asked_of()
        self._check_closed()
        self._book.take(batch, willing, self._today())

    def _check_asked_of(self) -> None:
        """The batch is about these days, and the newest key epoch that events are kept under."""
        batch, newest = self._batch, self._events.newest()
        age = self._today() - batch.day
        if not -NEWEST_DAYS <= age <= OLDEST_DAYS:
            raise RefusedError("asked", expected=f"{OLDEST_DAYS} days old at most", came=age)
        if batch.epoch != newest:
            kept = f"key epoch {newest}, the newest" if newest else "events kept here"
            raise RefusedError("asked", expected=kept, came=f"key epoch {batch.epoch}")

    def _check_asker(self) -> None:
        """A member of the consortium, not revoked, has signed the batch."""
        settings, batch = self._settings, self._batch
        trust = Trust(settings.authority, self._clock, settings.members)
        try:
            check_batch(batch, trust.member(batch.certificate, "lender"))
        except PeerError as error:
            raise RefusedError("asked", came=error.what) from error
        if batch.asker in read_revoked(settings.folder):
            raise RefusedError("asked", expected="a member not revoked", came=batch.asker)

    def _check_closed(self) -> None:
        """The end of the batch answered last was heard, as that of each before it."""
        last = self._book.unclosed(self._outbox.history, self._rows_name)
        if last and last.agreement != self._terms:
            raise RefusedError("unclosed", expected="its end", came=last.agreement[:16])

    def _secure(self, sealed: Sealed, ask: Ask, question: StageQuestion) -> Reply:
        if not question.length and self._book.is_closed(self._terms):  # heard, and proven, before
            return Sum(self.member, question.stage, np.empty(0, dtype=np.int64))
        return super()._secure(sealed, ask, question)

    def _answer(self) -> NDArray[np.int64]:
        batch = self._batch
        own = batch.asker == self.member
        if self._run.question().stage != ASKED:
            self._book.close(batch, self._terms, own=own)
            return np.empty(0, dtype=np.int64)
        self._book.answers(batch, self._terms, own=own)
        numbers = self._book.numbers(batch)
        if numbers is None:
            numbers = self._events.counts(batch.epoch, batch.tokens, batch.day)
            self._book.keep(batch, numbers)
        return numbers

    def _start_over(self) -> None:
        self._run = AskedRun(self._settings.agreement)

    def _today(self) -> int:
        return self._clock().date().toordinal()
