"""A lender's desk for borrowing elsewhere: what it contributes, and what it looks up at home.

Invariants:
- What is looked up stays here: tokens come from the cache, or from the key holders as blinded
  points; the table is this lender's own copy. With cached tokens a look-up needs no network.
- Pages are on this lender's disk before they leave, and leave until they are answered.
- An answer holds nothing of this lender's own events, as far as the table has them: then it reads
  the record that was made for it alone.
- An answer gives bands and says how old it is. Triggers say "look", never more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from client.borrowing.desk_client import DeskClient, Fetched
from client.borrowing.event_rows import PURPOSE, rows_of
from client.borrowing.events_file import known, read_events
from client.borrowing.table import OwnTable, highest
from client.borrowing.told_before import Before, told_before
from client.exchange.own_tokens import OwnTokens
from client.exchange.parties import Progress, no_progress
from client.exchange.secret import Secret
from client.exchange.submissions import Settled
from shared.blacklist.events import signed
from shared.borrowing.answer import Answer
from shared.borrowing.pages import MOST_ROWS, ContributionPage, Rows
from shared.borrowing.rows import ledger_of, own_names
from shared.borrowing.terms import IdKind
from shared.borrowing.tokens import subject_tokens
from shared.errors import OperatorError
from shared.identity.certificate import Identity
from shared.tokens.identifiers import Canonical

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Contributed:
    """`events` of the file that were told, as `rows` under tokens, in `pages`; `late`: lines of
    those left out, as they are out of their term; `refused`: what the desk said to pages it did not
    take, of this file or kept here before; `before`: what of the events was told before.
    """

    events: int
    rows: int
    pages: int
    late: tuple[int, ...]
    refused: tuple[Settled, ...]
    before: Before


@dataclass(frozen=True)
class Elsewhere:
    """What is known of a person: by kind of identifier, an answer or None, no record; `day`: of
    the table.
    """

    day: date
    answers: Mapping[IdKind, Answer | None]

    @property
    def triggered(self) -> tuple[str, ...]:
        """Windows whose trigger any kind of identifier sets off, in order."""
        fired = {name for one in self.answers.values() if one for name in one.triggered}
        return tuple(sorted(fired, key=lambda name: (name[0], int(name[1:]))))


class Borrowing:
    """`code`: of the desk; `epochs`: key epochs whose tokens are looked up, by `tokens`."""

    def __init__(
        self,
        identity: Identity,
        context: str,
        code: str,
        tokens: OwnTokens,
        table: OwnTable,
        client: DeskClient,
        secret: Secret,
        *,
        clock: Callable[[], datetime],
        random: Callable[[int], bytes],
    ) -> None:
        self._identity, self._context, self._code = identity, context, code
        self._tokens, self.table, self._client = tokens, table, client
        self._secret, self._clock, self._random = secret, clock, random

    @property
    def today(self) -> date:
        """By the clock, UTC."""
        return self._clock().date()

    def contribute(
        self,
        path: Path,
        *,
        retract: bool = False,
        columns: Mapping[str, str] | None = None,
        progress: Progress = no_progress,
        sending: Progress = no_progress,
    ) -> Contributed:
        """Tell the desk of a file's events (`events_file.py`), or take them back. Told again, they
        count once.

        OperatorError, and nothing was kept or sent, where a row is wrong; or where the desk cannot
        be reached: then the pages are kept and leave with the next sync.
        """
        events, late = read_events(path, today=self.today, columns=columns or {})
        used, _ = self._tokens.usable()
        epoch = max(used)
        rows = rows_of(events, epoch, self._tokens, self._context, self._secret, progress)
        pages = [
            self._page(rows[start : start + MOST_ROWS], epoch, retract=retract)
            for start in range(0, len(rows), MOST_ROWS)
        ]
        lines = [event.line for event in events for _ in event.identifiers]
        before = told_before(self._client.not_refused(), rows, lines, retract=retract)
        if pages:
            self._client.keep(pages)
        answers = self._client.settle_pending(sending) if pages else []
        refused = tuple(one for one in answers if one.refusal)
        return Contributed(len(events), len(rows), len(pages), late, refused, before)

    def sync(
        self,
        progress: Progress = no_progress,
        answered: Callable[[Sequence[Settled]], None] = lambda _: None,
    ) -> tuple[list[Settled], Fetched]:
        """Send what was kept, then fetch the latest table; how its pages were answered. `answered`
        is given that before the table is fetched: a refusal is said also where that fails.
        """
        settled = self._client.settle_pending()
        answered(settled)
        return settled, self._client.sync(progress)

    def check(
        self, identifiers: Sequence[Canonical], progress: Progress = no_progress
    ) -> Elsewhere:
        """What other lenders told of one person. OperatorError where there is no table, it is out
        of its term, or no identifier is one that borrowing is counted by.
        """
        return self.look_up([tuple(identifiers)], progress)[0]

    def look_up(
        self, people: Sequence[tuple[Canonical, ...]], progress: Progress = no_progress
    ) -> list[Elsewhere]:
        """The same of many people, in order; of one without such an identifier nothing is known."""
        asked = [known(one) for one in people]
        if not any(asked):
            raise OperatorError(
                "no identifier that borrowing is counted by",
                remedy="give a resident id (or passport …), a phone or a device",
            )
        head = self.table.head(self.today)
        distinct = list(dict.fromkeys(one for each in asked for _, one in each))
        answers = self._answers(distinct, progress)
        by_one = dict(zip(distinct, answers, strict=True))
        return [Elsewhere(head.day, _by_kind(each, by_one)) for each in asked]

    def _answers(self, identifiers: Sequence[Canonical], progress: Progress) -> list[Answer | None]:
        """Of each identifier: its own record where this lender has one, else the general one."""
        used, _ = self._tokens.usable()
        found: list[list[Answer]] = [[] for _ in identifiers]
        for epoch in used:
            outputs = self._tokens.outputs(identifiers, epoch, PURPOSE, progress)
            subjects = subject_tokens(ledger_of(self._context, epoch), outputs)
            names = own_names(self._own(), self._identity.member.code, subjects)
            own, general = (self.table.find(one, self.today) for one in (names, subjects))
            for at, pair in enumerate(zip(own, general, strict=True)):
                found[at] += [answer for answer in pair if answer is not None][:1]
        return [highest(each) for each in found]

    def _own(self) -> bytes:
        return self._secret.derived(b"borrowing-own", self._code.encode())

    def _page(self, rows: Rows, epoch: int, *, retract: bool) -> ContributionPage:
        page = ContributionPage(
            registry=self._code,
            event_id=self._random(16),
            member=self._identity.member.code,
            certificate=self._identity.member.certificate,
            epoch=epoch,
            own=self._own(),
            retract=retract,
            rows=rows.tobytes(),
        )
        return signed(page, self._identity.private)


def _by_kind(
    identifiers: Sequence[tuple[IdKind, Canonical]], answers: Mapping[Canonical, Answer | None]
) -> dict[IdKind, Answer | None]:
    found: dict[IdKind, list[Answer]] = {}
    for kind, one in identifiers:
        answer = answers[one]
        found.setdefault(kind, []).extend([] if answer is None else [answer])
    return {kind: highest(each) for kind, each in found.items()}
