"""The way from the gate to the SuperLink behind it.

Invariants:
- What a member sends changes nothing but the body and a few named headers, each given once: what
  was checked is what is passed.
- While the SuperLink is away the answer is 503: nodes ask again by themselves. So it is when it
  fails at a sign of life or at a look for messages, with a full disk for example: at a 500 Flower's
  node gives up its signs of life for good, and is taken for gone while it is there.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable, Mapping

import httpx

from server.deployment.bodies import FLEET
from server.deployment.loopback import Loopback
from server.deployment.refused_request import RefusedRequestError

PASSED = frozenset(
    {"content-type", "accept", "flwr-public-key", "flwr-signature", "flwr-timestamp"}
    | {"flwr-package-name", "flwr-package-version", "flwr-component-name", "x-flwr-client"}
)
_ALWAYS_AGAIN = frozenset({FLEET + "send-node-heartbeat", FLEET + "pull-messages"})
_AGAIN = b'{"error": "the coordinator is starting or busy; ask again"}'
_BACK = ("content-type", "flwr-version-incompatibility-message")
_SECONDS = 60.0


def passed_of(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The headers to pass, of all that came; RefusedRequestError when one of them came twice."""
    passed: dict[str, str] = {}
    for name, value in headers:
        if name in passed:
            raise RefusedRequestError(400, "twice", f"the header {name} is there more than once")
        if name in PASSED:
            passed[name] = value
    return passed


class Forwarding:
    """A pool of connections to the SuperLink of a folder."""

    def __init__(self, loopback: Loopback) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(loopback.certificate)
        self._client = httpx.AsyncClient(
            verify=context,
            base_url=f"https://{loopback.address}",
            timeout=_SECONDS,
            limits=httpx.Limits(max_connections=200, max_keepalive_connections=50),
            trust_env=False,
        )

    async def post(
        self, path: str, body: bytes, headers: Mapping[str, str], grow: Callable[[int], None]
    ) -> tuple[int, bytes, dict[str, str]]:
        """Status, body and headers of the SuperLink's answer. `headers`: of `passed_of`; `grow`: is
        told the bytes of the answer as they come, and what it raises ends them.
        """
        pieces = []
        call = self._client.stream("POST", path, content=body, headers=dict(headers))
        try:
            async with call as answer:
                async for piece in answer.aiter_bytes():
                    grow(len(piece))
                    pieces.append(piece)
        except httpx.TransportError:
            return 503, _AGAIN, {}
        if answer.status_code >= 500 and path in _ALWAYS_AGAIN:
            return 503, _AGAIN, {}
        back = {name: answer.headers[name] for name in _BACK if name in answer.headers}
        return answer.status_code, b"".join(pieces), back

    async def ready(self) -> bool:
        """Whether the SuperLink answers."""
        try:
            return (await self._client.get("/health")).status_code == 200
        except httpx.TransportError:
            return False

    async def close(self) -> None:
        """Let the connections go."""
        await self._client.aclose()
