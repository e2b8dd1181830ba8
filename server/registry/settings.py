"""What a registry's operator decided: `registry.toml` in its folder, which may be missing.

    database = "postgresql+psycopg://registry@db/list"    instead of SQLite in the folder
    profile  = "production"                               or "demo": a key share may be here too

    [batches]                                             seconds, contributors, days, kept,
                                                          kept_days
    [keys]                                                whose keys are taken for an epoch:
    holders  = ["K1", "K2", "K3"]                         none said: those of the last epoch
    context  = "Five lenders"                             the consortium, as holders write it

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
from shared.identity.certificate import CODE

FILE = "registry.toml"
_DAILY = Batches()


@dataclass(frozen=True)
class Settings:
    """`database`: its URL, None for SQLite in the folder; `holders`, `context`: of the key sets
    that are taken, None where nothing is said (`epoch_admission`).
    """

    database: str | None = None
    profile: str = "production"
    batches: Batches = _DAILY
    holders: frozenset[str] | None = None
    context: str | None = None


def read_settings(folder: Path) -> Settings:
    """The settings in a registry's folder; OperatorError when they cannot be used."""
    path = folder / FILE
    if not path.exists():
        return Settings()
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        database, profile = document.pop("database", None), document.pop("profile", "production")
        batches = Batches(**document.pop("batches", {}))
        holders, context = _keys(**document.pop("keys", {}))
        if document or not all(type(one) is int and one >= 0 for one in vars(batches).values()):
            raise ValueError("unknown entries")
        if not isinstance(database, str | None) or profile not in PROFILES:
            raise TypeError("database or profile")
    except (OSError, ValueError, TypeError) as error:
        raise OperatorError(
            f"{path} cannot be used",
            remedy='it may hold database = "postgresql+psycopg://…", profile = "production" or '
            '"demo", [batches] with whole numbers: seconds, contributors, days, kept, kept_days, '
            'and [keys] with holders = ["K1", "K2"] and context = "the consortium"',
        ) from error
    return Settings(database, profile, batches, holders, context)


def _keys(
    *, holders: object = None, context: object = None
) -> tuple[frozenset[str] | None, str | None]:
    """ValueError for what is no list of two or more different codes, or no name."""
    if not (context is None or (isinstance(context, str) and context)):
        raise ValueError("context")
    if holders is None:
        return None, context
    codes = [one for one in holders if isinstance(one, str)] if isinstance(holders, list) else []
    good = isinstance(holders, list) and 2 <= len(holders) == len({*codes})
    if not good or not all(map(CODE.fullmatch, codes)):
        raise ValueError("holders")
    return frozenset(codes), context
