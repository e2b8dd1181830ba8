"""What a registry's operator decided: `registry.toml` in its folder, which may be missing.

    database = "postgresql+psycopg://registry@db/list"    instead of SQLite in the folder
    profile  = "production"                               or "demo": a key share may be here too

    [batches]                                             seconds, contributors, days, kept,
                                                          kept_days

Invariants:
- What is misspelt is refused, never ignored. What is not said is the strict default.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from server.apart import PROFILES
from server.registry.publishing import Batches
from shared.errors import OperatorError

FILE = "registry.toml"
_DAILY = Batches()


@dataclass(frozen=True)
class Settings:
    """`database`: its URL, None for SQLite in the folder."""

    database: str | None = None
    profile: str = "production"
    batches: Batches = _DAILY


def read_settings(folder: Path) -> Settings:
    """The settings in a registry's folder; OperatorError when they cannot be used."""
    path = folder / FILE
    if not path.exists():
        return Settings()
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        database, profile = document.pop("database", None), document.pop("profile", "production")
        batches = Batches(**document.pop("batches", {}))
        if document or not all(type(one) is int and one >= 0 for one in vars(batches).values()):
            raise ValueError("unknown entries")
        if not isinstance(database, str | None) or profile not in PROFILES:
            raise TypeError("database or profile")
    except (OSError, ValueError, TypeError) as error:
        raise OperatorError(
            f"{path} cannot be used",
            remedy='it may hold database = "postgresql+psycopg://…", profile = "production" or '
            '"demo", and [batches] with whole numbers: seconds, contributors, days, kept, '
            "kept_days",
        ) from error
    return Settings(database, profile, batches)
