"""The list's numbers, the same for every member: limits, delays, rates."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Terms:
    """`filings_a_day`: the base of a contributor's filing quota; it grows with verified entries.

    A contributor is suspended from filing while, of the last `window_days`, its reversals are more
    than `reversal_percent` of its approvals *and* at least `least_reversals`: one mistake in ten
    filings must not silence a small lender.

    Since reversals silence, disputes are bounded: a member has at most `open_disputes` open against
    one contributor, and waits `redispute_days` before it disputes an entry again that it was heard
    about. `proposals_a_day`: of one member, for another to consent to; it waits `consent_days`, and
    so does an entry for its approval. `pending`: entries of a contributor that wait for approval.
    `seconds_a_day`: approvals of others' entries. `epochs_ahead`: how far a new key epoch's number
    may be after the last, since ceremonies that came to nothing leave theirs unused.
    """

    filings_a_day: int = 200
    disputes_a_day: int = 50
    open_disputes: int = 10
    redispute_days: int = 90
    dispute_days: int = 20
    reversal_percent: int = 2
    least_reversals: int = 3
    window_days: int = 365
    verified_days: int = 90
    bulk_entries: int = 10
    bulk_days: int = 7
    proposals_a_day: int = 20
    pending: int = 400
    seconds_a_day: int = 200
    epochs_ahead: int = 100
    consent_days: int = 30
    listing_days: int = 30


TERMS = Terms()
"""What DOMAIN §2 asks for, and our own numbers where it is silent."""
