"""A batch of borrowers asked about in the stronger mode, and compared with a plain count.

Invariants:
- The batch has a fixed size: borrowers that somebody has a loan of, and tokens nobody knows.
- The comparison is the researcher's: it sees all lenders' events at once.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from server.simulation.borrowing.federation import Federation, Seen
from server.simulation.borrowing.history import History
from shared.borrowing.answer import Bands, answers
from shared.borrowing.asked import (
    ASKED_CELLS,
    ASKED_NAMES,
    UNKNOWN,
    asked_bands,
    batch_digest,
    own_counts,
)
from shared.borrowing.batch import BATCH
from shared.borrowing.cells import PLACE
from shared.borrowing.terms import LEAST_OF_CLASS

Ints = NDArray[np.int64]
_LEDGER_BYTES, _TOKEN_BYTES = 16, 32


@dataclass(frozen=True, eq=False)
class Asked:
    """One batch: the asker (a place in `codes`), its borrowers (UNKNOWN: a random token), the day,
    every lender's counts, the total and the asker's bands, (BATCH, ASKED_CELLS - 1).
    """

    asker: int
    subject: Ints
    day: int
    own: dict[str, Ints]
    total: Ints
    bands: Bands
    bytes: int
    cpu: float

    @property
    def plain(self) -> Ints:
        """What adding up without masks gives."""
        return np.asarray(np.sum(list(self.own.values()), axis=0), dtype=np.int64)


def ask(history: History, *, seed: int, seen: Seen | None = None) -> Asked:
    """Ask about borrowers drawn under a seed, on the last day of the history."""
    rng = np.random.default_rng((seed, 7))
    start = time.process_time()
    known = np.unique(history.events.subject)
    drawn = rng.permutation(known)[: BATCH - BATCH // 4]
    filled = np.full(BATCH, UNKNOWN)
    filled[: len(drawn)] = drawn
    subject, asker = rng.permutation(filled), int(rng.integers(len(history.codes)))
    day = int(history.events.day.max()) + 1
    own = _own(history, subject, day)
    federation, ledger = _federation(history.codes, seen)
    tokens = [secrets.token_bytes(_TOKEN_BYTES) for _ in range(BATCH)]
    total = federation.total(batch_digest(ledger, tokens, day), own)
    bands = asked_bands(total, own[history.codes[asker]])
    cpu = round(time.process_time() - start, 2)
    return Asked(asker, subject, day, own, total, bands, federation.bytes, cpu)


def differences(history: History, asked: Asked) -> int:
    """Cells of the batch that are not what a plain count over all lenders' events gives."""
    wanted = answers(history.events, asked.subject, asked.day, asked.asker, history.classes)
    places = [PLACE[name] for name in ASKED_NAMES[:-1]]
    wrong = int((wanted[:, places] != asked.bands).sum())
    return wrong + int((asked.total != asked.plain).sum())


def can_ask(history: History) -> bool:
    """Whether there are enough others for anything to be told, and anything to ask about."""
    return len(history.codes) > LEAST_OF_CLASS and len(history.events) > 0


def _own(history: History, subject: Ints, day: int) -> dict[str, Ints]:
    events = history.events
    return {
        code: own_counts(events.take(events.lender == place), subject, day)
        for place, code in enumerate(history.codes)
    }


def _federation(codes: Sequence[str], seen: Seen | None) -> tuple[Federation, bytes]:
    ledger = secrets.token_bytes(_LEDGER_BYTES)
    return Federation(codes, ledger, seen=seen), ledger


assert len(ASKED_NAMES) == ASKED_CELLS
