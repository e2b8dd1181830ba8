"""The production profile over six tiny lenders: it insists on the same ones throughout."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from server.coordinator.checkpoint import Checkpoints
from server.coordinator.exchange import Policy, VoidStageError
from server.coordinator.rounds import STAGES
from server.simulation.faults import Faults, parse_fault
from server.simulation.founding import found
from shared.training.run import Run
from tests.federation import Consortium, founded_in, table

HASTY = Policy(minimum=5, patience=2.0, deadline=30.0)


@pytest.fixture
def production(tmp_path: Path) -> Consortium:
    demo = founded_in(tmp_path / "demo", table((61, 60, 59, 58, 57, 56)))
    terms = replace(demo.agreement, profile="production", minimum_lenders=5)
    found(tmp_path / "production", terms, demo.book)
    return Consortium(tmp_path / "production", terms, demo.book)


def test_a_production_run_comes_to_its_end(production: Consortium) -> None:
    """Every lender has the list of members, and all are in every sum."""
    run = production.conducted()
    assert run.finished
    _, records = Checkpoints(production.folder / STAGES).replay(Run(production.agreement))
    assert {len(record.members) for record in records} == {6}


def test_one_missing_in_training_voids_the_stage_until_it_is_back(production: Consortium) -> None:
    """In a demo the others would go on; here the difference of two sums would show it."""
    lost = Faults((parse_fault("drop L03 trees/1"),))
    with pytest.raises(VoidStageError, match="over the same lenders each time") as void:
        production.conducted(faults=lost, policy=HASTY)
    assert "L03" in str(void.value)
    assert production.conducted(resume=True).finished
