"""People who do not exist: identifiers that are well-formed and nobody's.

Invariants:
- Resident ids are of region 990000, which no place has; telephone numbers are +1 … 555 0100 to
  0199, which are kept free for fiction. Both follow from the seed.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta

from shared.tokens.identifiers.resident_id import check_character

_REGION = "990000"
_AREAS = ("212", "213", "305", "312", "415", "503", "617", "702", "713", "808")
MOST = 100 * len(_AREAS)
_FIRST, _DAYS = date(1955, 1, 1), 18_000


@dataclass(frozen=True)
class Person:
    """`resident_id`: 18 characters; `phone`: with its country code."""

    resident_id: str
    phone: str


def people(count: int, seed: int) -> list[Person]:
    """Different people, at most `MOST`, the same for a seed."""
    draw = random.Random(seed)  # noqa: S311 - made-up people, no secret
    phones = [f"+1{area}55501{number:02}" for area in _AREAS for number in range(100)]
    draw.shuffle(phones)
    ids: dict[str, None] = {}
    while len(ids) < count:
        born = _FIRST + timedelta(days=draw.randrange(_DAYS))
        digits = f"{_REGION}{born:%Y%m%d}{draw.randrange(101, 900)}"
        ids[digits + check_character(digits)] = None
    return [Person(one, phone) for one, phone in zip(ids, phones, strict=False)]
