"""Terms of runs that this lender accepted: `FOLDER/terms/DIGEST.json`, one agreement each, or one
batch about borrowing.

Invariants:
- Terms are accepted only if they fit the `consortium.toml` that this lender joined under: its
  schema and label contract, its profile, secure sums, and floors no lower than stand there. Whether
  a batch is answered is decided later (`client/borrowing/asked_lender.py`).
- A file's name is the digest of what is in it; one that was changed afterwards is not accepted.
- What is kept is bounded: names are short, and there are at most `MOST_KEPT` files. To make room
  the oldest goes that the gate does not list any more; where it lists them all, none is added.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from pathlib import Path

from client.files import write_whole
from shared.errors import OperatorError, PeerError
from shared.training.agreement import Agreement
from shared.training.asked_run import AskedTerms, asked_differences, terms_from
from shared.training.consortium import Consortium, parse_consortium

FOLDER = "terms"
MOST_BYTES = 1 << 20
MOST_KEPT = 1000
LONGEST_NAME = 200
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


def read_consortium(path: Path) -> Consortium:
    """What this lender joined under; OperatorError names the file."""
    try:
        return parse_consortium(path.read_bytes(), str(path))
    except OSError as error:
        raise OperatorError(
            f"{path} cannot be read: {error.strerror or type(error).__name__}",
            remedy="put the file in place that came with joining",
        ) from error


def accept(folder: Path, consortium: Consortium, digest: str, content: bytes) -> list[str]:
    """Keep an agreement that the coordinator shows under this digest, if it fits; what does not.

    Raises PeerError when it is no agreement, another one than it is called, or one whose name is no
    short printable text: its name is the one text in it that `consortium.toml` does not fix.
    """
    agreement = _agreement(content)
    name: object = agreement.name
    if not isinstance(name, str) or not name.isprintable() or len(name) > LONGEST_NAME:
        raise PeerError("an agreement's name is too long, or cannot be printed")
    if not _DIGEST.fullmatch(digest) or agreement.digest() != digest:
        raise PeerError("an agreement is not the one it is called")
    differences = _differences(consortium, agreement)
    if not differences:
        path = _path(folder, digest)
        write_whole(path, json.dumps(agreement.to_dict(), indent=1, ensure_ascii=False).encode())
    return differences


def make_room(folder: Path, listed: Collection[str]) -> bool:
    """Whether one more agreement can be kept; removes the oldest that are not `listed` if need be.
    Raises OSError.
    """
    kept = sorted((folder / FOLDER).glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
    over = len(kept) - MOST_KEPT + 1
    if over <= 0:
        return True
    gone = [path for path in kept if path.stem not in listed][:over]
    for path in gone:
        path.unlink(missing_ok=True)
    return len(gone) == over


def is_accepted(folder: Path, digest: str) -> bool:
    """Whether terms of this digest are kept."""
    return bool(_DIGEST.fullmatch(digest)) and _path(folder, digest).exists()


def accepted(folder: Path, consortium: Consortium, digest: str) -> Agreement:
    """Training terms of this digest, as `accepted_terms`; OperatorError for those of a batch."""
    terms = accepted_terms(folder, consortium, digest)
    if isinstance(terms, AskedTerms):
        raise OperatorError(
            f"terms {digest[:16]} are of a batch about borrowing", remedy="name those of a run"
        )
    return terms


def accepted_terms(folder: Path, consortium: Consortium, digest: str) -> Agreement | AskedTerms:
    """The terms of this digest. OperatorError when they were not accepted, or do not fit any more
    what this lender joined under.
    """
    if not is_accepted(folder, digest):
        raise OperatorError(
            f"terms {digest[:16]} of a run were not accepted here",
            remedy=f"{folder}/log tells what in them does not fit consortium.toml, if anything",
        )
    try:
        agreement = _agreement(_path(folder, digest).read_bytes())
    except (OSError, PeerError) as error:
        raise _changed(folder, digest) from error
    if agreement.digest() != digest or _differences(consortium, agreement):
        raise _changed(folder, digest)
    return agreement


def _differences(consortium: Consortium, terms: Agreement | AskedTerms) -> list[str]:
    if isinstance(terms, AskedTerms):
        return asked_differences(consortium, terms)
    return consortium.differences(terms)


def _agreement(content: bytes) -> Agreement | AskedTerms:
    if len(content) > MOST_BYTES:
        raise PeerError("an agreement is too large")
    try:
        return terms_from(dict(json.loads(content)))
    except (
        ValueError,
        TypeError,
        AttributeError,
        ArithmeticError,
        RecursionError,
        OperatorError,
        PeerError,
    ) as error:
        raise PeerError("what was shown is no agreement") from error


def _path(folder: Path, digest: str) -> Path:
    return folder / FOLDER / f"{digest}.json"


def _changed(folder: Path, digest: str) -> OperatorError:
    return OperatorError(
        f"{_path(folder, digest)} was changed, or does not fit consortium.toml any more",
        remedy="remove the file: open runs' terms are fetched again",
    )
