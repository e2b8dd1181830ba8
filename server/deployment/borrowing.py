"""The borrowing desk as one of the coordinator's processes.

Invariants:
- Nothing of the key holder is loaded here.
"""

from __future__ import annotations

from pathlib import Path

from server.borrowing.service import Serving, serve
from server.borrowing.settings import read_settings
from server.deployment.service_process import serve_until_told
from server.deployment.services import BORROWING, Service, service_in


def opened(service: Service) -> Serving:
    """It answers; OperatorError when its folder or its address cannot be served."""
    return serve(service.folder, service.listen)


def profile_of(folder: Path) -> str:
    """Of its own settings."""
    return read_settings(folder).profile


def main(folder: Path) -> int:
    """Serve what a coordinator's folder names, until told to stop."""
    return serve_until_told(folder, service_in(folder, BORROWING), opened)
