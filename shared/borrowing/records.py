"""All answers of one publication: for each subject one for everybody, and one for each lender that
has told of it.

    subject told of by L01 and L03     general    what L01 and L03 told     for all other lenders
                                       of L01     what L03 told             for L01
                                       of L03     what L01 told             for L03

Invariants:
- A lender's own record holds nothing of its own, so its own enquiry is never counted.
- Which records there are follows from the events alone: a record of a lender is there whether
  others have told of the subject or not, and says then that there is no record.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.borrowing.answer import Bands, answers
from shared.borrowing.events import Events, kept
from shared.borrowing.tally import NOBODY

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Records:
    """`subject` and `lender` (NOBODY: the general record), (r,); `bands` (r, CELLS)."""

    subject: Ints
    lender: Ints
    bands: Bands


def records_of(events: Events, day: int, classes: NDArray[np.uint8]) -> Records:
    """Of every subject with an event in term, ascending by subject, then lender."""
    there = events.take(kept(events, day))
    pairs = np.unique(np.stack([there.subject, there.lender], axis=1), axis=0)
    general = np.unique(there.subject)
    subject = np.concatenate([general, pairs[:, 0]])
    lender = np.concatenate([np.full(len(general), NOBODY), pairs[:, 1]])
    order = np.lexsort((lender, subject))
    subject, lender = subject[order], lender[order]
    return Records(subject, lender, answers(there, subject, day, lender, classes))
