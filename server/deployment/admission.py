"""Who may ask the gate for what.

Invariants, checked at every request, on connections that were opened long ago too:
- The certificate is the consortium's, a lender's, valid now, and its code is not revoked.
- Of the fleet's calls only those a node needs pass; registering and unregistering nodes never do.
- A node speaks under the key that its own member registered, and answers in its own name only.

A refusal says why, and nothing about anybody else.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509

from server.deployment.bodies import FLEET, Announced
from server.deployment.node_keys import NodeKeys
from server.deployment.refused_request import RefusedRequestError
from server.revoked import RevokedCodes
from shared.errors import PeerError
from shared.identity.transport import read_peer

CALLS = frozenset(
    FLEET + name
    for name in (
        "activate-node",
        "deactivate-node",
        "send-node-heartbeat",
        "pull-messages",
        "push-messages",
        "get-run",
        "get-fab",
        "push-object",
        "pull-object",
        "confirm-message-received",
    )
)
SOON = timedelta(hours=1)
NODE_KEY = "flwr-public-key"
"""Flower's header: the node's public key, base64 of PEM; the SuperLink checks its signature."""


@dataclass(frozen=True)
class Admission:
    """`authority`: DER; `clock`: the time with a zone."""

    authority: bytes
    revoked: RevokedCodes
    nodes: NodeKeys
    clock: Callable[[], datetime]

    def lender(self, certificate: bytes | None) -> str:
        """The code of the lender that a connection's certificate (DER) speaks for."""
        try:
            peer = read_peer(certificate or b"", self.authority, self.clock())
        except PeerError as error:
            raise RefusedRequestError(401, "certificate", error.what) from error
        if peer.code in self.revoked:
            raise RefusedRequestError(401, "revoked", "this certificate was revoked")
        if peer.role != "lender":
            raise RefusedRequestError(403, "role", f"nothing here is for a {peer.role}")
        return peer.code

    def ends_soon(self, certificate: bytes) -> bool:
        """Whether a certificate (DER) is about to end: what its owner has renewed meanwhile shows
        on another connection only.
        """
        parsed = x509.load_der_x509_certificate(certificate)
        first, last = parsed.not_valid_before_utc, parsed.not_valid_after_utc
        return last - self.clock() < min((last - first) / 10, SOON)

    def check_call(self, code: str, path: str, node_key: str) -> None:
        """That this member's node may make this call. `node_key`: the header's text."""
        if path not in CALLS:
            raise RefusedRequestError(403, "path", "the gate does not pass this")
        try:
            shown = base64.b64decode(node_key, validate=True)
        except (binascii.Error, ValueError) as error:
            raise RefusedRequestError(403, "node", "the node shows no key") from error
        if not shown or self.nodes.current().get(code) != shown:
            raise RefusedRequestError(403, "node", f"this is not the node key of {code}")

    def check_reply(self, reply: Announced) -> None:
        """That a reply is the node's own: Flower compares the node with its key, but not with the
        name its replies bear.
        """
        if not reply.names <= {reply.node}:
            raise RefusedRequestError(403, "name", "a reply in another node's name")
