"""Several lenders' processes killed at once in mid-run, as many as may be lost, and one more."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import pytest

import server.cli
from server.coordinator.checkpoint import records_in
from server.coordinator.rounds import STAGES
from server.coordinator.status import Status
from server.simulation.faults import Faults, parse_fault
from tests.deployment.consortium import founded, lender_of
from tests.deployment.kill_points import MASKED, Disturbed, phase_of, started
from tests.deployment.other_faults import write_row
from tests.deployment.watched_run import Acknowledged

pytestmark = [pytest.mark.slow, pytest.mark.soak]
CODES = tuple(f"L{number:02d}" for number in range(1, 8))
SIZES = (61, 60, 59, 58, 57, 56, 55)
"""Seven lenders: five of them open a sum, two may be lost."""
HASTY = ("--patience", "8", "--deadline", "60")


def killed_at(disturbed: Disturbed, name: str, stage: str, codes: Sequence[str]) -> int:
    """Kill all that these lenders run, in the first exchange of a stage; how many were done."""

    def begun(status):  # type: ignore[no-untyped-def]
        return status.ended or (status.stage == stage and phase_of(status.phase) == MASKED)

    status = disturbed.moved(name, begun)
    assert not status.ended, status
    for code in codes:
        disturbed.running[code].process.kill()
    for code in codes:
        assert disturbed.running[code].stop() == -9
    return status.done


def again(disturbed: Disturbed, codes: Sequence[str]) -> None:
    """Start these lenders again, as systemd would."""
    disturbed.running |= {code: lender_of(disturbed.consortium, code) for code in codes}
    for code in codes:
        disturbed.running[code].line(180.0)


def ended(disturbed: Disturbed, name: str) -> Status:
    """The run's end, however long all its stages take together."""
    status = disturbed.status(name)
    while not status.ended:
        done = status.done
        status = disturbed.moved(name, lambda s, done=done: s.ended or s.done > done)
    return status


def as_missing(stages: Path) -> Faults:
    """The same lenders missing from the same totals."""
    lines = [
        f"drop {line.partition(':')[0]} {record.stage}"
        for record in records_in(stages)
        for line in record.missing
    ]
    assert lines, "nobody was missing"
    return Faults(tuple(map(parse_fault, lines)))


def test_two_of_seven_killed_at_once_are_missing_and_three_are_too_many(tmp_path: Path) -> None:
    """Without two, totals are the exact sums of the others: the model is that of a run in one
    process in which the same lenders are missing from the same stages; started again they are in
    later ones. Without three a run fails, with status 3, names and what to do, and with them back
    a new run ends well. If all held, the rows of docs/faults.md are written.
    """
    with started(founded(tmp_path, CODES, SIZES)) as disturbed:
        disturbed.command("start", "two", "--rounds", "24", *HASTY, "--detach")
        seen, two = Acknowledged(disturbed.consortium, disturbed.place("two")), ("L02", "L05")
        disturbed.moved("two", lambda s: s.stage == "trees/1")
        seen.look()
        done, began = killed_at(disturbed, "two", "trees/2", two), time.monotonic()
        status = disturbed.moved("two", lambda s: s.ended or s.done > done + 1)
        seconds = time.monotonic() - began
        assert not status.ended, disturbed.story("two")
        assert all(status.lenders[code].missed for code in two), status
        again(disturbed, two)
        status = ended(disturbed, "two")
        assert (status.state, seen.look()) == ("finished", []), status
        missed = max(status.lenders[code].missed for code in two)
        assert all(status.lenders[code].stage == "close" for code in two), status
        missing = as_missing(disturbed.place("two") / STAGES)
        assert status.model == disturbed.undisturbed("two", missing)

        disturbed.command("start", "three", "--seed", "2", "--rounds", "12", *HASTY, "--detach")
        seen, three = Acknowledged(disturbed.consortium, disturbed.place("three")), (*two, "L07")
        disturbed.moved("three", lambda s: s.stage == "trees/1")
        seen.look()
        killed_at(disturbed, "three", "trees/2", three)
        void_after = time.monotonic()
        status = disturbed.moved("three", lambda s: s.ended)
        void_after = time.monotonic() - void_after
        assert status.state == "failed", status
        assert "are needed" in status.error
        assert all(code in status.error for code in three), status
        assert "start a new run on new terms" in status.remedy  # nobody masks numbers twice
        words = ["run", "status", str(disturbed.consortium.coordinator), "three"]
        assert server.cli.main(words) == 3
        again(disturbed, three)
        disturbed.command("start", "new", "--seed", "3", "--rounds", "2", "--detach")
        status = ended(disturbed, "new")
        assert (status.state, seen.look()) == ("finished", []), status
        assert status.model == disturbed.undisturbed("new")
    write_row(
        "two of seven lenders are killed at once",
        f"the run goes on without them ({missed} stages), exact sums of the others; started "
        "again they are in later ones",
        seconds,
    )
    write_row(
        "three of seven lenders are killed at once",
        "one too many: fails with status 3, names and remedy; with them back a new run ends well",
        void_after,
    )
