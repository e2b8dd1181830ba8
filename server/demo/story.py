"""What happens in the demo: a key without a dealer, a few entries, and commands to try.

Invariants:
- Lenders act through their own command, `lianfang-client`: nothing is done behind it.
- That one machine protects nobody is said first.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
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
from server.demo.processes import Running, services
from server.demo.rings import CASE, DESK, open_case, ring_tries
from server.demo.trying import Tried, Try, client, one_client, shown, tried
from server.demo.watch import Watch
from shared.errors import OperatorError

Say = Callable[[str], None]
_MAKER, _CHECKER = ("--operator", "Li Na"), ("--checker", "Wang Wei")
_TERMS = ("--product", "consumer", "--outcome", "refused", "--notice", "exempt:ongoing_inquiry")
_TRIES = 20


@dataclass(frozen=True)
class Filed:
    """What there is to try things on: a row of the first lender's entry, as others know it, and the
    second lender's own entry.
    """

    row: str
    entry: str


class Demo:
    """In `folder`; `say` prints a line for people."""

    def __init__(self, folder: Path, seed: int, say: Say) -> None:
        self._folder, self._seed, self._say = folder, seed, say

    def run(self) -> None:
        """Until Ctrl-C. Raises OperatorError when a service ends before that."""
        self._with_services(self._wait)

    def check(self) -> list[Tried]:
        """Start, try every command, stop."""
        found: list[Tried] = []

        def every(tries: Sequence[Try], _: Watch) -> None:
            with one_client() as typed:
                found.extend(self._told(tried(one, typed)) for one in tries)

        self._with_services(every)
        return found

    def _with_services(self, then: Callable[[Sequence[Try], Watch], None]) -> None:
        with made_folders(self._folder, self._seed, self._begin) as cast:
            self._play(cast, then)

    def _begin(self) -> None:
        self._say(WARNING)
        self._say(f"\nmaking certificates and folders of all parties in {self._folder} …")

    def _play(self, cast: Cast, then: Callable[[Sequence[Try], Watch], None]) -> None:
        wanted = [*((code, "keyholder") for code in HOLDERS), (REGISTRY, "registry")]
        wanted.append((DESK, "cases"))
        self._say(
            f"starting key holders {', '.join(HOLDERS)}, registry {REGISTRY}, case desk {DESK} …"
        )
        self._say(
            "(no borrowing desk here: it tells nothing before four lenders have contributed, and "
            f"there are {len(LENDERS)}; with four: docs/exchange-operators.md)"
        )
        with services(self._folder, wanted) as running:
            write_addresses(self._folder, {code: one.address for code, one in running.items()})
            filed = self._found(cast)
            listing = tries_of(self._folder, cast, filed)
            rings = ring_tries(self._folder, self._seed, LENDERS)
            tries = [*listing, *rings, *ending_tries(self._folder, cast, running)]
            self._say("\nit runs; try, in another terminal:")
            for one in tries:
                self._say(f"\n  # {one.shows}\n  {shown(one.words, one.program)}")
            needed = (REGISTRY, DESK)
            then(tries, Watch(self._folder, running, needed, THRESHOLD, self._say))

    def _wait(self, tries: Sequence[Try], watch: Watch) -> None:
        self._say("\nCtrl-C ends everything.")
        while True:
            watch.look()
            time.sleep(0.5)

    def _found(self, cast: Cast) -> Filed:
        """The key, its epoch, and what two lenders list."""
        self._say("making the key: every holder draws its part, nobody has it whole …")
        made = relay_from(self._folder / "operator").generate()
        first, second, third = LENDERS
        self._say(
            f"opening key epoch {made.keys.epoch}: {first} proposes, {second} looks at the same "
            "key and consents …"
        )
        opened = self._done(first, "open-epoch", *_MAKER, *_CHECKER)
        (proposal,) = json.loads(opened)["events"]
        self._done(second, "consent", proposal, *_MAKER, *_CHECKER)
        self._say(
            f"opening the case {CASE!r} at {DESK} over last week: as that is over, its count is "
            "open. A stage ends here with the pages of the third lender, not after 24 hours …"
        )
        open_case(self._folder, made.keys.epoch)
        self._say(
            f"listing 3 people by {first} and 2 by {second}; at each, another person approves …"
        )
        with ThreadPoolExecutor(2) as pool:
            _, entry = pool.map(self._lists, (first, second))
            self._say(f"fetching the list at {', '.join(LENDERS)} …")
            list(pool.map(self._synced, LENDERS))
        who = ("--phone", cast.listed[0].phone)  # which only the first lender listed
        (hit,) = json.loads(self._done(third, "check", *who, status=1))["rows"]
        row = hit["row"]
        return Filed(row, entry)

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

    def _done(self, lender: str, command: str, *words: str, status: int = 0) -> str:
        all_words = ("list", command, *words, "--folder", str(self._folder / lender), "--json")
        done = client(all_words)
        if done.returncode != status:
            raise OperatorError(
                f"{shown(all_words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}",
                remedy="this should not happen in the demo: please report it",
            )
        return done.stdout

    def _told(self, one: Tried) -> Tried:
        self._say(f"\n$ {one.command}\n{one.output}".rstrip())
        self._say(f"exit status {one.status}{'' if one.right else ', NOT AS EXPECTED'}")
        return one


def tries_of(folder: Path, cast: Cast, filed: Filed) -> list[Try]:
    """The shared list's commands, in an order that works."""
    _, second, third = (str(folder / code) for code in LENDERS)
    case, two = str(folder / "case.txt"), (*_MAKER, *_CHECKER)
    subject = ("--resident-id", cast.unlisted.resident_id, "--reason", "F101")
    day = f"{now().date() - timedelta(days=40)}"
    sure = ("--confidence", "confirmed", "--event-date", day)
    twice, phone = cast.listed[0], ("--phone", cast.listed[0].phone)
    check = ("list", "check", "--folder", third, "--resident-id")
    hits = str(folder / "hits.csv")
    return [
        Try("a hit: two lenders listed this person", (*check, twice.resident_id, *phone), 1),
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
            "a subject says it is somebody else: a row that the first command shows is flagged",
            (
                *("list", "dispute", filed.row, "--folder", third, "--grounds", "wrong_person"),
                *("--evidence-file", case, *two),
            ),
            0,
        ),
        Try(
            "fetch and verify what is new; it tells whose earlier hit is another now",
            ("list", "sync", "--folder", third),
            1,
        ),
        Try(
            "a lender takes its own entry back",
            ("list", "withdraw", filed.entry, "--folder", second, "--cause", "mistake", *two),
            0,
        ),
    ]


def ending_tries(folder: Path, cast: Cast, running: Mapping[str, Running]) -> list[Try]:
    """A key holder ends, and the others answer."""
    ended, third = running[HOLDERS[-1]], str(folder / LENDERS[-1])
    return [
        Try(f"end a key holder, {HOLDERS[-1]}, for good", (str(ended.process.pid),), 0, "kill"),
        Try(
            f"any {THRESHOLD} of {len(HOLDERS)} answer: a lookup of somebody new works without it",
            ("list", "check", "--folder", third, "--resident-id", cast.another.resident_id),
            0,
        ),
    ]
