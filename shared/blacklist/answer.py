"""What a lender is told about a subject it asked for: an answer of classes and bands.

Invariants:
- There is no "decline": the one action ever hinted at is a review by a person.
- A victim never reads as bad: protective records count in no other class, and are said apart.
- Phone or device alone is `weak`. Severity 3 without a second institution reads as 2.
- No row lowers what another says: severity is the highest, and a dispute of any row shows, whatever
  its class. Protective rows take part only where there are no others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Literal

from shared.blacklist.reasons import ListClass, ReasonClass
from shared.blacklist.record import Record
from shared.blacklist.retention import is_strong
from shared.blacklist.rows import Flag


class Contributors(StrEnum):
    """How many institutions filed the subject."""

    FEW = "1-2"
    SOME = "3-5"
    MANY = "6+"


class Recency(StrEnum):
    """Months since the latest event ended."""

    UNDER_3 = "under_3_months"
    UNDER_12 = "3_to_12_months"
    UNDER_36 = "1_to_3_years"
    OLDER = "over_3_years"


class Strength(StrEnum):
    """Two strong kinds, one, or only kinds that change hands or are shared."""

    STRONG = "strong"
    SINGLE = "single"
    WEAK = "weak"


@dataclass(frozen=True)
class Hit:
    """One opened row. `id_kind`: what was looked up; `tag`: 32 bytes; `name`: the row's, 32 bytes,
    for a dispute (`row_names`); `flags`: the registry's.
    """

    id_kind: str
    tag: bytes
    name: bytes
    flags: Flag
    record: Record


@dataclass(frozen=True)
class Answer:
    """`severity` 1 to 3, `disputed`, `annotated`: over all classes; other bands are of
    `hit_class`. `protective`: (also) listed as a victim: verify more, never decline.
    """

    hit_class: ListClass
    reason_class: ReasonClass
    severity: int
    contributors: Contributors
    recency: Recency
    strength: Strength
    disputed: bool
    annotated: bool
    protective: bool
    action_hint: Literal["review"] = "review"


_WORST_FIRST = (
    ListClass.FRAUD_CONFIRMED,
    ListClass.MULE_ACCOUNT,
    ListClass.MALICIOUS_EVASION,
    ListClass.FRAUD_SUSPECTED,
    ListClass.VICTIM_PROTECTIVE,
)


def answer_of(hits: Sequence[Hit], today: date) -> Answer | None:
    """The answer for all hits on one subject's identifiers; None when there are none."""
    if not hits:
        return None
    kinds = {hit.record.list_class for hit in hits}
    hit_class = next(kind for kind in _WORST_FIRST if kind in kinds)
    shown = [hit for hit in hits if hit.record.list_class is hit_class]
    bad = [hit for hit in hits if hit.record.list_class is not ListClass.VICTIM_PROTECTIVE] or shown
    chief = max(shown, key=lambda hit: (_severity(hit), hit.record.event_end, hit.record.mark))
    return Answer(
        hit_class=hit_class,
        reason_class=chief.record.reason_class,
        severity=max(map(_severity, bad)),
        contributors=_contributors(shown),
        recency=_recency(max(hit.record.event_end for hit in shown), today),
        strength=_strength(shown),
        disputed=any(hit.flags & Flag.DISPUTED for hit in bad),
        annotated=any(hit.flags & Flag.ANNOTATED for hit in bad),
        protective=ListClass.VICTIM_PROTECTIVE in kinds,
    )


def _severity(hit: Hit) -> int:
    most = 3 if hit.flags & Flag.CORROBORATED else 2
    return min(hit.record.severity, most)


def _contributors(hits: Sequence[Hit]) -> Contributors:
    """By the tag with most rows: marks under different tags cannot be compared."""
    marks: dict[bytes, set[bytes]] = {}
    for hit in hits:
        marks.setdefault(hit.tag, set()).add(hit.record.mark)
    count = max(len(of_tag) for of_tag in marks.values())
    if count <= 2:
        return Contributors.FEW
    return Contributors.SOME if count <= 5 else Contributors.MANY


def _recency(event_end: date, today: date) -> Recency:
    months = 12 * (today.year - event_end.year) + today.month - event_end.month
    if months < 3:
        return Recency.UNDER_3
    if months < 12:
        return Recency.UNDER_12
    return Recency.UNDER_36 if months < 36 else Recency.OLDER


def _strength(hits: Sequence[Hit]) -> Strength:
    strong = len({hit.id_kind for hit in hits if is_strong(hit.id_kind)})
    if strong == 0:
        return Strength.WEAK
    return Strength.STRONG if strong > 1 else Strength.SINGLE
