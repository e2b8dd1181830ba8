"""A lender's end of mutual TLS with the coordinator's gate.

Invariants:
- The other end is believed only if the authority certified it as a coordinator, and is valid now.
- The files are read for each connection: a renewed certificate is shown from the next one on.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from client.credentials import read_authority
from client.tls import TRANSPORT, TRANSPORT_KEY
from shared.errors import OperatorError, PeerError
from shared.identity.transport import read_peer

AUTHORITY = "authority.crt"


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Mutual:
    """Of a lender's folder."""

    folder: Path
    clock: Callable[[], datetime] = _now

    def context(self) -> ssl.SSLContext:
        """TLS 1.3 with this lender's certificate; OperatorError when its files cannot be used, or
        it has ended: in the handshake the gate would refuse it without a word.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.check_hostname = False  # members are named by role and code: see `check`
        try:
            context.load_verify_locations(self.folder / AUTHORITY)
            context.load_cert_chain(self.folder / TRANSPORT, self.folder / TRANSPORT_KEY)
        except (OSError, ssl.SSLError) as error:
            raise OperatorError(
                f"{self.folder}: {TRANSPORT} and {TRANSPORT_KEY} cannot be used",
                remedy="join again, or let the coordinator renew them; see docs/institution.md",
            ) from error
        if (last := _last(self.folder / TRANSPORT)) < self.clock():
            raise OperatorError(
                f"{TRANSPORT} ended at {last:%Y-%m-%d %H:%M} UTC: lianfang-client renew",
                remedy=f"lianfang-client renew {self.folder}",
            )
        return context

    def check(self, certificate: bytes | None) -> None:
        """PeerError unless the certificate (DER) that was shown is a coordinator's."""
        authority = read_authority(self.folder / AUTHORITY, self.clock())
        peer = read_peer(certificate or b"", authority, self.clock())
        if peer.role != "coordinator":
            raise PeerError(f"the gate is a {peer.role}'s, not a coordinator's")


def _last(path: Path) -> datetime:
    return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
