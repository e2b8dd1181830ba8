"""One request to the coordinator over TLS 1.3, believed on the authority's word alone.

Invariants:
- The other end is believed if the consortium's authority certified it as a coordinator, whatever
  its host is called; the machine's list of public authorities plays no part. No proxy is used.
- Before that nothing is sent but the question for the authority's certificate, and nothing taken
  but that certificate, if it has the digest that came with the invitation.
- Answers and waiting are bounded: each receive, and the whole.
"""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from hmac import compare_digest
from pathlib import Path

from client.deadline import ended_after
from shared.errors import LianfangError, OperatorError, PeerError
from shared.identity.address import host_and_port
from shared.identity.enrolment import certificate_of, digest_of
from shared.identity.transport import read_peer

SECONDS = 20.0
_MOST_WAITS = 3
"""Times `SECONDS`: an answer as a whole, however busily the other end sends."""
MOST_ANSWER = 4 << 20
_MOST_CERTIFICATE = 16_384
_MOST_TEXT = 400


class UnreachableError(LianfangError):
    """Nobody answers, or not over TLS as it should be: nothing was sent."""


@dataclass(frozen=True)
class Certified:
    """A lender's own end of mutual TLS: two files, PEM."""

    certificate: Path
    key: Path = field(repr=False)

    def check(self) -> None:
        """OperatorError when the two cannot be used, or do not belong together."""
        _show(_context(), self)


@dataclass(frozen=True)
class Reply:
    """What came back; `headers` in lower case."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    def content(self) -> bytes:
        """The body of an answer; PeerError with the coordinator's own sentence when it refused."""
        if self.status == 200:
            return self.body
        what, remedy = _told(self.body)
        raise PeerError(f"the coordinator refused ({self.status}): {what}", remedy=remedy)

    def date(self) -> datetime | None:
        """The coordinator's time, if it tells it."""
        try:
            return parsedate_to_datetime(self.headers["date"])
        except (KeyError, ValueError):
            return None


def pinned_authority(address: str, digest: bytes) -> bytes:
    """The authority's certificate (DER) as whoever answers at `address` gives it, if it has this
    SHA-256. PeerError otherwise: somebody may stand in between. UnreachableError.
    """
    context = _context()
    context.verify_mode = ssl.CERT_NONE  # what is taken has the digest, or is not taken
    connection = _connected(address, context)
    reply = _asked(connection, address, "GET", "/v1/authority", b"", _MOST_CERTIFICATE)
    try:
        certificate = certificate_of(reply.body.decode("ascii"))
    except (UnicodeDecodeError, PeerError):
        certificate = b""
    if not compare_digest(digest_of(certificate), digest):
        raise PeerError(
            f"at {address} answers another authority than the one that invited",
            remedy="somebody may stand in between: do not go on; ask the coordinator by telephone "
            "whether the address in the invitation is right",
        )
    return certificate


def request(
    address: str,
    authority: bytes,
    method: str,
    path: str,
    body: bytes = b"",
    *,
    now: datetime,
    own: Certified | None = None,
) -> Reply:
    """The coordinator's reply at `address`; `authority` is DER, `own` shown where it is given.

    Raises UnreachableError, PeerError (whoever answers is not the coordinator) or OperatorError.
    """
    context = _context()
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=authority)
    if own is not None:
        _show(context, own)
    connection = _connected(address, context)
    certificate = connection.sock.getpeercert(binary_form=True) or b""
    try:
        peer = read_peer(certificate, authority, now)
        if peer.role != "coordinator":
            raise PeerError(f"at {address} answers the {peer.role} {peer.code}, no coordinator")
    except LianfangError:
        connection.close()
        raise
    return _asked(connection, address, method, path, body, MOST_ANSWER)


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False  # a certificate names code and role, which `read_peer` reads
    return context


def _show(context: ssl.SSLContext, own: Certified) -> None:
    try:
        context.load_cert_chain(own.certificate, own.key)
    except OSError as error:  # ssl.SSLError is one
        raise OperatorError(
            f"{own.certificate} and {own.key.name} cannot be used for TLS: "
            f"{error.strerror or type(error).__name__}",
            remedy="lianfang-client renew makes them fit",
        ) from error


def _connected(address: str, context: ssl.SSLContext) -> http.client.HTTPSConnection:
    host, port = host_and_port(address)
    connection = http.client.HTTPSConnection(host, port, timeout=SECONDS, context=context)
    try:
        connection.connect()
    except ssl.SSLCertVerificationError as error:
        raise PeerError(
            f"{address} does not show a certificate of the consortium's authority "
            f"({error.verify_message})",
            remedy="somebody may stand in between, or this machine's clock is wrong; if both are "
            "ruled out, the coordinator has to renew its certificate",
        ) from error
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(address, error) from error
    return connection


def _asked(
    connection: http.client.HTTPSConnection,
    address: str,
    method: str,
    path: str,
    body: bytes,
    most: int,
) -> Reply:
    try:
        with ended_after(connection.sock, _MOST_WAITS * SECONDS):
            connection.request(method, path, body or None, {"Connection": "close"})
            found = connection.getresponse()
            content = found.read(most + 1)
        headers = {name.lower(): value for name, value in found.getheaders()}
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(address, error) from error
    finally:
        connection.close()
    if len(content) > most:
        raise PeerError(f"{address} answers with more than {most} bytes")
    return Reply(found.status, content, headers)


def _unreachable(address: str, error: Exception) -> UnreachableError:
    why = getattr(error, "strerror", None) or type(error).__name__
    return UnreachableError(
        f"{address} does not answer: {why}",
        remedy="check the network and the firewall; ask the coordinator whether it is running",
    )


def _told(body: bytes) -> tuple[str, str]:
    """Error and remedy of a refusal, in printable letters and not at length."""
    try:
        found = json.loads(body)
        texts = [str(found.get(name, "")) for name in ("error", "remedy")]
    except (ValueError, RecursionError, AttributeError):
        texts = ["without a reason", ""]
    what, remedy = ("".join(c for c in t[:_MOST_TEXT] if c.isprintable()) for t in texts)
    return what, remedy
