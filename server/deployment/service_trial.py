"""Each configured service is tried before anything of the coordinator starts.

Invariants:
- It is opened as it will be, folder, store and address, in a process of its own that ends again:
  the process that supervises loads neither a share of the key nor the list.
- What is wrong comes back in the service's own words and with its remedy.
- In a consortium of the profile `production` no service has the profile `demo`, and its authority
  is the consortium's own.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from server.apart import not_apart
from server.deployment.child import FAILED, SERVICES, end_with_parent
from server.deployment.services import FILE, WORDS, Service, service_in, with_a_share_beside
from server.keys import AUTHORITY, read_certificate
from server.logs import form_asked, log_lines
from shared.errors import LianfangError, OperatorError

SECONDS = 60.0
_MODULE = "server.deployment.service_trial"


def try_services(folder: Path, services: Sequence[Service], profile: str) -> None:
    """OperatorError when one of them cannot be served from the coordinator's `folder`, under the
    consortium's `profile`. Call it from the main thread.
    """
    for service in services:
        _check_authority(folder, service)
        found = _tried(folder, service)
        if found == "demo" != profile:
            raise _wrong(
                service,
                "its profile is demo, the consortium's is not",
                f"run it under the profile production ({service.folder}/{service.name}.toml)",
            )
        if found != "demo" and with_a_share_beside(services):
            what = f"{folder / FILE} has them, and {WORDS[service.name]}'s profile is {found}"
            raise not_apart(what)


def _check_authority(folder: Path, service: Service) -> None:
    try:
        found = read_certificate(service.folder / AUTHORITY)
    except LianfangError as error:
        raise _wrong(service, error.what, error.remedy) from error
    if found != read_certificate(folder / AUTHORITY):
        raise _wrong(
            service,
            "its authority is another one than the consortium's, whose lenders it would refuse",
            f"enrol it with the consortium's authority ({folder / AUTHORITY})",
        )


def _tried(folder: Path, service: Service) -> str:
    """The service's own profile."""
    words = [sys.executable, "-P", "-m", _MODULE, str(os.getpid()), service.name, str(folder)]
    try:
        ran = subprocess.run(  # noqa: S603 - our own module, no shell
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=SECONDS, check=False
        )
        said = json.loads(ran.stdout.decode().splitlines()[-1])
    except (subprocess.TimeoutExpired, ValueError, IndexError) as error:
        raise _wrong(
            service,
            "it does not start",
            f"look at what `lianfang-server {service.name} serve {service.folder}` says",
        ) from error
    if "error" in said:
        raise _wrong(service, said["error"], said["remedy"])
    return str(said["profile"])


def _wrong(service: Service, what: str, remedy: str) -> OperatorError:
    return OperatorError(f"{FILE}: [{service.name}]: {what}", remedy=remedy)


def main(argv: Sequence[str]) -> int:
    """`PARENT NAME FOLDER`: open the service and end; a line says its profile or what is wrong."""
    end_with_parent(int(argv[0]))
    log_lines(form_asked())
    logging.getLogger().setLevel(logging.WARNING)  # that it ends again is no news
    try:
        module = import_module(SERVICES[argv[1]])
        service = service_in(Path(argv[2]), argv[1])
        module.opened(service).stop()
        said = {"profile": module.profile_of(service.folder)}
    except LianfangError as error:
        said = {"error": error.what, "remedy": error.remedy}
    sys.stdout.write(json.dumps(said) + "\n")
    return FAILED if "error" in said else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
