"""A service of the list within a process of its own: it serves until told to stop.

Invariants:
- It ends on SIGTERM or Ctrl-C after what is under way.
- It gives signs of life while it answers, and only then.
- When its certificates were renewed it opens anew, within a second or two: nobody starts it again.
"""

from __future__ import annotations

import logging
import signal
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from server.deployment.heartbeat import Heartbeat
from server.deployment.service_probe import Probe
from server.deployment.services import WORDS, Service
from server.service_certificates import OwnCertificates

_LOOK_SECONDS = 0.2
_log = logging.getLogger("lianfang.services")


class Open(Protocol):
    """A service that answers."""

    def stop(self) -> None:
        """End."""


def serve_until_told(folder: Path, service: Service, opened: Callable[[Service], Open]) -> int:
    """The exit status, at the end; what `opened` raises ends it before. `folder`: the
    coordinator's, for signs of life.
    """
    told_to = deque[int]()
    for number in (signal.SIGINT, signal.SIGTERM):  # takes no lock: a second one may come meanwhile
        signal.signal(number, lambda number, frame: told_to.append(number))
    answering = [opened(service)]
    try:
        probe, heart = Probe(service), Heartbeat(folder, service.name)
        own = OwnCertificates(service.folder)
        _log.info("%s answers at %s", WORDS[service.name], service.listen)
        while not told_to:
            if own.renewed():
                probe.close()
                answering.pop().stop()
                answering.append(opened(service))
                probe = Probe(service)
            if heart.due and probe.answers():
                heart.beat()
            time.sleep(_LOOK_SECONDS)
        probe.close()
    finally:
        for one in answering:
            one.stop()
    return 0
