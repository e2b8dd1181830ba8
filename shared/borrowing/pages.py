"""What a lender contributes: pages of borrowing events, signed, all of one size.

Invariants:
- A page is an event of its own kind (`shared.blacklist.events.Event`): signed, named and answered
  with a receipt as those of the list, and never taken for one of them.
- Its rows (`event_row.py`) hold no identifier; one given twice counts once. Reading accepts
  bounded numbers only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shared.blacklist.entry import MOST_EPOCH
from shared.blacklist.events import Event
from shared.blacklist.opaque import check_opaque
from shared.borrowing.event_row import MOST_BANDS as MOST_BANDS
from shared.borrowing.event_row import ROW as ROW
from shared.borrowing.event_row import Rows as Rows
from shared.borrowing.event_row import check_rows
from shared.errors import PeerError
from shared.secure_sum.encoding import read_text

MOST_ROWS = 256
"""Of a page. Pages travel in messages of few sizes; a page that is not full looks no smaller."""
_MOST_TEXT = 1 << 16


@dataclass(frozen=True, kw_only=True)
class ContributionPage(Event):
    """`epoch`: of the key behind the subject tokens; `own`: 32 bytes, a secret between this lender
    and the desk, from which the names of its own rows follow (`rows.own_names`); `retract`: these
    rows are taken back; `rows`: 1 to MOST_ROWS, packed. Of which class a lender is the desk knows.
    """

    epoch: int
    own: bytes
    retract: bool
    rows: bytes

    def __post_init__(self) -> None:
        super().__post_init__()
        check_opaque("own", self.own)
        if not 1 <= self.epoch <= MOST_EPOCH:
            raise PeerError(f"a key epoch is 1 to {MOST_EPOCH}")
        size = len(self.rows)
        if size % ROW.itemsize or not ROW.itemsize <= size <= MOST_ROWS * ROW.itemsize:
            raise PeerError(f"a page has 1 to {MOST_ROWS} rows")
        check_rows(self.table())

    def table(self) -> Rows:
        """(n,) rows."""
        return np.frombuffer(self.rows, ROW)


def read_page(text: bytes) -> ContributionPage:
    """The page with this canonical text; PeerError. Its signature is not checked here."""
    if len(text) > _MOST_TEXT:
        raise PeerError(f"a page has at most {_MOST_TEXT} bytes")
    return read_text(ContributionPage, text)
