"""A command to try, run as a newcomer would type it.

Invariants:
- Lenders act through their own command, `lianfang-client`: nothing is done behind it.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Timer

from server.demo.processes import SECONDS, end, environment

CLIENT = "lianfang-client"
_ONE_AFTER_ANOTHER = """
import contextlib, io, json, sys
from client.cli import main
for line in sys.stdin:
    told = io.StringIO()
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
        try:
            status = main(json.loads(line))
        except SystemExit as ended:
            status = ended.code
    print(json.dumps([status, told.getvalue()]), flush=True)
"""


@dataclass(frozen=True)
class Try:
    """A command to try: what it shows, its words, and the exit status that is right."""

    shows: str
    words: tuple[str, ...]
    status: int
    program: str = CLIENT


@dataclass(frozen=True)
class Tried:
    """How a command went."""

    command: str
    status: int
    right: bool
    output: str


Typed = Callable[[Sequence[str]], tuple[int, str]]
"""Gives a client's command its words; its exit status and what it printed."""


def client(words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """A client's command in a process of its own."""
    return _run([sys.executable, "-m", "client.cli", *words])


@contextmanager
def one_client() -> Iterator[Typed]:
    """All commands in one process of the client, one after another: what costs most is starting."""
    process = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", _ONE_AFTER_ANOTHER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
        start_new_session=True,  # Ctrl-C reaches the demo, which ends it
    )
    asked, told = process.stdin, process.stdout
    assert asked is not None
    assert told is not None

    def typed(words: Sequence[str]) -> tuple[int, str]:
        patience = Timer(SECONDS, process.kill)
        patience.start()
        try:
            asked.write(json.dumps(words).encode() + b"\n")
            asked.flush()
            status, output = json.loads(told.readline() or '[-1, "the command has ended"]')
        except BrokenPipeError:
            return -1, "the command before this one has ended"
        finally:
            patience.cancel()
        return status, output

    try:
        yield typed
    finally:
        end([process])


def tried(one: Try, typed: Typed) -> Tried:
    """How it goes now."""
    if one.program == CLIENT:
        status, output = typed(one.words)
    else:
        done = _run((one.program, *one.words))
        status, output = done.returncode, done.stdout + done.stderr
    return Tried(shown(one.words, one.program), status, status == one.status, output)


def shown(words: Sequence[str], program: str = CLIENT) -> str:
    """As it is typed: the installed command beside this Python, if it is there."""
    script = Path(sys.executable).parent / program
    name = program
    if script.exists():
        here = Path.cwd()
        name = str(script.relative_to(here) if script.is_relative_to(here) else script)
    return f"{name} {shlex.join(words)}"


def _run(words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own program, and kill
        words,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        stdin=subprocess.DEVNULL,
        check=False,
    )
