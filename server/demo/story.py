"""What happens in the demo: a key without a dealer, a few entries, and commands to try.

Invariants:
- Lenders act through their own command, `lianfang-client`, as processes: nothing is done behind it.
- That one machine protects nobody is said first.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from server.commands.keys import relay_from
from server.commands.serving import now
from server.demo.folders import (
    HOLDERS,
    LENDERS,
    REGISTRY,
    THRESHOLD,
    WARNING,
    Cast,
    made_folders,
    write_addresses,
)
from server.demo.processes import SECONDS, check_alive, environment, services
from shared.errors import OperatorError

Say = Callable[[str], None]
_MAKER, _CHECKER = ("--operator", "Li Na"), ("--checker", "Wang Wei")
_TERMS = ("--product", "consumer", "--outcome", "refused", "--notice", "exempt:ongoing_inquiry")
_TRIES = 20


@dataclass(frozen=True)
class Try:
    """A command to try: what it shows, its words, and the exit status that is right."""

    shows: str
    words: tuple[str, ...]
    status: int


@dataclass(frozen=True)
class Tried:
    """How a command went."""

    command: str
    status: int
    right: bool
    output: str


class Demo:
    """In `folder`; `say` prints a line for people."""

    def __init__(self, folder: Path, seed: int, say: Say) -> None:
        self._folder, self._seed, self._say = folder, seed, say

    def run(self) -> None:
        """Until Ctrl-C. Raises OperatorError when a service ends before that."""
        self._with_services(self._wait)

    def check(self) -> list[Tried]:
        """Start, try every command, stop."""
        tried: list[Tried] = []
        self._with_services(lambda tries, _: tried.extend(map(self._tried, tries)))
        return tried

    def _with_services(self, then: Callable[[Sequence[Try], Callable[[], None]], None]) -> None:
        self._say(WARNING)
        with made_folders(self._folder, self._seed) as cast:
            self._play(cast, then)

    def _play(self, cast: Cast, then: Callable[[Sequence[Try], Callable[[], None]], None]) -> None:
        wanted = [*((code, "keyholder") for code in HOLDERS), (REGISTRY, "registry")]
        with services(self._folder, wanted) as running:
            write_addresses(self._folder, {code: one.address for code, one in running.items()})
            self._say(
                f"started: key holders {', '.join(HOLDERS)} (any {THRESHOLD} answer), registry "
                f"{REGISTRY}; lenders {', '.join(LENDERS)}; all in {self._folder}"
            )
            filed = self._found(cast)
            tries = tries_of(self._folder, cast, filed)
            self._say("\ntry, in another terminal:")
            for one in tries:
                self._say(f"\n  # {one.shows}\n  {_shown(one.words)}")
            then(tries, lambda: check_alive(self._folder, running))

    def _wait(self, tries: Sequence[Try], alive: Callable[[], None]) -> None:
        self._say("\nCtrl-C ends everything.")
        while True:
            alive()
            time.sleep(0.5)

    def _found(self, cast: Cast) -> tuple[str, str]:
        """The key, its epoch, and what two lenders list; the first entry of each."""
        made = relay_from(self._folder / "operator").generate()
        self._say(
            f"key: made by {', '.join(made.holders)} together, nobody has it; epoch "
            f"{made.keys.epoch}"
        )
        first, second, _ = LENDERS
        opened = self._done(first, "open-epoch", *_MAKER, *_CHECKER)
        (proposal,) = json.loads(opened)["events"]
        self._done(second, "consent", proposal, *_MAKER, *_CHECKER)
        with ThreadPoolExecutor(2) as pool:
            one, two = pool.map(self._lists, (first, second))
            self._say(
                f"listed: 3 people by {first}, 2 by {second}, each approved by another person"
            )
            list(pool.map(self._synced, LENDERS))
        return one, two

    def _lists(self, lender: str) -> str:
        self._synced(lender, rows=0)
        cases = str(self._folder / f"cases-{lender}.csv")
        filed = json.loads(self._done(lender, "file", "--subjects", cases, *_TERMS, *_MAKER))
        self._done(lender, "approve", "--operator", _CHECKER[1])
        return str(filed[0]["entry"])

    def _synced(self, lender: str, rows: int = 8) -> None:
        """Sync until the epoch is open and so many rows are there: the registry publishes at once,
        but after it has answered.
        """
        for _ in range(_TRIES):
            synced = json.loads(self._done(lender, "sync"))
            if synced["epochs"] and synced["rows"] >= rows:
                return
        raise OperatorError("the registry does not publish what was filed", remedy="see R1/log.txt")

    def _done(self, lender: str, command: str, *words: str) -> str:
        all_words = ("list", command, *words, "--folder", str(self._folder / lender), "--json")
        done = _client(all_words)
        if done.returncode != 0:
            raise OperatorError(
                f"{_shown(all_words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}",
                remedy="this should not happen in the demo: please report it",
            )
        return done.stdout

    def _tried(self, one: Try) -> Tried:
        done = _client(one.words)
        right = done.returncode == one.status
        self._say(f"\n$ {_shown(one.words)}\n{done.stdout}{done.stderr}".rstrip())
        self._say(f"exit status {done.returncode}{'' if right else ', NOT AS EXPECTED'}")
        return Tried(_shown(one.words), done.returncode, right, done.stdout + done.stderr)


def tries_of(folder: Path, cast: Cast, filed: tuple[str, str]) -> list[Try]:
    """The commands that are printed, in an order that works; `filed`: an entry of the first lender
    and one of the second.
    """
    _, second, third = (str(folder / code) for code in LENDERS)
    case, two = str(folder / "case.txt"), (*_MAKER, *_CHECKER)
    subject = ("--resident-id", cast.unlisted.resident_id, "--reason", "F101")
    day = f"{now().date() - timedelta(days=40)}"
    sure = ("--confidence", "confirmed", "--event-date", day)
    check = ("list", "check", "--folder", third, "--resident-id")
    hits = str(folder / "hits.csv")
    return [
        Try("a hit: two lenders listed this person", (*check, cast.listed[0].resident_id), 1),
        Try("no hit", (*check, cast.unlisted.resident_id), 0),
        Try(
            "a whole book; nobody learns who was looked up, or whether there was a hit",
            ("screen", str(folder / "book.csv"), "--out", hits, "--folder", third),
            1,
        ),
        Try("everything that left this lender for it", ("outbox", third), 0),
        Try(
            "list somebody: tags and codes leave, no identifier and no evidence",
            (
                *("list", "file", "--folder", third, *subject, *sure, *_TERMS),
                *("--evidence", f"forged_document={case}", *_MAKER),
            ),
            0,
        ),
        Try(
            "another person approves it; whoever filed cannot",
            ("list", "approve", "--folder", third, "--operator", _CHECKER[1]),
            0,
        ),
        Try(
            "a subject says it is somebody else: the entry is flagged at once",
            (
                *("list", "dispute", filed[0], "--folder", third, "--grounds", "wrong_person"),
                *("--evidence-file", case, *two),
            ),
            0,
        ),
        Try(
            "a lender takes its own entry back",
            ("list", "withdraw", filed[1], "--folder", second, "--cause", "mistake", *two),
            0,
        ),
        Try("fetch and verify what is new", ("list", "sync", "--folder", third), 0),
    ]


def _client(words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "client.cli", *words],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def _shown(words: Sequence[str]) -> str:
    """As it is typed: the installed command beside this Python, if it is there."""
    script = Path(sys.executable).parent / "lianfang-client"
    name = "lianfang-client"
    if script.exists():
        here = Path.cwd()
        name = str(script.relative_to(here) if script.is_relative_to(here) else script)
    return f"{name} {shlex.join(words)}"
