"""Key holder, registry and two desks that `lianfang-server start` keeps running: `services.toml` in
the coordinator's folder.

    [keyholder]
    folder = "/srv/lianfang/k1"      as `lianfang-server keyholder init` made it; a relative one
                                     lies in the coordinator's folder
    listen = "0.0.0.0:7443"          where lenders connect

    [registry]
    folder = "/srv/lianfang/r1"
    listen = "0.0.0.0:7444"

    [cases]                          the desk that finds fraud rings
    folder = "/srv/lianfang/d1"
    listen = "0.0.0.0:7445"

    [borrowing]                      the desk that counts borrowing elsewhere
    folder = "/srv/lianfang/d2"
    listen = "0.0.0.0:7446"

Invariants:
- Without the file there are none. What is misspelt is refused, never ignored.
- A share of the key is never kept here beside the list, a case or what lenders told of borrowing,
  unless the profile is `demo`.
- Each service listens at a port of its own.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.apart import EVENTS, GRAPH, LIST, SHARE, Part, check_without, not_apart
from shared.errors import OperatorError
from shared.identity.address import host_and_port

FILE = "services.toml"
KEYHOLDER, REGISTRY, CASES, BORROWING = "keyholder", "registry", "cases", "borrowing"
WORDS: Mapping[str, str] = {
    KEYHOLDER: "the key holder",
    REGISTRY: "the registry",
    CASES: "the case desk",
    BORROWING: "the borrowing desk",
}
_OTHERS: Mapping[str, tuple[Part, ...]] = {
    KEYHOLDER: (LIST, GRAPH, EVENTS),
    REGISTRY: (SHARE,),
    CASES: (SHARE,),
    BORROWING: (SHARE,),
}
_EVERYWHERE = ("0.0.0.0", "[::]")  # noqa: S104 - what an operator may write
_EXAMPLE = 'e.g. [registry] with folder = "/srv/lianfang/r1" and listen = "0.0.0.0:7444"'


@dataclass(frozen=True)
class Service:
    """`name`: of its process, and its kind; `folder`: its own; `listen`: "host:port"."""

    name: str
    folder: Path
    listen: str

    @property
    def port(self) -> int:
        """Where it listens."""
        return host_and_port(self.listen)[1]

    @property
    def near(self) -> str:
        """The host that this machine reaches it at."""
        host = self.listen.rpartition(":")[0]
        return "localhost" if host in _EVERYWHERE else host


def read_services(folder: Path) -> tuple[Service, ...]:
    """The services configured in a coordinator's folder; OperatorError names the entry that is
    wrong. Nothing of the services themselves is read.
    """
    path = folder / FILE
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise OperatorError(
            f"{path} cannot be read: {error.strerror}", remedy="mend the file's permissions"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OperatorError(f"{path} is not TOML: {error}", remedy="mend that line") from error
    for name in document:
        if name not in WORDS:
            known = " and ".join(f"[{one}]" for one in WORDS)
            raise OperatorError(f"{path}: [{name}] is not known", remedy=f"known are {known}")
    return tuple(_service(path, name, document[name]) for name in WORDS if name in document)


def service_in(folder: Path, name: str) -> Service:
    """The one of this name; OperatorError when it is configured no more."""
    for service in read_services(folder):
        if service.name == name:
            return service
    raise OperatorError(
        f"{folder / FILE} has no [{name}] any more",
        remedy="put it back, or end and start the coordinator, which then runs without it",
    )


def check_apart(folder: Path, services: Sequence[Service], profile: str) -> None:
    """OperatorError when a share of the key and tokens of people would be in one operator's hands:
    two services, or one of them and the other's files in the coordinator's folder. Not in `demo`.
    """
    if profile == "demo":
        return
    if with_a_share_beside(services):
        raise not_apart(f"{folder / FILE} has {' and '.join(f'[{one.name}]' for one in services)}")
    for service in services:
        for part in _OTHERS[service.name]:
            check_without(part, profile, folder, modules=())


def with_a_share_beside(services: Sequence[Service]) -> bool:
    """Whether a key holder is among several services."""
    return len(services) > 1 and any(service.name == KEYHOLDER for service in services)


def check_ports(services: Sequence[Service], taken: Mapping[int, str]) -> None:
    """OperatorError when a service's port is another's, or one of the coordinator's own (`taken`:
    whose each is).
    """
    known = dict(taken)
    for service in services:
        if service.port in known:
            raise OperatorError(
                f"{FILE}: [{service.name}] listens at port {service.port}, which is "
                f"{known[service.port]}'s",
                remedy="give it a port of its own",
            )
        known[service.port] = WORDS[service.name]


def _service(path: Path, name: str, table: Any) -> Service:
    where = f"{path}: [{name}]"
    entries = table if isinstance(table, dict) else {}
    if {*entries} != {"folder", "listen"} or not all(
        isinstance(value, str) and value for value in entries.values()
    ):
        raise OperatorError(f"{where} does not have folder and listen, only", remedy=_EXAMPLE)
    try:
        host_and_port(entries["listen"])
    except OperatorError as error:
        raise OperatorError(f"{where} listen: {error.what}", remedy=_EXAMPLE) from error
    home = path.parent / entries["folder"]
    if not home.is_dir():
        raise OperatorError(
            f"{where} folder: there is no folder {home}",
            remedy=f"make it first: lianfang-server {name} init {home} …",
        )
    return Service(name, home, entries["listen"])
