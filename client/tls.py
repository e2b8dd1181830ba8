"""A lender's end of mutual TLS with key holders and registry.

    transport.crt       its transport certificate (P-256), beside client.toml
    own/transport.key   readable by its owner only

Invariants:
- A server is believed only if the authority certified it under the very code that was asked for.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import grpc

from client.credentials import read_authority
from shared.errors import OperatorError
from shared.identity.pem import certificate_from_pem, certificate_to_pem
from shared.identity.transport import read_peer, transport_public_of

TRANSPORT, TRANSPORT_KEY = "transport.crt", "own/transport.key"
MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class Transport:
    """What this lender shows and believes; `authority` and `certificate` DER, `key` PEM."""

    code: str
    authority: bytes = field(repr=False)
    certificate: bytes = field(repr=False)
    key: bytes = field(repr=False)


def read_transport(folder: Path, member: str, now: datetime) -> Transport:
    """The transport credentials in a lender's folder; OperatorError names the file."""
    authority = read_authority(folder / "authority.crt", now)
    try:
        certificate = certificate_from_pem((folder / TRANSPORT).read_bytes())
        key = _private(folder / TRANSPORT_KEY)
    except OSError as error:
        raise OperatorError(
            f"{error.filename} cannot be read: {error.strerror}",
            remedy="ask the authority for a transport certificate; see docs/institution.md",
        ) from error
    peer = read_peer(certificate, authority, now)
    if (peer.code, peer.role) != (member, "lender"):
        raise OperatorError(
            f"{folder / TRANSPORT}: it is that of the {peer.role} {peer.code}, not of {member}",
            remedy="put this lender's own certificate in place",
        )
    transport_public_of(key)
    return Transport(member, authority, certificate, key)


def channel(address: str, code: str, transport: Transport) -> grpc.Channel:
    """A connection to the server `code` at `address` ("host:port"); opened when first used."""
    pem = certificate_to_pem
    credentials = grpc.ssl_channel_credentials(
        pem(transport.authority), transport.key, pem(transport.certificate)
    )
    return grpc.secure_channel(
        address,
        credentials,
        options=[
            ("grpc.ssl_target_name_override", code),
            ("grpc.max_receive_message_length", MOST_BYTES),
            ("grpc.max_send_message_length", MOST_BYTES),
        ],
    )


def _private(path: Path) -> bytes:
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_mode & 0o077:
            raise OperatorError(
                f"{path} can be read by others than its owner",
                remedy=f"chmod 600 {path}; if anybody may have copied it, replace the key",
            )
        return file.read(16_384)
