"""Several lenders lost at once, as many as the threshold leaves: the exact sum of the others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from server.coordinator.checkpoint import Checkpoints, StageRecord
from server.coordinator.exchange import Policy, VoidStageError
from server.simulation.faults import Faults, parse_fault
from shared.training.run import Run
from tests.federation import Consortium, founded_in, table

HASTY = Policy(minimum=3, patience=2.0, deadline=30.0)
SIZES = (61, 60, 59, 58, 57, 56, 55)
"""Seven lenders: five of them open a sum, two may be lost."""
MASKED = ("drop L02 trees/0", "drop L05 trees/0")
UNMASKING = ("drop L01 trees/1/unmask", "drop L06 trees/1/unmask")


def _faults(*texts: str) -> Faults:
    return Faults(tuple(parse_fault(text) for text in texts))


def _ended(consortium: Consortium, *faults: str) -> tuple[list[bytes], dict[str, StageRecord]]:
    """Totals in order, and records by stage, of a run with these faults."""
    consortium.conducted(faults=_faults(*faults))
    checkpoints = Checkpoints(consortium.folder / "stages")
    totals, records = checkpoints.replay(Run(consortium.agreement))
    texts = [np.ascontiguousarray(total, "<i8").tobytes() for total in totals]
    return texts, {record.stage: record for record in records}


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Consortium:
    """Under the secure sum."""
    return founded_in(tmp_path_factory.mktemp("secure") / "run", table(SIZES))


def test_two_of_seven_at_once_in_each_phase_of_a_round(secure: Consortium, tmp_path: Path) -> None:
    """Lost while numbers are masked they are in no part of the sum, lost while it is opened they
    are in it; both in one run, whose totals are the plain ones byte for byte.
    """
    masked, records = _ended(secure, *MASKED, *UNMASKING)
    plain, _ = _ended(founded_in(tmp_path / "plain", table(SIZES), sums="plain"), *MASKED)
    assert masked == plain
    lost = records["trees/0"]
    assert lost.missing == ("L02: unavailable", "L05: unavailable")
    assert (len(lost.members), len(lost.agreed)) == (5, 5)
    opened = records["trees/1"]
    assert (len(opened.members), len(opened.agreed)) == (7, 5)
    assert len(records["mixture"].members) == 7


@pytest.mark.parametrize(
    ("lost", "phase"), [(MASKED, "masked input"), (UNMASKING, "unmasking")], ids=["masked", "open"]
)
def test_one_more_and_nothing_is_opened(
    lost: tuple[str, ...], phase: str, secure: Consortium
) -> None:
    """The control: a third at the same time, and the stage is void, with phase and names told."""
    third = lost[0].replace(lost[0].split()[1], "L07")
    with pytest.raises(VoidStageError) as caught:
        secure.conducted(faults=_faults(*lost, third), policy=HASTY)
    void = caught.value
    assert f"{phase}: 4 lenders answered, 5 are needed" in void.what
    names = sorted({*(fault.split()[1] for fault in lost), "L07"})
    assert all(f"\n  {name}: unavailable" in void.what for name in names)
