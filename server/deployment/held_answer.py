"""An answer of the SuperLink on its way to a member, counted as that member's until it is taken.

Invariants:
- It is handed on in pieces, so that no more than two of them lie with the system, and its bytes
  count as under way until the last one does: who asks and does not read uses up its own bound.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from server.deployment.uploads import Body

PIECE = 1 << 18


class HeldAnswer(Response):
    """`held`: lets go of the bytes when the answer has been taken, or its connection has ended."""

    def __init__(self, content: bytes, status: int, headers: Mapping[str, str], held: Body) -> None:
        super().__init__(content, status, headers)
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        size = len(self.body)
        try:
            await send(
                {
                    "type": "http.response.start",
                    "status": self.status_code,
                    "headers": self.raw_headers,
                }
            )
            for begin in range(0, max(size, 1), PIECE):
                end = begin + PIECE
                await send(
                    {
                        "type": "http.response.body",
                        "body": bytes(self.body[begin:end]),
                        "more_body": end < size,
                    }
                )
        finally:
            self._held.let_go()
