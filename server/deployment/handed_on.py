"""Who is revoked is handed on to the services that `start` keeps: they need nobody to copy a file.

Invariants:
- A code is only ever added to a service's own `revoked.json`; what stands there stays.
- The file is replaced whole and durably: one that a power cut left empty would end the service. A
  list that cannot be read changes nothing and is told once.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path

from server.deployment.services import Service
from server.files import write_durably
from server.revoked import REVOKED, read_revoked
from shared.errors import OperatorError

_log = logging.getLogger("lianfang.services")


class HandedOn:
    """Of a coordinator's folder, to some services."""

    def __init__(self, folder: Path, services: Sequence[Service]) -> None:
        self._folder = folder
        self._services = tuple(services)
        self._told = ""

    def look(self) -> None:
        """Hand on what is new."""
        try:
            for service in self._services:
                self._to(service)
            self._told = ""
        except (OperatorError, OSError) as error:
            text = error.what if isinstance(error, OperatorError) else str(error.strerror)
            if text != self._told:
                _log.error("%s is not handed on: %s", REVOKED, text)
            self._told = text

    def _to(self, service: Service) -> None:
        codes, held = read_revoked(self._folder), read_revoked(service.folder)
        if not codes <= held:
            text = json.dumps(sorted(codes | held))
            write_durably(service.folder / REVOKED, text.encode())
            _log.info("%s has been handed on", REVOKED, extra={"service": service.name})
