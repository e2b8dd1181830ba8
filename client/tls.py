"""A lender's end of mutual TLS with key holders and registry.

    transport.crt       its transport certificate (P-256), beside client.toml
    own/transport.key   readable by its owner only

Invariants:
- A server is believed only if the authority certified it under the very code that was asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import grpc

from client.credentials import private_text, read_authority
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
    except OSError as error:
        raise OperatorError(
            f"{error.filename} cannot be read: {error.strerror}",
            remedy="ask the authority for a transport certificate; see docs/institution.md",
        ) from error
    key = private_text(folder / TRANSPORT_KEY)
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
