"""A run's status that is given, drawn by the command as it is: `python -m …watched_status WORDS`.

Three looks: one lender is waited for, all have answered a stage later, the run is finished.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

from server.commands import run_table, runs
from server.commands.connected import Connected
from server.coordinator.checkpoint import StageRecord
from server.coordinator.status import Part, Status

LENDERS = ("L01", "L02", "L03", "L04", "L05")
MODEL = "ab" * 32


def records(number: int) -> list[StageRecord]:
    """Of so many stages; in the second one L03 was missing."""
    return [
        StageRecord(
            f"trees/{one}",
            tuple(code for code in LENDERS if (one, code) != (2, "L03")),
            ("L03: its certificates ended",) if one == 2 else (),
            10,
            123_000,
            456_000,
            1.5,
        )
        for one in range(1, number + 1)
    ]


def status(done: int, **more: Any) -> Status:
    """Of a run with twenty stages."""
    parts = {code: Part(stages=done, stage=f"trees/{done}", seconds=0.4) for code in LENDERS}
    parts["L03"] = Part(stages=done - 1, missed=1, why="its certificates ended")
    return Status(
        "spring", more.pop("state", "running"), done=done, steps=20, lenders=parts, **more
    )


LOOKS = (
    (status(14, stage="trees/15", phase="masked input of trees/15", answered=LENDERS[:4],
            waiting=("L05",)), records(14)),
    (status(15, stage="trees/16", phase="set-up of trees/16"), records(15)),
    (status(20, state="finished", model=MODEL, metrics={"auc": 0.7512}), records(20)),
)  # fmt: skip


def drawn(words: Sequence[str]) -> int:
    """The command's exit status; each look is drawn once."""
    coming = iter(LOOKS)
    now = [LOOKS[0]]

    def standing(arguments: Any) -> Status:
        now[0] = next(coming, LOOKS[-1])
        return now[0][0]

    changed: Any = runs
    changed._standing = standing
    changed._looked = lambda arguments, status: (status, now[0][1])
    changed._connected = lambda arguments: Connected(5, LENDERS, ())
    changed._LOOK_SECONDS = 0.01
    if "WHOLE" in os.environ:  # a control: the tables are not made to fit
        table: Any = run_table
        table.fitting = lambda console, status, records, there: run_table.page(status, records)
    parser = argparse.ArgumentParser()
    runs.add(parser.add_subparsers())
    arguments = parser.parse_args(["run", "status", "/srv/consortium", "spring", *words])
    return int(arguments.handler(arguments))


if __name__ == "__main__":
    sys.exit(drawn(sys.argv[1:]))
