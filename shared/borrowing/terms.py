"""Windows, classes and terms of multi-lender borrowing.

The domain reference asks for windows of up to twelve months and a term of 180 days. An application
is kept 180 days, so it has no window of twelve months; a loan is kept while it is open and 180 days
after its end, so it has (decision 0023).
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Kind(IntEnum):
    """What happened; the number goes over the wire."""

    APPLICATION = 0
    OPENED = 1
    CLOSED = 2


class LenderClass(IntEnum):
    """What a lender is. NBANK: a non-bank of no other class here."""

    BANK = 0
    NBANK = 1
    CONS = 2
    MICRO = 3
    AUTO = 4
    GUAR = 5


class IdKind(IntEnum):
    """What a subject token was made of: an application may come under several."""

    ID = 0
    PHONE = 1
    DEVICE = 2


CLASSES = ("all", "bank", "nbank", "cons", "micro", "auto", "guar")
"""What is asked for; here nbank is every class but banks."""
WINDOWS = {"d7": 7, "d15": 15, "m1": 30, "m3": 90, "m6": 180, "m12": 365}
"""Days before the day that is asked about."""
TTL_DAYS = 180
"""An application from its day; a loan from its end; an answer from the day it was made."""
FRESH_DAYS = 3
"""An application is answered for by the table of its day, or of up to so many days before."""
LONGEST_OPEN = 1826
"""A loan whose closing nobody told of is taken for over after five years."""
MONTH = 30
APPLICATION_WINDOWS = tuple(name for name, days in WINDOWS.items() if days <= TTL_DAYS)
LOAN_WINDOWS = tuple(WINDOWS)

NIGHT, WEEKEND = 1, 2
"""Bits of an application: made between 22:00 and 06:00; on a Saturday or Sunday."""
NO_RECORD, UNTOLD = -1, -2
"""In an answer: there is nothing to count; it would name a lender."""
LEAST_OF_CLASS = 3
"""A class is told where so many lenders besides the asker are of it."""

_AMOUNTS = np.array([5_000.0, 20_000.0, 100_000.0, 500_000.0])
AMOUNT_LABELS = ("none", "< 5k", "5k – 20k", "20k – 100k", "100k – 500k", "≥ 500k")


def amount_band(amounts: ArrayLike) -> NDArray[np.uint8]:
    """Band 1 … 5 of each amount in the consortium's currency; 0 where there is none.

    A lender makes it: exact amounts never leave.
    """
    values = np.asarray(amounts, dtype=np.float64)
    bands = 1 + np.searchsorted(_AMOUNTS, values, side="right")
    return np.where(values > 0, bands, 0).astype(np.uint8)
