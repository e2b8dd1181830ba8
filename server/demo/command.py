"""`lianfang-server demo`: shared list and rings on one machine, to try them alone."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

EXAMPLES = """examples:
  lianfang-server demo                          start, print the commands to try; Ctrl-C ends it
  lianfang-server demo --folder /tmp/exchange
  lianfang-server demo --check                  start, try each command, stop

Three key holders, a registry and a case desk as processes on loopback, three lenders' folders,
made-up people. One machine with everything protects nobody.

Exit status: 0 done; 1 (--check) a command did not do what it should; 2 it could not start or went
down (the message says why); 130 Ctrl-C.
"""


def add(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    """Add `demo` to the server's commands."""
    form = argparse.RawDescriptionHelpFormatter
    demo = commands.add_parser(
        "demo",
        help="try shared list and rings on this machine",
        epilog=EXAMPLES,
        formatter_class=form,
    )
    demo.add_argument("--folder", type=Path, default=Path("out/exchange"))
    demo.add_argument("--seed", type=int, default=1, help="of the made-up people")
    demo.add_argument("--check", action="store_true", help="try every command, then stop")
    demo.add_argument("--json", action="store_true", help="with --check: one JSON line for scripts")
    demo.set_defaults(handler=_demo)


def _demo(arguments: argparse.Namespace) -> int:
    from server.demo.story import Demo

    stream = sys.stderr if arguments.json else sys.stdout

    def say(text: str) -> None:
        stream.write(text + "\n")
        stream.flush()

    demo = Demo(arguments.folder, arguments.seed, say)
    with _ended_like_ctrl_c():
        if not arguments.check:
            try:
                demo.run()
            except KeyboardInterrupt:
                say("\nended: nothing of it runs any more")
                return 130
        tried = demo.check()
    if arguments.json:
        sys.stdout.write(json.dumps([vars(one) for one in tried]) + "\n")
    wrong = [one.command for one in tried if not one.right]
    say(f"\n{len(tried)} commands tried, {len(wrong)} not as expected; all services ended")
    return 1 if wrong else 0


@contextmanager
def _ended_like_ctrl_c() -> Iterator[None]:
    """SIGTERM ends the demo as Ctrl-C does: with all that it started."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    usual = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, usual)
