"""HTTP with a member: whose connection it is, how many of them, how long a request may take.

Invariants:
- A request arrives as a whole within `REQUEST_SECONDS`, or its connection is ended; so is one on
  which no piece of an answer is taken for `TAKEN_SECONDS`.
- One member holds `CONNECTIONS_OF_ONE` connections at most, however many certificates it has.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any, ClassVar

from cryptography import x509
from cryptography.x509.oid import NameOID
from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_SECONDS, TAKEN_SECONDS, CONNECTIONS_OF_ONE = 30.0, 30.0, 32
CERTIFICATE = "lianfang.certificate"
"""Of an ASGI scope: the certificate (DER) that the connection showed."""


class MemberProtocol(H11Protocol):
    """Uvicorn's HTTP, which also tells the application whose certificate a connection showed, and
    ends connections whose request does not come.
    """

    held: ClassVar[Counter[str]] = Counter()
    """Connections by member: certificates of one code count together."""
    _timer: asyncio.TimerHandle | None = None
    _holder = ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Keep the certificate for every request of this connection."""
        super().connection_made(transport)
        spoken, app = transport.get_extra_info("ssl_object"), self.app
        certificate = spoken.getpeercert(binary_form=True) or b""
        self._holder = holder_of(certificate)
        self.held[self._holder] += 1
        if self.held[self._holder] > CONNECTIONS_OF_ONE:
            transport.abort()

        async def told(scope: Any, receive: Any, send: Any) -> None:
            if scope["method"] == "GET":  # its body, if any, is not looked at
                self.arrived()

            async def sent(event: Any) -> None:  # waits while the piece before is not taken
                timer = self.loop.call_later(TAKEN_SECONDS, self.transport.abort)
                try:
                    await send(event)
                finally:
                    timer.cancel()

            await app({**scope, CERTIFICATE: certificate}, _Timely(self, receive), sent)

        self.app = told
        self._expect()

    def data_received(self, data: bytes) -> None:
        """A request that has begun is to arrive in time."""
        if self._timer is None and (self.cycle is None or self.cycle.response_complete):
            self._expect()
        super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self.arrived()
        self.held[self._holder] -= 1
        if self.held[self._holder] <= 0:
            del self.held[self._holder]
        super().connection_lost(exc)

    def _expect(self) -> None:
        self._timer = self.loop.call_later(REQUEST_SECONDS, self.transport.abort)

    def arrived(self) -> None:
        """The request is there as a whole."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _Timely:
    """Tells the protocol when the last part of a request's body is there."""

    def __init__(self, protocol: MemberProtocol, receive: Any) -> None:
        self._protocol, self._receive = protocol, receive

    async def __call__(self) -> Any:
        event = await self._receive()
        if not event.get("more_body", False):
            self._protocol.arrived()
        return event


def holder_of(certificate: bytes) -> str:
    """The code that a certificate (DER) names, for counting only: TLS knows who issued it."""
    try:
        names = x509.load_der_x509_certificate(certificate).subject
        return str(names.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
    except (ValueError, IndexError):
        return ""
