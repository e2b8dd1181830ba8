"""What a lender contributes: pages of borrowing events, signed, all of one size.

    row    subject token 32 · reference 16 · day 4 · kind · kind of identifier · bits · amount band

Invariants:
- A page is an event of its own kind (`shared.blacklist.events.Event`): signed, named and answered
  with a receipt as those of the list, and never taken for one of them.
- A row holds no identifier, no amount and no text. Its `reference` is the lender's own number of
  the application or loan under a key that never leaves it, so a row given twice counts once.
- Reading accepts bounded numbers only; whoever counts need not look again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from shared.blacklist.entry import MOST_EPOCH
from shared.blacklist.events import Event
from shared.blacklist.opaque import check_opaque
from shared.borrowing.terms import IdKind, Kind
from shared.errors import PeerError
from shared.secure_sum.encoding import read_text

MOST_ROWS = 256
"""Of a page. Pages travel in messages of few sizes; a page that is not full looks no smaller."""
MOST_BANDS = 6
"""Amount bands (`amount_band`) are 0 to 5."""
_MOST_TEXT = 1 << 16
_MOST_BITS = 3
_FIRST, _LAST = date(2000, 1, 1).toordinal(), date(2100, 1, 1).toordinal()

ROW = np.dtype(
    [
        ("subject", "u1", (32,)),
        ("reference", "u1", (16,)),
        ("day", ">i4"),
        ("kind", "u1"),
        ("id_kind", "u1"),
        ("bits", "u1"),
        ("band", "u1"),
    ]
)
"""`day`: `date.toordinal()`; the rest as in `terms.py` and `events.py`."""
Rows = NDArray[np.void]


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
        _check_rows(self.table())

    def table(self) -> Rows:
        """(n,) rows."""
        return np.frombuffer(self.rows, ROW)


def read_page(text: bytes) -> ContributionPage:
    """The page with this canonical text; PeerError. Its signature is not checked here."""
    if len(text) > _MOST_TEXT:
        raise PeerError(f"a page has at most {_MOST_TEXT} bytes")
    return read_text(ContributionPage, text)


def _check_rows(rows: Rows) -> None:
    """Numbers in their range; tokens that are all zero stand for nothing."""
    within = (
        (rows["kind"] < len(Kind)).all()
        and (rows["id_kind"] < len(IdKind)).all()
        and (rows["bits"] <= _MOST_BITS).all()
        and (rows["band"] < MOST_BANDS).all()
        and ((rows["day"] >= _FIRST) & (rows["day"] < _LAST)).all()
        and rows["subject"].any(axis=1).all()
    )
    if not within:
        raise PeerError("a row of a page is out of range")
