"""A borrowing event as a row under a token, as it travels to a desk and lies in a lender's folder.

    subject token 32 · reference 16 · day 4 · kind · kind of identifier · bits · amount band

Invariants:
- A row holds no identifier, no amount and no text. Its `reference` is the lender's own number of
  the application or loan under a key that never leaves it.
- `check_rows` accepts bounded numbers only; whoever counts need not look again.
"""

from __future__ import annotations

from datetime import date

import numpy as np
from numpy.typing import NDArray

from shared.borrowing.events import Events
from shared.borrowing.terms import IdKind, Kind
from shared.errors import PeerError

MOST_BANDS = 6
"""Amount bands (`amount_band`) are 0 to 5."""
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


def check_rows(rows: Rows) -> None:
    """PeerError unless numbers are in their range; tokens that are all zero stand for nothing."""
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


def events_of(rows: Rows) -> tuple[Events, list[bytes]]:
    """One lender's rows as events, `subject` a place in the tokens that come with them."""
    subjects, subject = _numbered(rows["subject"])
    _, reference = _numbered(rows["reference"])
    events = Events(
        subject=subject,
        kind=rows["kind"].astype(np.int64),
        day=rows["day"].astype(np.int64),
        lender=np.zeros(len(rows), np.int64),
        id_kind=rows["id_kind"].astype(np.int64),
        bits=rows["bits"].astype(np.int64),
        band=rows["band"].astype(np.int64),
        reference=reference,
    )
    return events, subjects


def _numbered(keys: NDArray[np.uint8]) -> tuple[list[bytes], NDArray[np.int64]]:
    """Distinct keys, ascending, and the place of each of (n, w) among them."""
    packed = np.ascontiguousarray(keys).view(f"V{keys.shape[1]}").reshape(-1)
    if not len(packed):
        return [], np.zeros(0, np.int64)
    distinct, place = np.unique(packed, return_inverse=True)
    return [one.tobytes() for one in distinct], place.reshape(-1)
