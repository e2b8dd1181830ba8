"""The pinned list of members beside the one that the coordinator shows.

Invariants:
- Nobody comes onto the pinned list but by the lender's own word, after fingerprints were compared;
  the coordinator shows, and never writes.
- A key that is pinned is not replaced: who shows another key under a known code is told, and stays
  unbelieved.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from client.credentials import read_authority, read_members
from client.files import write_durably
from client.https import request
from client.joining import AUTHORITY, MEMBERS
from client.renewal import membership
from shared.errors import OperatorError, PeerError
from shared.identity.certificate import CODE

GATE_PATH = "/lianfang/members"
_MOST = 10_000


@dataclass(frozen=True)
class MemberLists:
    """Code → raw public key: `pinned` here, `shown` by the coordinator."""

    pinned: Mapping[str, bytes]
    shown: Mapping[str, bytes]

    @property
    def new(self) -> tuple[str, ...]:
        """Shown, and not pinned yet."""
        return tuple(sorted(self.shown.keys() - self.pinned.keys()))

    @property
    def changed(self) -> tuple[str, ...]:
        """Shown under another key than the one pinned."""
        both = self.shown.keys() & self.pinned.keys()
        return tuple(sorted(code for code in both if self.shown[code] != self.pinned[code]))

    @property
    def gone(self) -> tuple[str, ...]:
        """Pinned, and not shown any more: revoked, perhaps."""
        return tuple(sorted(self.pinned.keys() - self.shown.keys()))


def compare(folder: Path, *, now: datetime) -> MemberLists:
    """Both lists; the coordinator's is asked for at its gate. OperatorError, PeerError,
    UnreachableError.
    """
    member = membership(folder)
    authority = read_authority(folder / AUTHORITY, now)
    reply = request(member.gate, authority, "GET", GATE_PATH, now=now, own=member.certified)
    return MemberLists(_pinned(folder), _parsed(reply.content()))


def accept(folder: Path, lists: MemberLists, codes: Sequence[str]) -> None:
    """Pin these members under the keys shown. OperatorError, and nothing is changed, for one that
    is not shown or is pinned under another key.
    """
    for code in codes:
        if code not in lists.shown:
            raise OperatorError(
                f"the coordinator shows no member {code[:64]!r}",
                remedy=f"it shows {', '.join(lists.shown)}",
            )
        if code in lists.changed:
            raise OperatorError(
                f"{code} shows another key than the one pinned here; nothing was changed",
                remedy="ask that member by telephone: a member keeps its key for ever. If it says "
                "that it has another now, it has to join again under another code",
            )
    pinned = {**lists.pinned, **{code: lists.shown[code] for code in codes}}
    content = json.dumps({code: pinned[code].hex() for code in sorted(pinned)}, indent=1)
    try:
        path = folder / MEMBERS
        write_durably(path, content.encode())
    except OSError as error:
        raise OperatorError(
            f"{folder / MEMBERS} cannot be written: {error.strerror}", remedy="free space"
        ) from error


def _pinned(folder: Path) -> Mapping[str, bytes]:
    return read_members(folder / MEMBERS, None) if (folder / MEMBERS).exists() else {}


def _parsed(content: bytes) -> dict[str, bytes]:
    try:
        found = json.loads(content)
        if not isinstance(found, dict) or len(found) > _MOST:
            raise ValueError("form")
        shown = {code: bytes.fromhex(key) for code, key in sorted(found.items())}
        if not all(CODE.fullmatch(code) and len(key) == 32 for code, key in shown.items()):
            raise ValueError("entries")
    except (ValueError, TypeError, RecursionError) as error:
        raise PeerError("the coordinator's list of members is none") from error
    if len(set(shown.values())) < len(shown):
        raise PeerError("the coordinator's list has one key under two codes")
    return shown
