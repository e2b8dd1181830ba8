"""The demo's services as processes of their own, and the end of all of them.

Invariants:
- Each is ended by its own process, however the demo ends: politely (its standard input closes),
  then by its id. If the demo itself is killed their inputs close all the same.
- What a service logs is in its folder, `log.txt`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from shared.errors import OperatorError

SECONDS = 60.0
LOG = "log.txt"
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Running:
    """A service that answers at `address`."""

    code: str
    process: subprocess.Popen[bytes]
    address: str


def environment() -> dict[str, str]:
    """Ours, with the place this program was loaded from."""
    paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}


@contextmanager
def services(folder: Path, wanted: Sequence[tuple[str, str]]) -> Iterator[dict[str, Running]]:
    """Services by code, from (code, "keyholder" or "registry") each; all ended at the end.

    Raises OperatorError, with the end of its log, when one does not start.
    """
    started: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for code, kind in wanted:
            started[code] = _start(folder / code, kind)
        yield {code: _ready(folder, code, one) for code, one in started.items()}
    finally:
        end(started.values())


def has_ended(one: Running) -> bool:
    """Whether its process is over."""
    return one.process.poll() is not None


def end(processes: Iterable[subprocess.Popen[bytes]]) -> None:
    """End them all: ask, then tell, then force."""
    alive = list(processes)
    for one in alive:
        if one.stdin is not None:
            one.stdin.close()
    for step in ("terminate", "kill"):
        for one in alive:
            try:
                one.wait(5)
            except subprocess.TimeoutExpired:
                getattr(one, step)()
    for one in alive:
        one.wait()
        if one.stdout is not None:
            one.stdout.close()


def _start(folder: Path, kind: str) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "server.cli", kind, "serve", str(folder.resolve())]
    words += ["--listen", "127.0.0.1:0", "--json", "--until-input-closes"]
    with (folder / LOG).open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - our own program
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment(),
            cwd=folder,
            start_new_session=True,  # Ctrl-C reaches the demo, which ends them in order
        )


def _ready(folder: Path, code: str, process: subprocess.Popen[bytes]) -> Running:
    line = process.stdout.readline() if process.stdout else b""
    try:
        return Running(code, process, json.loads(line)["address"])
    except (ValueError, KeyError) as error:
        raise ended_error(folder, code) from error


def ended_error(folder: Path, code: str) -> OperatorError:
    """Of a service that is not there any more, with the end of its log."""
    path = folder / code / LOG
    last = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-6:]
    return OperatorError(
        "\n".join([f"{code} has ended", *(f"  {line}" for line in last)]), remedy=f"see {path}"
    )
