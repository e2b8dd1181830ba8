"""The way from the gate to the SuperLink behind it.

Invariants:
- What a member sends changes nothing but the body and a few named headers.
- While the SuperLink is away the answer is 503: nodes ask again by themselves.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping

import httpx

from server.deployment.loopback import Loopback

PASSED = frozenset(
    {"content-type", "accept", "flwr-public-key", "flwr-signature", "flwr-timestamp"}
    | {"flwr-package-name", "flwr-package-version", "flwr-component-name", "x-flwr-client"}
)
_BACK = ("content-type", "flwr-version-incompatibility-message")
_SECONDS = 60.0


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
        self, path: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[int, bytes, dict[str, str]]:
        """Status, body and headers of the SuperLink's answer."""
        passed = {name: value for name, value in headers.items() if name in PASSED}
        try:
            answer = await self._client.post(path, content=body, headers=passed)
        except httpx.TransportError:
            return 503, b'{"error": "the coordinator is starting or busy; ask again"}', {}
        back = {name: answer.headers[name] for name in _BACK if name in answer.headers}
        return answer.status_code, answer.content, back

    async def ready(self) -> bool:
        """Whether the SuperLink answers."""
        try:
            return (await self._client.get("/health")).status_code == 200
        except httpx.TransportError:
            return False

    async def close(self) -> None:
        """Let the connections go."""
        await self._client.aclose()
