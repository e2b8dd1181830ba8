"""The coordinator's clock is put back between two runs: lenders count set-ups over all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.coordinator.exchange import VoidStageError
from server.coordinator.kept_rounds import ROUNDS
from server.deployment.runs import RUNS
from tests.deployment.consortium import founded
from tests.deployment.in_process import trained


def test_a_run_after_one_whose_clock_was_ahead_is_answered(tmp_path: Path) -> None:
    """Ten hours; control: where the count of the earlier run is gone lenders refuse."""
    made = founded(tmp_path)
    trained(made, "ahead", 3, "boosted", minutes=600)
    count = made.coordinator / RUNS / "ahead" / ROUNDS / "counter"
    kept = count.read_bytes()
    count.unlink()
    with pytest.raises(VoidStageError, match="refused \\(counter\\)"):
        trained(made, "without", 4, "boosted")
    count.write_bytes(kept)
    assert trained(made, "after", 5, "boosted")
