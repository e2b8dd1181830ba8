"""`bundles.json`: digests of the bundles under whose name this lender's own code answers.

    ["<SHA-256, 64 hex digits>", …]

Invariants:
- Without the file, or with one that cannot be read, no bundle is allowed.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from shared.errors import OperatorError, PeerError

BUNDLES = "bundles.json"
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


def read_bundles(folder: Path) -> frozenset[str]:
    """The digests listed; OperatorError when there is no such list."""
    path = folder / BUNDLES
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _wrong(path) from error
    if not isinstance(listed, list) or not all(map(_is_digest, listed)):
        raise _wrong(path)
    return frozenset(listed)


def listed_digests(content: bytes) -> list[str]:
    """What the gate lists, of bundles or of terms; PeerError unless it is a list of digests, since
    what is in it is told to people and becomes a file's name.
    """
    try:
        listed = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise PeerError("what the gate lists is no list") from error
    if not isinstance(listed, list) or not all(map(_is_digest, listed)):
        raise PeerError("the gate lists something else than digests")
    return listed


def _is_digest(text: object) -> bool:
    """Whether it is a SHA-256 in 64 hex digits."""
    return isinstance(text, str) and bool(_DIGEST.fullmatch(text))


def _wrong(path: Path) -> OperatorError:
    return OperatorError(
        f"{path}: it is no list of SHA-256 digests of bundles",
        remedy='write it as ["64 hex digits"]; the coordinator tells its bundle\'s digest',
    )
