"""The coordinator's folder: which file is what, and who may change one now.

    consortium.toml           what all members hold letter for letter
    authority/                authority.key, authority.crt; the key may lie elsewhere, off line
    authority.crt             the authority's certificate
    coordinator.{key,crt}     the coordinator's identity (Ed25519)
    transport.crt             its end of mutual TLS (P-256), key in own/transport.key
    members.json              code → {"public": hex, "node": PEM, "joined": date}
    invitations.json          code → {"verifier", "expires", "days", "used"}
    revoked.json              codes that are believed no more
    renewals/CODE.json        what a member was granted last (`granted.py`)
    bundle/sha256             digest of the code bundle that runs are started with

Invariants:
- One process at a time changes members, invitations and revoked codes (`locked`); readers see the
  old file or the new one.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from server.actor import TRANSPORT, TRANSPORT_KEY
from server.authority import AUTHORITY_KEY, Authority, read_authority
from server.files import write_durably
from server.keys import AUTHORITY, COORDINATOR, COORDINATOR_KEY
from shared.errors import OperatorError
from shared.training.consortium import FILE, Consortium, parse_consortium

__all__ = ["AUTHORITY", "COORDINATOR", "COORDINATOR_KEY", "TRANSPORT", "TRANSPORT_KEY"]

AUTHORITY_FOLDER = "authority"
MEMBERS, INVITATIONS = "members.json", "invitations.json"
BUNDLE_DIGEST = "bundle/sha256"
_LOCK = "members.lock"
_MOST_BYTES = 16 << 20


def consortium_text(folder: Path) -> bytes:
    """consortium.toml as it lies there; OperatorError when it cannot be read, or the folder is a
    lender's, which has a copy.
    """
    if (folder / "client.toml").exists():
        raise OperatorError(
            f"{folder} is a lender's folder", remedy="name the coordinator's folder"
        )
    try:
        return (folder / FILE).read_bytes()
    except OSError as error:
        raise OperatorError(
            f"{folder / FILE} cannot be read: {error.strerror}",
            remedy="name the coordinator's folder, or make one: lianfang-server init -h",
        ) from error


def read_consortium(folder: Path) -> Consortium:
    """What consortium.toml says; OperatorError names the entry."""
    return parse_consortium(consortium_text(folder), str(folder / FILE))


def authority_of(folder: Path, elsewhere: Path | None, now: datetime) -> Authority:
    """The authority with its key, which may lie `elsewhere`; OperatorError when it is not there."""
    home = folder / AUTHORITY_FOLDER if elsewhere is None else elsewhere
    if not (home / AUTHORITY_KEY).exists():
        raise OperatorError(
            f"{home}: the authority's key is not here, so nothing can be certified",
            remedy="put it in place, or where it is: lianfang-server admit REQUEST "
            "--authority FOLDER",
        )
    return read_authority(home, now)


def bundles_of(folder: Path) -> tuple[str, ...]:
    """Digests (hex) of the code bundles that runs are started with; none before one is made."""
    try:
        text = (folder / BUNDLE_DIGEST).read_text(encoding="ascii")
    except (OSError, ValueError):
        return ()
    return tuple(line.split()[0] for line in text.splitlines() if line.strip())


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Alone in changing what the folder knows of members, until the end; others wait."""
    try:
        handle = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise unwritable(folder, error) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def read_object(path: Path, remedy: str) -> dict[str, Any]:
    """A JSON object of a file; empty without one. OperatorError when it is something else."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError("too large")
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError("no object")  # noqa: TRY004 - told below as what it is
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise OperatorError(f"{path} cannot be read: {error.strerror}", remedy=remedy) from error
    except (ValueError, RecursionError) as error:
        raise OperatorError(f"{path}: it is not a JSON object", remedy=remedy) from error
    return found


def write_object(path: Path, content: object) -> None:
    """Write JSON durably, whole or not at all; OperatorError."""
    try:
        write_durably(path, json.dumps(content, indent=1, sort_keys=True).encode())
    except OSError as error:
        raise unwritable(path.parent, error) from error


def unwritable(folder: Path, error: OSError) -> OperatorError:
    """What to tell an operator whose disk does not take a file."""
    return OperatorError(
        f"{error.filename or folder} cannot be written: {error.strerror or type(error).__name__}",
        remedy="free space or mend the folder's permissions, then give the command again",
    )
