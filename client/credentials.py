"""How a lender shows who it is, and whom it believes: the files its settings name.

    authority.crt      the consortium's authority; its certificates are believed, no others
    certificate.crt    this lender's own certificate
    own/identity.key   its private key: made here, never sent, readable by its owner only
    members.json       optional list of members, code → public key in hex: a certificate over
                       another key is not believed, even if the authority issued it

Invariants:
- All of it is read and checked when the settings are, before any question is answered.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from shared.errors import OperatorError
from shared.identity.certificate import Identity, check_authority, identity_of
from shared.identity.pem import certificate_from_pem, private_from_pem


def read_authority(path: Path, now: datetime) -> bytes:
    """The authority's certificate, DER; raises OperatorError naming the file."""
    try:
        authority = certificate_from_pem(_content(path))
        check_authority(authority, now)
    except OperatorError as error:
        raise _naming(path, error) from error
    return authority


def read_identity(
    certificate: Path, key: Path, authority: bytes, member: str, now: datetime
) -> Identity:
    """This lender's identity; OperatorError unless certificate and key belong together and are
    those of the lender `member`.
    """
    private = _private(key)
    try:
        identity = identity_of(certificate_from_pem(_content(certificate)), private, authority, now)
    except OperatorError as error:
        raise _naming(certificate, error) from error
    of = identity.member
    if (of.role, of.code) != ("lender", member):
        raise OperatorError(
            f"{certificate}: it is that of the {of.role} {of.code}, and this is lender {member}",
            remedy="put this lender's own certificate in place, or mend the entry member",
        )
    return identity


def read_members(path: Path, identity: Identity | None) -> Mapping[str, bytes]:
    """The pinned list, code → raw Ed25519 key of 32 bytes; OperatorError naming what is wrong.

    No key stands twice, and this lender's own entry, if it has an identity, is its own key.
    """
    try:
        listed = {code: bytes.fromhex(key) for code, key in json.loads(_content(path)).items()}
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise _wrong_list(path, "it is not an object of code: public key in hex") from error
    for code, public in listed.items():
        if len(public) != 32:
            raise _wrong_list(path, f"{code!r} has a key of {len(public)} bytes, not 32")
    if len(set(listed.values())) < len(listed):
        raise _wrong_list(path, "one key stands there under two codes")
    if identity is not None and listed.get(identity.member.code) != identity.member.public:
        raise _wrong_list(path, f"it does not hold {identity.member.code}'s own key")
    return MappingProxyType(listed)


def private_text(path: Path) -> bytes:
    """What a private key's file holds, of whatever kind; OperatorError when it cannot be read or
    others than its owner can.
    """
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise OperatorError(
                    f"{path}: others than its owner can read it",
                    remedy=f"chmod 600 {path}; if anybody may have copied it, replace the key",
                )
            return file.read()
    except OSError as error:
        raise _unreadable(path, error) from error


def _private(path: Path) -> bytes:
    content = private_text(path)
    try:
        return private_from_pem(content)
    except OperatorError as error:
        raise _naming(path, error) from error


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error


def _naming(path: Path, error: OperatorError) -> OperatorError:
    return OperatorError(f"{path}: {error.what}", remedy=error.remedy)


def _unreadable(path: Path, error: OSError) -> OperatorError:
    return OperatorError(
        f"{path} cannot be read: {error.strerror or type(error).__name__}",
        remedy="put the file in place, or mend the entry that names it; see docs/institution.md",
    )


def _wrong_list(path: Path, why: str) -> OperatorError:
    return OperatorError(f"{path}: {why}", remedy="compare the list with the other members'")
