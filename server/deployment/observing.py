"""What can be watched of the coordinator: GET /metrics (Prometheus) and GET /health, on loopback.

Invariants:
- It listens on 127.0.0.1 only, reads files and changes none but the one that says where it answers.
- Well is: every process runs, none of their parts is silent (`heartbeat.py`), and the threads of
  this process that were named are there. Certificates that end within 30 days are told beside it.
- Callers are few, and none is heard for long (`few_callers.py`).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from server.deployment.few_callers import FewCallers
from server.deployment.heartbeat import forget, silent
from server.deployment.loopback import FLOWER, HOST
from server.deployment.metrics import CoordinatorMetrics, certificates_of, processes_up
from server.files import write_whole
from server.service_certificates import SOON
from shared.errors import OperatorError

PORT = 9464
OBSERVED = "observed.json"
_REQUEST_SECONDS = 5.0


@dataclass(frozen=True)
class Observed:
    """A server that answers on `port` of 127.0.0.1 until `stop`."""

    port: int
    server: FewCallers

    def stop(self) -> None:
        """End."""
        self.server.shutdown()
        self.server.server_close()


def observed(folder: Path, port: int = PORT, threads: Collection[str] = ()) -> Observed:
    """Serve what can be watched of a coordinator's folder; port 0 takes a free one.

    `threads`: names of threads that are to be there as long as this process.
    Where it answers is in flower/observed.json. Raises OperatorError when the port is taken.
    """
    forget(folder)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(CoordinatorMetrics(folder))
    pages: dict[str, Callable[[], tuple[int, str, bytes]]] = {
        "/metrics": lambda: (200, CONTENT_TYPE_LATEST, generate_latest(registry)),
        "/health": lambda: _health(folder, threads),
    }
    handler = type("Pages", (_Handler,), {"pages": pages})
    try:
        server = FewCallers((HOST, port), handler)
    except OSError as error:
        raise OperatorError(
            f"{HOST}:{port} cannot be served: {error.strerror}",
            remedy="choose another port for metrics, or stop what uses it",
        ) from error
    threading.Thread(target=server.serve_forever, name="observed", daemon=True).start()
    made = Observed(server.server_address[1], server)
    write_whole(folder / FLOWER / OBSERVED, json.dumps({"port": made.port}).encode())
    return made


class _Handler(BaseHTTPRequestHandler):
    """Two pages."""

    pages: dict[str, Callable[[], tuple[int, str, bytes]]]
    timeout = _REQUEST_SECONDS  # a caller that sends nothing holds no thread for long
    server_version, sys_version = "lianfang", ""

    def do_GET(self) -> None:
        """Answer."""
        page = self.pages.get(self.path)
        status, kind, content = page() if page else (404, "text/plain", b"/metrics, /health\n")
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a scrape every few seconds is no news."""


def _health(folder: Path, threads: Collection[str]) -> tuple[int, str, bytes]:
    up, missed = processes_up(folder), silent(folder, threads)
    well = bool(up) and all(up.values()) and not missed
    days = {name: int(left) for name, left in certificates_of(folder).items() if left < SOON.days}
    told = {"well": well, "processes": up, "silent": missed, "ending": days}
    text = json.dumps(told)
    return (200 if well else 503), "application/json", text.encode() + b"\n"
