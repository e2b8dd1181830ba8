"""`bundles.json`: digests of the bundles under whose name this lender's own code answers.

    ["<SHA-256, 64 hex digits>", …]

Invariants:
- Without the file, or with one that cannot be read, no bundle is allowed.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from shared.errors import OperatorError

BUNDLES = "bundles.json"
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


def read_bundles(folder: Path) -> frozenset[str]:
    """The digests listed; OperatorError when there is no such list."""
    path = folder / BUNDLES
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _wrong(path) from error
    if not isinstance(listed, list) or not all(
        isinstance(digest, str) and _DIGEST.fullmatch(digest) for digest in listed
    ):
        raise _wrong(path)
    return frozenset(listed)


def _wrong(path: Path) -> OperatorError:
    return OperatorError(
        f"{path}: it is no list of SHA-256 digests of bundles",
        remedy='write it as ["64 hex digits"]; the coordinator tells its bundle\'s digest',
    )
