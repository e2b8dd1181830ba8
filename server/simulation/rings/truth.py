"""Who is in a ring and who only looks it: what the researcher knows and nobody else.

Invariants:
- A subject is planted in one ring or one look-alike at most; one ring member in ten or so also
  lives in a look-alike, as people do.
- Nothing here says which attribute a ring shares: measures count people.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from server.simulation.rings.world import Ints


@dataclass(frozen=True)
class PlantedRing:
    """`members` (subjects) and the week in which each joined, in the same order."""

    number: int
    typology: str
    members: tuple[int, ...]
    joined: tuple[int, ...]


@dataclass(frozen=True)
class Decoy:
    """People who share things for an innocent reason (`kind`, see `innocents.py`)."""

    number: int
    kind: str
    people: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Truth:
    """`lender` (place in `codes`) and `row` of the book (-1 for none) by subject; `listed`:
    subjects who were on the fraud list before the first week, most of them in no ring.
    """

    codes: tuple[str, ...]
    lender: Ints
    row: Ints
    rings: tuple[PlantedRing, ...]
    decoys: tuple[Decoy, ...]
    listed: tuple[int, ...]

    @property
    def members(self) -> frozenset[int]:
        """Everybody in a ring."""
        return frozenset(one for ring in self.rings for one in ring.members)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: rings and look-alikes with, for each person, lender and row of the book."""
        people = sorted({*self.members, *(one for d in self.decoys for one in d.people)})
        return {
            "for": "the researcher only: no lender, coordinator or detector is given this",
            "rings": [asdict(ring) for ring in self.rings],
            "decoys": [asdict(decoy) for decoy in self.decoys],
            "listed": list(self.listed),
            "people": {
                str(one): {"lender": self.codes[self.lender[one]], "row": int(self.row[one])}
                for one in people
            },
        }
