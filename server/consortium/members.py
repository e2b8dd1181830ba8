"""Who has joined, and who is believed no more.

Invariants:
- A code stands for one identity key for ever: it is never given to another, revoked or not.
- No two members differ by capitals only, and no key stands under two codes.
- What is revoked stays revoked until somebody edits revoked.json by hand.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from server.consortium.folder import MEMBERS, locked, read_object, write_object
from server.revoked import REVOKED, read_revoked
from shared.errors import OperatorError, PeerError
from shared.identity.certificate import CODE

_REMEDY = "restore the file from a copy of the folder"


@dataclass(frozen=True)
class MemberEntry:
    """`public`: raw Ed25519 key, 32 bytes; `node`: PEM of the node's key; `joined`: a date;
    `until`: when the certificates it was given last end, ISO 8601 in UTC, empty where not noted.
    """

    public: bytes
    node: str
    joined: str
    until: str = ""

    def to_dict(self) -> dict[str, str]:
        """JSON-ready."""
        told = {"public": self.public.hex(), "node": self.node, "joined": self.joined}
        return told | ({"until": self.until} if self.until else {})


def read_members(folder: Path) -> dict[str, MemberEntry]:
    """All who have joined, by code, revoked ones too; OperatorError names a wrong entry."""
    path = folder / MEMBERS
    return {
        code: _entry(path, code, value)
        for code, value in sorted(read_object(path, _REMEDY).items())
    }


def _entry(path: Path, code: str, value: object) -> MemberEntry:
    try:
        if not CODE.fullmatch(code) or not isinstance(value, dict):
            raise ValueError("no member")
        public, until = bytes.fromhex(value["public"]), value.get("until", "")
        entry = MemberEntry(public, value["node"], value["joined"], until)
        if len(public) != 32 or not all(isinstance(t, str) for t in (entry.node, entry.joined)):
            raise ValueError("no key")
        if until:
            datetime.fromisoformat(until)
    except (KeyError, TypeError, ValueError) as error:
        raise OperatorError(f"{path}: {code:.64} is no member's entry", remedy=_REMEDY) from error
    return entry


def in_force(folder: Path) -> dict[str, MemberEntry]:
    """Members that are not revoked."""
    revoked = read_revoked(folder)
    return {code: one for code, one in read_members(folder).items() if code not in revoked}


def page(folder: Path) -> bytes:
    """JSON, code → public key in hex of every member in force: what members may ask for."""
    return json.dumps({code: one.public.hex() for code, one in in_force(folder).items()}).encode()


def add_member(
    folder: Path, code: str, *, public: bytes, node: str, now: datetime
) -> Mapping[str, MemberEntry]:
    """Enter a member (the caller holds the lock); all members in force then. The same keys under
    the same code change nothing. PeerError when the code or a key is somebody else's.
    """
    known = read_members(folder)
    if code in read_revoked(folder):
        raise PeerError(f"{code} is revoked")
    mine = known.get(code)
    if mine is not None and (mine.public, mine.node) != (public, node):
        raise PeerError(f"{code} has joined with other keys")
    for other, entry in known.items():
        if other != code and (entry.public == public or entry.node == node):
            raise PeerError("a key is already that of another member")
    if mine is None:
        known[code] = MemberEntry(public, node, f"{now:%Y-%m-%d}")
        _write(folder, known)
    return in_force(folder)


def note_end(folder: Path, code: str, until: datetime) -> None:
    """Note until when the certificates last that a member is about to be given. OperatorError."""
    with locked(folder):
        known = read_members(folder)
        if code in known:
            known[code] = replace(known[code], until=until.isoformat(timespec="seconds"))
            _write(folder, known)


def _write(folder: Path, members: Mapping[str, MemberEntry]) -> None:
    write_object(folder / MEMBERS, {code: one.to_dict() for code, one in members.items()})


def revoke(folder: Path, code: str) -> bool:
    """Believe a code no more, from now on; False if that was so before.

    Its certificates are refused by whoever reads revoked.json, open connections included.
    """
    if not CODE.fullmatch(code):
        raise OperatorError(f"{code!r:.70} is no code", remedy="lianfang-server members lists them")
    with locked(folder):
        revoked = read_revoked(folder)
        if code in revoked:
            return False
        write_object(folder / REVOKED, sorted({*revoked, code}))
    return True
