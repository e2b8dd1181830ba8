"""Codes of actors that this lender believes no more.

    revoked.json                        ["K2", …]   by the lender's own hand
    own/revoked_by_coordinator.json     ["L03", …]  members whom the coordinator's lists named

Without either file nobody is revoked.

Invariants:
- A list that cannot be read stops whoever reads it: nobody is believed by accident.
- It is about who is asked and believed from now on: what was pinned before stays pinned.
- The registry and the key holders are revoked by the lender's own hand only, whenever the
  coordinator named them: whoever runs it could end the shared list with a word.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from shared.errors import OperatorError

REVOKED, BY_COORDINATOR = "revoked.json", "own/revoked_by_coordinator.json"


def read_revoked(folder: Path, services: Collection[str] = ()) -> frozenset[str]:
    """The codes listed in the lender's folder. `services`: those of the registry and the key
    holders, where the reader asks for them. OperatorError when a list is no list of codes.
    """
    return read_own(folder) | (read_coordinators(folder) - frozenset(services))


def read_own(folder: Path) -> frozenset[str]:
    """By the lender's own hand."""
    return _codes(folder / REVOKED, 'write it as ["K2", …]')


def read_coordinators(folder: Path) -> frozenset[str]:
    """By the coordinator's word, as far as it was taken."""
    return _codes(folder / BY_COORDINATOR, "remove it: the coordinator's list is fetched again")


def _codes(path: Path, remedy: str) -> frozenset[str]:
    try:
        codes = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(codes, list) and all(isinstance(code, str) for code in codes):
            return frozenset(codes)
        raise ValueError
    except FileNotFoundError:
        return frozenset()
    except (OSError, ValueError, RecursionError) as error:
        raise OperatorError(f"{path}: it is not a list of codes", remedy=remedy) from error
