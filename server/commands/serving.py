"""What the services' commands share: settings files, and serving until told to stop.

Invariants:
- A service says where it answers in one line, ends on Ctrl-C or SIGTERM after what is under way,
  and, where asked so, also when its standard input closes: then whoever started it is gone.
- When its certificates were renewed it opens anew at the same address.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Protocol

from server.service_certificates import OwnCertificates
from shared.errors import OperatorError

DAYS = 365
PORTS = {"keyholder": 7443, "registry": 7444, "cases": 7445, "borrowing": 7446}
"""Where each service listens by default, by the word of its command."""
_LOOK_SECONDS = 0.2


class Service(Protocol):
    """What `serve` of a service gives."""

    @property
    def port(self) -> int:
        """Where it listens."""

    def stop(self) -> None:
        """End."""


def now() -> datetime:
    """The time with a zone."""
    return datetime.now(UTC)


def command(
    commands: argparse._SubParsersAction,  # type: ignore[type-arg]
    name: str,
    text: str,
    examples: str,
) -> argparse.ArgumentParser:
    """A command whose own help shows the examples too."""
    made: argparse.ArgumentParser = commands.add_parser(
        name,
        help=text,
        description=text,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return made


def add_serve(
    commands: argparse._SubParsersAction,  # type: ignore[type-arg]
    name: str,
    examples: str,
    port: int,
) -> argparse.ArgumentParser:
    """`serve`; `port`: of `PORTS`."""
    serve = command(commands, "serve", f"run the {name}", examples)
    serve.add_argument("folder", type=Path, help=f"the {name}'s folder")
    serve.add_argument(
        "--listen",
        default=f"127.0.0.1:{port}",
        metavar="HOST:PORT",
        help="where it answers; port 0: any free one (default %(default)s)",
    )
    serve.add_argument(
        "--until-input-closes", action="store_true", help="end when standard input closes"
    )
    serve.add_argument("--json", action="store_true", help="one JSON line for scripts")
    return serve


def check_serve(arguments: argparse.Namespace, name: str) -> None:
    """OperatorError before anything is opened: no such folder, or no address to listen at. Port 0
    is any free one.
    """
    folder: Path = arguments.folder
    if not folder.is_dir():
        raise OperatorError(
            f"{folder}: there is no such folder",
            remedy=f"make it first: lianfang-server {name} init {folder} …",
        )
    host, mark, port = arguments.listen.rpartition(":")
    if not (mark and host and port.isdecimal() and int(port) < 65536):
        raise OperatorError(
            f"--listen {arguments.listen!r} is not HOST:PORT",
            remedy=f"write HOST:PORT, e.g. --listen 0.0.0.0:{PORTS[name]}",
        )


def run(
    service: Service,
    code: str,
    arguments: argparse.Namespace,
    again: Callable[[Path, str], Service],
) -> int:
    """Say where it answers, then wait until it is to end. `again` opens it once more, in a folder
    at an address, after its certificates were renewed.
    """
    ended, told_to, answering = threading.Event(), deque[int](), [service]

    def end(number: int, frame: FrameType | None) -> None:
        told_to.append(number)  # takes no lock: a second signal may come while this one is handled

    host = arguments.listen.rpartition(":")[0]
    address = f"{host}:{service.port}"
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, end)
        if arguments.until_input_closes:
            threading.Thread(target=_watch_input, args=(ended,), daemon=True).start()
        text = json.dumps({"code": code, "address": address})
        sys.stdout.write(f"{text}\n" if arguments.json else f"{code} answers at {address}\n")
        sys.stdout.flush()
        own = OwnCertificates(arguments.folder)
        while not told_to and not ended.wait(_LOOK_SECONDS):
            if own.renewed():
                answering.pop().stop()
                answering.append(again(arguments.folder, address))
    finally:
        for one in answering:
            one.stop()
    return 0


def log_to_standard_error() -> None:
    """Times and sentences; the services log counts, codes and refusals only."""
    form = "%(asctime)s %(name)s %(levelname)s %(message)s"
    logging.basicConfig(level=logging.INFO, format=form, stream=sys.stderr)
    logging.getLogger("alembic").setLevel(logging.WARNING)


def quoted(text: str) -> str:
    """As a TOML text."""
    return json.dumps(text, ensure_ascii=False)


def pairs_of(options: Sequence[str]) -> dict[str, str]:
    """CODE=HOST:PORT each."""
    found = {}
    for option in options:
        code, mark, address = option.partition("=")
        if not mark or ":" not in address:
            raise OperatorError(
                f"{option!r} is not CODE=HOST:PORT", remedy="e.g. --holder K1=k1.example:7443"
            )
        found[code] = address
    return found


def _watch_input(ended: threading.Event) -> None:
    try:
        while os.read(sys.stdin.fileno(), 1024):
            pass
    except OSError:
        pass
    ended.set()


def said(arguments: argparse.Namespace, content: dict[str, object]) -> None:
    """What was done, as JSON or in words."""
    words = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in content.items())
    sys.stdout.write((json.dumps(content) if arguments.json else f"done: {words}") + "\n")
