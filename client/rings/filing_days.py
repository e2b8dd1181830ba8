"""The days in the terms of a filing, looked at before anybody decides or sends anything.

Invariants:
- The registry takes no entry whose days are to come or out of order; here it is told once, with
  the option that says it.
"""

from __future__ import annotations

from datetime import date

from client.exchange.filing_terms import FilingTerms
from shared.errors import OperatorError


def check_days(terms: FilingTerms, today: date) -> None:
    """OperatorError names the option whose day is to come, or an end before its beginning."""
    days = [("event-date", terms.event_date), ("event-end", terms.event_end)]
    if terms.notice.given_at is not None:
        days.append(("notice", terms.notice.given_at))
    for option, day in days:
        if day > today:
            raise OperatorError(
                f"--{option}: {day} is still to come: nothing was decided",
                remedy="propose the verdict with the day on which it happened (ring decide)",
            )
    if terms.event_end < terms.event_date:
        raise OperatorError(
            f"--event-end: {terms.event_end} is before --event-date {terms.event_date}: nothing "
            "was decided",
            remedy="propose the verdict with the days in order (ring decide)",
        )
