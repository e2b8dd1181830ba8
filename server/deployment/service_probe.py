"""Whether a service of this machine answers: it is asked over its own port, as a member would.

Invariants:
- It shows the service's own certificate and believes no other; it learns nothing from the answer,
  and a refusal is an answer.
- A question takes `SECONDS` at most.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import grpc

from server.actor import Actor, read_actor
from server.deployment.services import BORROWING, CASES, KEYHOLDER, REGISTRY, Service
from shared.identity.certificate import Role
from shared.identity.pem import certificate_to_pem

SECONDS = 2.0
_ROLES: dict[str, Role] = {
    KEYHOLDER: "keyholder",
    REGISTRY: "registry",
    CASES: "desk",
    BORROWING: "desk",
}
_METHODS = {
    KEYHOLDER: "/lianfang.keyholder.v1.KeyHolder/Describe",
    REGISTRY: "/lianfang.registry.Registry/Latest",
    CASES: "/lianfang.cases.CaseDesk/Cases",
    BORROWING: "/lianfang.borrowing.Borrowing/Heads",
}
_NO_ANSWER = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
)


class Probe:
    """Asks one service. Raises OperatorError, when made, if its folder cannot be read."""

    def __init__(self, service: Service) -> None:
        actor = read_actor(service.folder, _ROLES[service.name], datetime.now(UTC))
        self._channel = _channel(actor, f"{service.near}:{service.port}")
        self._ask: Any = self._channel.unary_unary(_METHODS[service.name])

    def answers(self) -> bool:
        """Whether anything came back in time."""
        try:
            self._ask(b"", timeout=SECONDS)
        except grpc.RpcError as error:
            return error.code() not in _NO_ANSWER
        return True

    def close(self) -> None:
        """Let the connection go."""
        self._channel.close()


def _channel(actor: Actor, address: str) -> grpc.Channel:
    pem = certificate_to_pem
    credentials = grpc.ssl_channel_credentials(
        pem(actor.authority), actor.transport_key, pem(actor.transport)
    )
    options = [
        ("grpc.ssl_target_name_override", actor.identity.member.code),
        ("grpc.enable_http_proxy", 0),  # it is on this machine
    ]
    return grpc.secure_channel(address, credentials, options=options)
