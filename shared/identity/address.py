"""Where a party answers: "host:port", as it stands in invitations and settings.

Invariants:
- What comes out of `host_and_port` is a host's name or number and a port, and nothing else: no
  space, no path, no user, no control character, so it may stand in a URL, a log or a settings file.
"""

from __future__ import annotations

import re

from shared.errors import OperatorError

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}))*\.?"
_ADDRESS = re.compile(rf"({_NAME}|\[[0-9A-Fa-f:.]{{2,45}}\]):([0-9]{{1,5}})", re.ASCII)
_MOST = 270


def host_and_port(text: str) -> tuple[str, int]:
    """("coordinator.example", 8443) of "coordinator.example:8443"; an IPv6 host stands in brackets,
    which are taken off. OperatorError for anything else; port 0 is refused.
    """
    found = _ADDRESS.fullmatch(text) if len(text) <= _MOST else None
    port = int(found[2]) if found else 0
    if found is None or not 0 < port < 65536:
        raise OperatorError(
            f"{text[:_MOST]!r} is not HOST:PORT", remedy="write it as coordinator.example:8443"
        )
    return found[1].strip("[]"), port
