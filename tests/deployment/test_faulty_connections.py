"""Slow, cut, half-open and partitioned ways to the gate: the run ends with the same model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.deployment.consortium import CODES, SIZES, founded
from tests.deployment.faults_page import CONNECTIONS, Row, rows_section, write_section
from tests.deployment.faulty_connections import (
    MASKED,
    SET_UP,
    UNMASK,
    Faulty,
    Plan,
    memory,
    started,
)
from tests.faulty_way import Fault

SLOW = Fault("slow", latency=0.05, rate=200_000)
GROWTH = 200 << 20
"""Bytes that a process may grow by at most."""
PLANS = (
    Plan("partition", Fault("partition"), SET_UP, 1.5),
    Plan("slow: 50 ms for each piece, 200 kB/s", SLOW),
    Plan("partition", Fault("partition"), MASKED, 1.5),
    Plan("partition", Fault("partition"), UNMASK, 1.5),
    Plan("reset in mid-message, on its way up", Fault("cut", after=2000)),
    Plan("reset in mid-message, on its way down", Fault("cut", direction="down")),
    Plan("bytes sent twice, on their way up", Fault("twice", after=2000)),
    Plan("bytes sent twice, on their way down", Fault("twice", direction="down")),
    Plan("half open for good", Fault("half open"), MASKED, 1.0),
)
"""One in each stage; what is sent again after a reset comes to the coordinator twice."""


def held(faulty: Faulty, name: str, rounds: int, plans: Sequence[Plan]) -> None:
    """That a run with these faults ends as one without them, with all processes as they were."""
    before = faulty.numbers()
    sizes = {number: memory(number) for number in before.values()}
    status = faulty.run(name, len(faulty.struck) + 1, rounds, plans)
    assert status.state == "finished", status
    assert status.model == faulty.undisturbed(name)
    assert faulty.numbers() == before
    assert all(memory(number) < size + GROWTH for number, size in sizes.items())


@pytest.mark.slow
def test_all_faults_of_connections_in_one_run(tmp_path: Path) -> None:
    """Each met bytes under way; the model is the undisturbed one, no stage file or journal line is
    lost, no process ends or grows by 200 MB.
    """
    with started(founded(tmp_path)) as faulty:
        held(faulty, "run-1", 4, PLANS)
        assert [one.plan for one in faulty.struck] == list(PLANS)
        assert all(one.met and not one.lost for one in faulty.struck), faulty.struck


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
    """As above, in several runs and with faults of 20 s; writes its section of docs/faults.md. The
    answers of lenders whose way is sound take less than twice as long as without any fault.
    """
    with started(founded(tmp_path)) as faulty:
        names = [f"run-{number}" for number in range(1 + SOAK_RUNS)]
        for name in names:
            held(faulty, name, len(LONG), () if name == names[0] else LONG)
        sound, others = faulty.ninety_ninth(names[:1]), faulty.ninety_ninth(names[1:])
        words = (
            "Three lenders, each with a way of its own to the gate through a proxy, which is "
            f"struck in one stage after another; {SOAK_RUNS} runs. Held: the model is that of the "
            "undisturbed run, byte for byte, no stage file or journal line is lost, no process "
            "ends or grows by 200 MB. Seconds are from the beginning of the fault to the end of "
            "the stage.",
            f"Answers of lenders whose own way was sound, 99th percentile: {others:.2f} s; without "
            f"any fault {sound:.2f} s.",
        )
        write_section(CONNECTIONS, rows_section(_rows(faulty), words))
        assert others < 2 * sound


@pytest.mark.soak
def test_a_lender_that_is_away_for_long_is_missing_and_comes_back(tmp_path: Path) -> None:
    """Four lenders, three are enough: stages go on without the one whose way is gone, and say so;
    it is in later ones again.
    """
    away = Plan("partition, 40 s", Fault("partition"), MASKED, 40.0)
    with started(founded(tmp_path, (*CODES, "L04"), (*SIZES, 58))) as faulty:
        sound = [Plan("none", Fault(), MASKED, None)] * 6
        status = faulty.run("run-1", 1, 40, [*sound, away], "--patience", "3")
        lender = status.lenders[faulty.struck[-1].lender]
        assert status.state == "finished", status
        assert lender.missed
        assert lender.stages > 8
