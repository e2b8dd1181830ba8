"""How long an entry, and each of its tokens, may answer.

Invariants:
- Every entry has a last day, which follows from its dates and classes alone; nothing prolongs it.
- A token of a kind that changes hands (phone, device) answers for 12 months at most.
"""

from __future__ import annotations

from datetime import date, timedelta

from shared.blacklist.reasons import Confidence, ListClass
from shared.errors import OperatorError, PeerError
from shared.tokens.identifiers.kinds import kind_of

YEARS = 5
SUSPECTED_DAYS = 180
REISSUED_MONTHS = 12
REISSUED = frozenset({"phone", "device"})
"""Kinds of identifiers that are given to other people in time."""
WEAK = REISSUED | {"email", "addr_building", "addr_unit", "employer"}
"""Kinds that change hands or that several people share: alone they decide nothing."""


def is_strong(id_kind: str) -> bool:
    """Whether the kind points at one person or company for good; PeerError for an unknown kind."""
    try:
        kind_of(id_kind)
    except OperatorError as error:
        raise PeerError("an unknown kind of identifier") from error
    return id_kind not in WEAK


def expires_at(
    list_class: ListClass, confidence: Confidence, event_end: date, listed_at: date
) -> date:
    """The day from which an entry answers no more."""
    last = years_after(event_end, YEARS)
    if list_class is ListClass.FRAUD_SUSPECTED or confidence is Confidence.SUSPECTED:
        return min(last, listed_at + timedelta(days=SUSPECTED_DAYS))
    return last


def token_expires_at(id_kind: str, entry_expires: date, event_end: date) -> date:
    """The day from which a token of an entry answers no more."""
    if id_kind in REISSUED:
        return min(entry_expires, years_after(event_end, REISSUED_MONTHS // 12))
    return entry_expires


def years_after(day: date, years: int) -> date:
    """The same day that many years on; 29 February becomes 1 March."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 3, 1)
