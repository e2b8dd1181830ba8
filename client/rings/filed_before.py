"""Own members that were filed before: on which terms, and where those now proposed differ.

Invariants:
- What was filed stands as it was filed: a second verdict changes none of it, and says so.
"""

from __future__ import annotations

from dataclasses import dataclass

from client.exchange.filing_terms import FilingTerms
from shared.blacklist.entry import ListingEntry

_TERMS = {
    "severity": "severity",
    "confidence": "confidence",
    "event_date": "event_date",
    "event_end": "event_end_date",
    "product": "product_class",
    "outcome": "product_outcome",
    "amount": "amount_band",
    "evidence": "evidence",
    "basis": "legal_basis",
    "notice": "notice",
}
"""What a lender says of a filing, and where its entry has it."""


@dataclass(frozen=True)
class FiledBefore:
    """`label`: what `ring show` calls the customer; `entry`: its name; `other`: terms in which what
    was filed differs from what is proposed now.
    """

    label: str
    entry: bytes
    other: tuple[str, ...]


def other_terms(entry: ListingEntry, terms: FilingTerms) -> tuple[str, ...]:
    """Names of the terms that differ."""
    return tuple(
        name for name, there in _TERMS.items() if getattr(terms, name) != getattr(entry, there)
    )
