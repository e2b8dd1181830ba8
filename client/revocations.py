"""Takes over whom the coordinator believes no more, into this lender's own folder.

    own/revoked_by_coordinator.json    the codes taken, see `revoked.py`
    own/revocations.json               the signed list that was taken last: evidence of who revoked

Invariants:
- Codes are only added, at most `MOST_CODES` in all; what a list leaves out stays.
- Only members on the list here are taken, and never this lender itself: a code that is nobody's
  today may be a key holder's tomorrow.
- The registry and the key holders that this lender's own exchange.toml names are not taken. They
  are told, and a person decides; `read_revoked` leaves them out at each reading, too.
- Nothing is taken that is not signed under this lender's own authority.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from client.credentials import read_authority, read_members
from client.exchange.settings import FILE as EXCHANGE
from client.files import keep_private, write_durably
from client.revoked import BY_COORDINATOR, read_coordinators, read_own
from shared.errors import OperatorError, PeerError
from shared.identity.revocations import MOST_CODES, read_revocations

KEPT = "own/revocations.json"
_SETTINGS, _MEMBERS = "client.toml", "members.json"


@dataclass(frozen=True)
class Taken:
    """Codes that were `added` now, and those that are `held` back for a person to decide."""

    added: tuple[str, ...] = ()
    held: tuple[str, ...] = ()


def take_revocations(folder: Path, content: bytes, now: datetime) -> Taken:
    """Take a coordinator's list over. PeerError when it is none, or too long with what is known;
    OperatorError when this folder's own files cannot be read or written. Nothing is changed then.
    """
    listed = read_revocations(content, read_authority(folder / "authority.crt", now), now)
    known, services = read_coordinators(folder), _services(folder)
    new = [code for code in listed.codes if code not in known | read_own(folder)]
    members = _members(folder) - {_own_code(folder), *services}
    added = tuple(code for code in new if code in members)
    if len(known) + len(added) > MOST_CODES:
        raise PeerError(f"more than {MOST_CODES} codes would be revoked: the list is not taken")
    if added:
        _keep(
            folder, {KEPT: content, BY_COORDINATOR: json.dumps(sorted({*known, *added})).encode()}
        )
    return Taken(added, tuple(code for code in new if code in services))


def _keep(folder: Path, contents: dict[str, bytes]) -> None:
    try:
        keep_private(folder / "own")
        for name, content in contents.items():
            write_durably(folder / name, content)
    except OSError as error:
        raise OperatorError(
            f"{folder / BY_COORDINATOR} cannot be written: {error.strerror}", remedy="free space"
        ) from error


def _members(folder: Path) -> frozenset[str]:
    """Codes on this lender's list of members, pinned or as it joined; none without one."""
    path = folder / _MEMBERS
    return frozenset(read_members(path, None)) if path.exists() else frozenset()


def _own_code(folder: Path) -> str:
    """As client.toml has it; empty without."""
    return str(_document(folder / _SETTINGS).get("lender", {}).get("member", ""))


def _services(folder: Path) -> Collection[str]:
    """Codes of the registry and the key holders; none where the lender is not in the exchange.
    Read as it stands: what is wrong in the file is told by those who use it.
    """
    if not (document := _document(folder / EXCHANGE)):
        return ()
    try:
        return {str(document["registry"]["code"]), *document["holders"]}
    except (KeyError, TypeError) as error:
        raise _unreadable(folder / EXCHANGE) from error


def _document(path: Path) -> dict[str, Any]:
    """A TOML file's content; empty without the file."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise _unreadable(path) from error


def _unreadable(path: Path) -> OperatorError:
    return OperatorError(
        f"{path} cannot be read: nobody is taken for revoked meanwhile",
        remedy="mend the file; lianfang-client list and doctor say what is wrong in it",
    )
