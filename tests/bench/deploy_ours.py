"""Our deployment, measured: from founded folders to connected lenders, and a steady training round.

Coordinator and lenders are the processes that institutions run, on loopback, with everything on:
TLS both ways, gate, signed nodes, secure sums, journals.
"""

from __future__ import annotations

import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from server.consortium.founding import found
from server.coordinator.checkpoint import records_in
from server.coordinator.rounds import STAGES
from server.deployment.loopback import free_port
from server.deployment.runs import RUNS
from tests.bench.deploy_work import CODES, book, consortium_text
from tests.deployment.consortium import Consortium, Running, coordinator_of, join, lender_of

RUN = "bench"
_UP_SECONDS = 180.0


def laid_down(home: Path, rounds: int) -> Consortium:
    """All folders, as founding and joining leave them."""
    gate, enrol = free_port(), free_port()
    text = consortium_text(rounds).format(gate=gate, enrol=enrol)
    coordinator = home / "coordinator"
    found(coordinator, text.encode(), now=datetime.now(UTC), random=secrets.token_bytes)
    made = Consortium(home, f"127.0.0.1:{gate}", coordinator)
    for number, code in enumerate(CODES):
        folder = home / code
        made.lenders[code] = folder
        join(made, folder, code)
        book(number).to_parquet(folder / "table.parquet", index=False)
    return made


@contextmanager
def up(consortium: Consortium) -> Iterator[tuple[dict[str, Running], float]]:
    """All processes, by code, and the seconds until the last lender was connected."""
    start, running = time.monotonic(), dict[str, Running]()
    try:
        running["coordinator"] = coordinator_of(consortium)
        for code in consortium.lenders:
            running[code] = lender_of(consortium, code)
        for one in running.values():
            one.line(_UP_SECONDS)
        yield running, time.monotonic() - start
    finally:
        for one in reversed(list(running.values())):
            one.stop()


def run_command(consortium: Consortium, *words: str, seconds: float = 600.0) -> tuple[int, str]:
    """`lianfang-server run …` as an operator gives it; exit status and standard output."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "server.cli", "run", *words],
        cwd=consortium.home,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def round_seconds(consortium: Consortium, run: str = RUN) -> float:
    """Median seconds of a training round after the first, as the coordinator noted them."""
    records = records_in(consortium.coordinator / RUNS / run / STAGES)
    rounds = [one.seconds for one in records if one.stage.startswith(("network/", "trees/"))]
    return round(median(rounds[1:]), 2)


def stages_table(consortium: Consortium, run: str = RUN) -> Sequence[tuple[str, float]]:
    """Each stage and its seconds."""
    records = records_in(consortium.coordinator / RUNS / run / STAGES)
    return [(one.stage, one.seconds) for one in records]


def sent_by_each(consortium: Consortium, run: str = RUN) -> int:
    """Numbers of four bytes that a lender sent in a training round, about."""
    records = records_in(consortium.coordinator / RUNS / run / STAGES)
    rounds = [one for one in records if one.stage.startswith("network/")]
    return min(one.bytes_up // len(one.members) // 4 for one in rounds)
