"""Two batches about borrowing and a training, as an operator and lenders type them: the real
processes of a coordinator and four lenders, key holders over TLS, the real commands.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from client.cli import main as client
from server.cli import main as server
from server.coordinator.checkpoint import StageRecord, records_in
from server.coordinator.status import Status, read_status
from server.demo.identities import people
from shared.training.consortium import FILE, parse_consortium
from tests.deployment.consortium import (
    Consortium,
    Running,
    awaited,
    coordinator_of,
    founded,
    lender_of,
    stopped,
)
from tests.token_services import can_ask, key_holders

CODES = ("L01", "L02", "L03", "L04")
SIZES = (61, 60, 59, 58)
FOLK = [one.resident_id for one in people(6, 11)]
ASKED = '\n[asked]\naskers = "members"\n'
WITHIN = ("--patience", "60")


@dataclass(frozen=True)
class Asked:
    """The consortium with everything running."""

    consortium: Consortium

    @property
    def folder(self) -> Path:
        """The coordinator's."""
        return self.consortium.coordinator

    def lender(self, code: str, *words: object) -> int:
        """A `borrowing` command in a lender's folder; its exit status."""
        home = ("--folder", self.consortium.lenders[code])
        return client([*map(str, ("borrowing", *words, *home))])

    def run(self, word: str, name: str, *words: object) -> int:
        """A `run` command at the coordinator; its exit status."""
        return server([*map(str, ("run", word, self.folder, name, *words))])

    def batch(self, code: str, *persons: str) -> Path:
        """A batch of this lender's about people."""
        place = self.consortium.lenders[code]
        book, out = place / "book.csv", place / "batch.json"
        book.write_text("resident_id\n" + "".join(f"{one}\n" for one in persons))
        assert self.lender(code, "ask", book, "--out", out) == 0
        return out

    def ended(self, name: str, seconds: float = 120.0) -> Status:
        """How a run that was detached ended, and its process is gone."""

        def looked() -> Status | None:
            found = read_status(self.folder / "runs" / name)
            return found if found is not None and found.ended else None

        status = awaited(looked, seconds)
        assert isinstance(status, Status)
        return status

    def stages(self, name: str) -> list[StageRecord]:
        """What the stages of a run took."""
        return records_in(self.folder / "runs" / name / "stages")


@contextmanager
def asked_consortium(home: Path, codes: Sequence[str] = CODES) -> Iterator[Asked]:
    """Founded, joined, with events kept from files at every lender, and started."""
    made = founded(home, codes, SIZES[: len(codes)])
    context = parse_consortium((made.coordinator / FILE).read_bytes()).name
    (home / "services").mkdir()
    with key_holders(home / "services", made.authority, context) as holders:
        asked = Asked(made)
        for code, folder in made.lenders.items():
            with (folder / "client.toml").open("a") as settings:
                settings.write(ASKED)
            can_ask(folder, code, made.authority, context, holders)
            _keep(asked, code, FOLK[:1] if code != "L03" else FOLK[:2])
        commands = [coordinator_of(made), *(lender_of(made, code) for code in codes)]
        try:
            _all_answer(commands)
            yield asked
        finally:
            stopped(list(reversed(commands)))


def _keep(asked: Asked, code: str, persons: Sequence[str]) -> None:
    day = (datetime.now(UTC) - timedelta(days=1)).date()
    path = asked.consortium.lenders[code] / "events.csv"
    lines = [f"application,{day},{code}-{at},,{one}\n" for at, one in enumerate(persons)]
    path.write_text("event,day,reference,amount,resident_id\n" + "".join(lines))
    assert asked.lender(code, "keep", path) == 0


def _all_answer(commands: Sequence[Running]) -> None:
    for command in commands:
        command.line(180.0)


def accepted(asked: Asked, name: str, *words: object) -> float:
    """Start a run and do not wait for it; when that was, in seconds."""
    assert asked.run("start", name, "--detach", *words) == 0
    return time.monotonic()
