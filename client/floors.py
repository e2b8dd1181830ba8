"""The section [floors] of a lender's settings: the least it insists on, whoever asks.

Invariants:
- What is left out is the profile's own floor; what is misspelt or of another type is refused.
- In production no floor is weaker than the profile's.
"""

from __future__ import annotations

from dataclasses import fields, replace
from math import isfinite
from pathlib import Path
from typing import Any, get_args

from shared.errors import OperatorError
from shared.secure_sum.floors import Floors
from shared.secure_sum.statements import Kind


def floors_of(source: Path, asked: dict[str, Any], profile: str) -> Floors:
    """The profile's floors with the entries `asked` put in.

    Raises OperatorError naming the file `source`, the entry and its value.
    """
    usual = Floors.of(profile)
    known = [field.name for field in fields(Floors)]
    for name, value in asked.items():
        if name not in known:
            raise _wrong(source, name, value, "is not known", f"the entries are {', '.join(known)}")
        if why := _flaw(name, value):
            raise _wrong(
                source, name, value, why, f"the {profile} profile's is {_shown(usual, name)}"
            )
    floors = replace(usual, **{name: _typed(value) for name, value in asked.items()})
    if profile == "production":
        for problem in floors.problems(profile):
            raise OperatorError(
                f"{source}: [floors] {problem}", remedy="make it stricter, or leave the entry out"
            )
    return floors


def _flaw(name: str, value: Any) -> str:
    if name in ("kinds", "same_lenders"):
        known = get_args(Kind)
        fine = isinstance(value, list) and value and all(kind in known for kind in value)
        return "" if fine else f"is not a list of some of {', '.join(known)}"
    if name == "maximum_clip":
        fine = type(value) in (int, float) and isfinite(value) and value > 0
        return "" if fine else "is not a number above 0"
    return "" if type(value) is int and value >= 1 else "is not a whole number of 1 or more"


def _typed(value: Any) -> Any:
    return frozenset(value) if isinstance(value, list) else value


def _shown(floors: Floors, name: str) -> str:
    value = getattr(floors, name)
    return ", ".join(sorted(value)) if isinstance(value, frozenset) else str(value)


def _wrong(source: Path, name: str, value: Any, why: str, remedy: str) -> OperatorError:
    return OperatorError(f"{source}: [floors] {name} = {value!r:.60} {why}", remedy=remedy)
