"""`revoked.json` in a lender's folder: codes of actors that this lender believes no more.

    ["K2", …]      the same form as at services; without the file nobody is revoked

Invariants:
- A list that cannot be read stops whoever reads it: nobody is believed by accident.
- It is about who is asked and believed from now on: what was pinned before stays pinned.
"""

from __future__ import annotations

import json
from pathlib import Path

from shared.errors import OperatorError

REVOKED = "revoked.json"


def read_revoked(folder: Path) -> frozenset[str]:
    """The codes listed in the lender's folder; none without a file. OperatorError when it is no
    list of codes.
    """
    path = folder / REVOKED
    try:
        codes = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(codes, list) and all(isinstance(code, str) for code in codes):
            return frozenset(codes)
        raise ValueError
    except FileNotFoundError:
        return frozenset()
    except (OSError, ValueError) as error:
        raise OperatorError(
            f"{path}: it is not a list of codes", remedy='write it as ["K2", …]'
        ) from error
