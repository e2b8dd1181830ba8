"""Slow, cut, half-open and partitioned ways to the gate, at length: `make soak`. The run ends with
the same model. All of it in one run: `test_all_faults.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.deployment.consortium import CODES, SIZES, founded
from tests.deployment.faults_page import CONNECTIONS, Row, rows_section, write_section
from tests.deployment.faulty_connections import (
    MASKED,
    PLANS,
    UNMASK,
    Faulty,
    Plan,
    memory,
    started,
    unharmed,
)
from tests.deployment.other_faults import write_row
from tests.faulty_way import Fault


def held(faulty: Faulty, name: str, rounds: int, plans: Sequence[Plan]) -> None:
    """That a run with these faults ends as one without them, with all processes as they were."""
    before = faulty.numbers()
    sizes = {place: memory(number) for place, number in before.items()}
    status = faulty.run(name, len(faulty.struck) + 1, rounds, plans)
    assert status.state == "finished", status
    assert status.model == faulty.undisturbed(name)
    assert unharmed(faulty, before, sizes)


LONG = (
    *PLANS,
    Plan("partition, 20 s", Fault("partition"), MASKED, 20.0),
    Plan("half open for good, new connections too for 20 s", Fault("half open"), UNMASK, 20.0),
    Plan("reset before a byte, on its way up", Fault("cut")),
    Plan("slow: 1 s for each piece, 20 kB/s", Fault("slow", latency=1.0, rate=20_000)),
)
SOAK_RUNS = 3


def _rows(faulty: Faulty) -> list[Row]:
    rows: list[Row] = []
    for plan in dict.fromkeys(one.plan for one in faulty.struck):
        own = [one for one in faulty.struck if one.plan == plan]
        rows.append(
            {
                "fault": plan.words,
                "how": f"{plan.phase}, {len(own)} times, {sum(one.met for one in own)} met",
                "held": not any(one.lost for one in own),
                "seconds": max(one.seconds for one in own),
            }
        )
    return rows


@pytest.mark.soak
def test_faulty_connections_at_length(tmp_path: Path) -> None:
    """As above, in several runs and with faults of 20 s; if all held, its section of docs/faults.md
    is written. The answers of lenders whose way is sound take less than twice as long as without
    any fault, which the first and the last run show: a machine that has become busy meanwhile slows
    the last, too.
    """
    with started(founded(tmp_path)) as faulty:
        names = [f"run-{number}" for number in range(SOAK_RUNS + 2)]
        without = [names[0], names[-1]]
        for name in names:
            held(faulty, name, len(LONG), () if name in without else LONG)
        sound, others = faulty.ninety_ninth(without), faulty.ninety_ninth(names[1:-1])
        words = (
            "Three lenders, each with a way of its own to the gate through a proxy, which is "
            f"struck in one stage after another; {SOAK_RUNS} runs. Held: the model is that of the "
            "undisturbed run, byte for byte, no stage file or journal line is lost, no process "
            "ends or grows by 200 MB. Seconds are from the beginning of the fault to the end of "
            "the stage.",
            f"Answers of lenders whose own way was sound, 99th percentile: {others:.2f} s; without "
            f"any fault {sound:.2f} s.",
        )
        rows = _rows(faulty)
        assert all(row["held"] for row in rows), rows
        assert others < 2 * sound, (others, sound)
        write_section(CONNECTIONS, rows_section(rows, words))


@pytest.mark.soak
def test_a_lender_that_is_away_for_long_is_missing_and_comes_back(tmp_path: Path) -> None:
    """Four lenders, three are enough: stages go on without the one whose way is gone, and say so;
    it is in later ones again. If all held, its row of docs/faults.md is written.
    """
    away = Plan("partition, 40 s", Fault("partition"), MASKED, 40.0)
    with started(founded(tmp_path, (*CODES, "L04"), (*SIZES, 58))) as faulty:
        sound = [Plan("none", Fault(), MASKED, None)] * 6
        status = faulty.run("run-1", 1, 40, [*sound, away], "--patience", "3")
        lender = status.lenders[faulty.struck[-1].lender]
        assert status.state == "finished", status
        assert lender.missed
        assert lender.stages > 8
        assert not faulty.struck[-1].lost
    write_row(
        "one of four lenders is away for 40 s",
        f"the run goes on without it ({lender.missed} stages); in {lender.stages} others",
        faulty.struck[-1].seconds,
    )
