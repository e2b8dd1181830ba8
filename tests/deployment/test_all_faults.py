"""One run of real processes that faults of connections, certificates and disks befall, one after
another: it ends with the very model of the undisturbed run. At length: `test_faulty_connections.py`
and `test_certificates_and_disk.py`; killed processes: `test_kill_points.py`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.deployment.consortium import awaited, founded
from tests.deployment.faulty_connections import (
    PLANS,
    Faulty,
    grown,
    memory,
    through_ways,
    unharmed,
)
from tests.deployment.strikes import (
    certificate_ends,
    coordinator_renews,
    coordinators_disk_is_full,
    ends,
    finished,
    lenders_disk_is_full,
    running,
)
from tests.deployment.struck import Struck

ROUNDS = 12
"""Of the run: with its other stages 18, half of them for faulty connections."""


def connections_are_faulty(faulty: Faulty, name: str) -> None:
    """Each fault met bytes under way; no stage file or journal line is lost, no process ends or
    grows by 200 MB.
    """
    before = faulty.numbers()
    sizes = {place: memory(number) for place, number in before.items()}
    faulty.strike(name, 1, PLANS)
    assert [one.plan for one in faulty.struck] == list(PLANS)
    assert all(one.met and not one.lost for one in faulty.struck), faulty.struck
    assert unharmed(faulty, before, sizes)


@pytest.mark.slow
@pytest.mark.soak
def test_a_run_outlives_faulty_connections_ended_certificates_and_full_disks(
    tmp_path: Path,
) -> None:
    """Lenders' ways to the gate go wrong in every way, one in each stage. One lender's certificates
    are renewed by itself meanwhile and nobody notices; then the coordinator's are renewed, a
    lender's and the coordinator's disk are full for a while, and another lender's certificates end.
    """
    made = founded(tmp_path)
    with through_ways(made) as faulty, running(made, ["L02"], faulty):
        faulty.begin("run-1", 1, ROUNDS)
        struck, before = Struck(faulty, "run-1"), faulty.numbers()
        sizes = {place: memory(number) for place, number in before.items()}
        connections_are_faulty(faulty, "run-1")
        coordinator_renews(struck)
        lenders_disk_is_full(struck, "L01")
        coordinators_disk_is_full(struck)
        certificate_ends(struck, "L03")
        status = finished(struck)
        in_a_year = datetime.now(UTC) + timedelta(days=300)
        awaited(lambda: ends(made.lenders["L02"] / "transport.crt") > in_a_year, 60.0)
        assert status.lenders["L02"].missed == 0
        kept = {place: number for place, number in before.items() if place != "coordinator/gate"}
        assert faulty.numbers().items() >= kept.items()  # the gate was started again on purpose
        assert grown(kept, sizes) == []
    assert all(row["held"] for row in struck.rows), struck.rows
    assert status.model == faulty.undisturbed("run-1")
