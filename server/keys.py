"""Private keys on disk, and the coordinator's own identity in a run's folder.

    coordinator.key   its private key, readable by its owner only
    coordinator.crt   its certificate
    authority.crt     the authority's certificate

Invariants:
- A private key's file is new, durable and its owner's alone; one that others can read is not used.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from shared.errors import OperatorError
from shared.identity.certificate import Identity, identity_of
from shared.identity.pem import certificate_from_pem, private_from_pem, private_to_pem

COORDINATOR_KEY = "coordinator.key"
COORDINATOR = "coordinator.crt"
AUTHORITY = "authority.crt"


def write_private(path: Path, private: bytes) -> None:
    """Write a raw Ed25519 key (32 bytes) as PEM; OperatorError as `write_key`."""
    write_key(path, private_to_pem(private))


def write_key(path: Path, content: bytes) -> None:
    """Write a private key's file, its owner's alone; OperatorError if one is there already."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise OperatorError(
            f"{path} is there already; nothing was written",
            remedy="a key written over is lost: move the file away yourself if that is meant",
        ) from error
    except OSError as error:
        raise OperatorError(
            f"{path} cannot be written: {error.strerror or type(error).__name__}",
            remedy="mend the folder's permissions, or free space",
        ) from error
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def read_private(path: Path) -> bytes:
    """The raw key in a file of `write_private`; OperatorError when there is none or it is open to
    others.
    """
    return private_from_pem(private_text(path))


def private_text(path: Path) -> bytes:
    """What a private key's file holds, of whatever kind; OperatorError as `read_private`."""
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise OperatorError(
                    f"{path} can be read by others than its owner",
                    remedy=f"chmod 600 {path}; if anybody may have copied it, replace the key",
                )
            return file.read()
    except OSError as error:
        raise unreadable(path, error) from error


def read_certificate(path: Path) -> bytes:
    """The DER certificate in a PEM file; OperatorError when there is none."""
    try:
        return certificate_from_pem(path.read_bytes())
    except OSError as error:
        raise unreadable(path, error) from error


def read_identity(folder: Path, now: datetime) -> tuple[Identity, bytes]:
    """The coordinator's identity in a run's folder, and its authority's certificate (DER).

    Raises OperatorError when a file is missing, open to others, expired or not a coordinator's.
    """
    authority = read_certificate(folder / AUTHORITY)
    private = read_private(folder / COORDINATOR_KEY)
    identity = identity_of(read_certificate(folder / COORDINATOR), private, authority, now)
    if identity.member.role != "coordinator":
        raise OperatorError(
            f"{folder / COORDINATOR} is a {identity.member.role}'s certificate",
            remedy="ask the authority for one in the role of coordinator",
        )
    return identity, authority


def unreadable(path: Path, error: OSError) -> OperatorError:
    """What to tell an operator whose key or certificate cannot be read."""
    return OperatorError(
        f"{path} cannot be read: {error.strerror or type(error).__name__}",
        remedy="put the file in place; keys are never made anew on their own",
    )
