"""What all lenders agree on before a run: schema, family, seed, shares, quorum.

Invariants:
- Two agreements with the same digest are equal. A lender works only on a question that carries the
  digest of the agreement it holds itself, so the coordinator cannot change one on the way.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from math import isfinite
from typing import Literal, get_args

from shared.errors import OperatorError
from shared.schema import Schema, parse_schema

Family = Literal["boosted", "network", "blend"]
Profile = Literal["demo", "production"]
Sums = Literal["secure", "plain"]
MOST_ROUNDS = 10_000
MOST_MINIMUM_CELL = 1_000
FLOOR: dict[Profile, int] = {"demo": 3, "production": 5}
"""Fewest lenders in any sum: with two, each can subtract its own share and see the other's."""


@dataclass(frozen=True)
class Agreement:
    """One run's terms.

    `test_share` of a lender's rows (0 … 0.5) is never trained on; `validation_share` of the rest
    weighs the lender's personal layer and never enters the shared model. With `time_cutoff` rows
    later than it are the test rows instead (out of time). `rounds` None takes the family's own.
    `sums` "plain" shows the coordinator each lender's vector. A lender sends its own counts of 1 …
    `minimum_cell` - 1 rows as 0 (1 … 1000; 1 sends every count).
    """

    name: str
    schema: Schema
    family: Family = "boosted"
    seed: int = 0
    test_share: float = 0.2
    validation_share: float = 0.1
    time_cutoff: float | None = None
    rounds: int | None = None
    minimum_lenders: int = 3
    profile: Profile = "demo"
    sums: Sums = "secure"
    minimum_cell: int = 1

    def __post_init__(self) -> None:
        for problem in self._problems():
            raise OperatorError(f"agreement {self.name!r}: {problem}", remedy="mend the setting")

    def _problems(self) -> list[str]:
        found = []
        if self.family not in get_args(Family):
            found.append(f"family {self.family!r} is not one of {', '.join(get_args(Family))}")
        if self.profile not in FLOOR:
            found.append(f"profile {self.profile!r} is not one of {', '.join(FLOOR)}")
        elif self.minimum_lenders < FLOOR[self.profile]:
            found.append(
                f"minimum_lenders {self.minimum_lenders} is below the {self.profile} profile's "
                f"floor of {FLOOR[self.profile]}: with fewer, a lender can subtract its own share"
            )
        found += self._problems_of_sums()
        if not 0 < self.test_share <= 0.5:
            found.append(f"test_share {self.test_share} is not within 0 … 0.5")
        if not 0 <= self.validation_share <= 0.5:
            found.append(f"validation_share {self.validation_share} is not within 0 … 0.5")
        whole = (self.seed, self.rounds or 1, self.minimum_lenders, self.minimum_cell)
        if not all(type(number) is int for number in whole):
            found.append("seed, rounds, minimum_lenders and minimum_cell are whole numbers")
        if self.time_cutoff is not None and not isfinite(self.time_cutoff):
            found.append("time_cutoff is not a finite number")
        if self.rounds is not None and self.rounds < 1:
            found.append(f"rounds {self.rounds} is not at least 1")
        if self.rounds is not None and self.rounds > MOST_ROUNDS:
            found.append(f"rounds {self.rounds} is over {MOST_ROUNDS}")
        if not 0 <= self.seed < 2**32:
            found.append(f"seed {self.seed} is not within 0 … 2**32-1")
        if self.time_cutoff is not None and self.schema.time is None:
            found.append("an out-of-time cutoff needs a schema with a time column")
        return found

    def _problems_of_sums(self) -> list[str]:
        found = []
        if self.sums not in get_args(Sums):
            found.append(f"sums {self.sums!r} is not one of {', '.join(get_args(Sums))}")
        if self.profile == "production" and self.sums == "plain":
            found.append("the production profile refuses plain sums")
        if not 1 <= self.minimum_cell <= MOST_MINIMUM_CELL:
            found.append(f"minimum_cell {self.minimum_cell} is not within 1 … {MOST_MINIMUM_CELL}")
        return found

    def out_of_time(self, cutoff: float) -> Agreement:
        """The same run with rows later than `cutoff` as test rows."""
        return replace(self, name=f"{self.name}-out-of-time", time_cutoff=float(cutoff))

    def to_dict(self) -> dict[str, object]:
        """JSON-ready form; `agreement_from` is its inverse."""
        return asdict(self) | {"schema": self.schema.to_dict()}

    def digest(self) -> str:
        """SHA-256, hex, of the canonical JSON form."""
        return self._digest

    @cached_property
    def _digest(self) -> str:  # asked for at every message
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def agreement_from(document: Mapping[str, object]) -> Agreement:
    """Inverse of `Agreement.to_dict`; raises OperatorError when a key is missing or unknown."""
    fields = dict(document)
    schema = fields.pop("schema", None)
    if not isinstance(schema, Mapping):
        raise OperatorError(
            "an agreement needs a schema", remedy="use the founder's file unchanged"
        )
    try:
        return Agreement(schema=parse_schema(schema), **fields)  # type: ignore[arg-type]
    except TypeError as error:
        raise OperatorError(
            f"agreement: {error}", remedy="use the founder's file unchanged"
        ) from error
