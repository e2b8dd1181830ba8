"""What a desk's operator decided: `cases.toml` in its folder, which may be missing.

    profile     = "production"    or "demo": a key share may be here too
    count_hours = 24              how long a week's count takes pages, from Monday 00:00 UTC on
    edge_hours  = 24              then, how long its edges are taken
    least_score = 60              of a ring that is published
    keep_weeks  = 26              how long a case that is over is kept

Invariants:
- What is misspelt is refused, never ignored. What is not said is the strict default.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

from server.apart import PROFILES
from shared.errors import OperatorError
from shared.rings.detection import LEAST_SCORE

FILE = "cases.toml"


@dataclass(frozen=True)
class Settings:
    """As in the file."""

    profile: str = "production"
    count_hours: int = 24
    edge_hours: int = 24
    least_score: int = int(LEAST_SCORE)
    keep_weeks: int = 26


def read_settings(folder: Path) -> Settings:
    """The settings in a desk's folder; OperatorError when they cannot be used."""
    path = folder / FILE
    if not path.exists():
        return Settings()
    try:
        settings = Settings(**tomllib.loads(path.read_text(encoding="utf-8")))
        numbers = [getattr(settings, one.name) for one in fields(Settings)][1:]
        right = all(type(one) is int and one >= 0 for one in numbers)
        if not right or settings.profile not in PROFILES or settings.least_score < 40:
            raise ValueError("out of range")
        if settings.profile == "production" and 0 in (settings.count_hours, settings.edge_hours):
            raise ValueError("stages without hours tell who was the last to send")
    except (OSError, ValueError, TypeError) as error:
        raise OperatorError(
            f"{path} cannot be used",
            remedy='it may hold profile = "production" or "demo", and whole numbers: count_hours, '
            "edge_hours (1 or more but in the demo), least_score (40 or more), keep_weeks",
        ) from error
    return settings
