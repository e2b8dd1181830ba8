"""The deployment's measurement: what it lays down, and how it reads what the coordinator noted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from server.coordinator.checkpoint import Checkpoints, StageRecord
from server.coordinator.places import STAGES
from server.deployment.runs import RUNS
from shared.training.consortium import parse_consortium
from tests.bench.deploy_flower import _noted
from tests.bench.deploy_ours import RUN, round_seconds, sent_by_each, stages_table
from tests.bench.deploy_work import CODES, COLUMNS, ROWS, book, consortium_text, parameters
from tests.deployment.consortium import Consortium


def noted(home: Path, seconds: list[float]) -> Consortium:
    """A coordinator's folder after a run whose rounds took so long."""
    kept = Checkpoints(home / RUNS / RUN / STAGES)
    stages = [("census", 9.0, 30), *((f"network/{i}", s, 3600) for i, s in enumerate(seconds))]
    for number, (stage, spent, size) in enumerate(stages):
        record = StageRecord(stage, CODES, (), 6, size, 1, spent)
        kept.write(number, np.zeros(1, np.int64), record, "")
    return Consortium(home, "127.0.0.1:1", home)


def test_a_round_is_the_median_of_those_after_the_first(tmp_path: Path) -> None:
    """Neither other stages nor the first round, which loads what the others have, are in it."""
    made = noted(tmp_path, [8.0, 2.0, 3.0, 7.0])
    assert round_seconds(made) == 3.0
    assert stages_table(made)[:2] == [("census", 9.0), ("network/0", 8.0)]


def test_what_a_lender_sent_is_in_numbers_of_four_bytes(tmp_path: Path) -> None:
    """The least of the rounds: 3600 bytes of three lenders are 300 numbers each."""
    assert sent_by_each(noted(tmp_path, [1.0, 1.0])) == 300


def test_the_work_is_as_large_as_the_page_says(tmp_path: Path) -> None:
    """Terms that members take, tables that fit them, and some 100,000 parameters."""
    terms = parse_consortium(consortium_text(4).format(gate=1, enrol=2).encode())
    path = tmp_path / "table.parquet"
    book(0).to_parquet(path, index=False)
    table = pd.read_parquet(path)
    assert table.shape == (ROWS, COLUMNS + 2)
    assert {*terms.schema.required} == {*table.columns}
    assert 95_000 < parameters() < 105_000
    assert terms.agreement().rounds == 4


def test_a_run_of_flowers_that_failed_is_told(tmp_path: Path) -> None:
    """With how far it came; a run that noted all its times gives them."""

    class Ended:
        ended = "failed"

    class Asked:
        def run(self, number: int) -> Ended:
            return Ended()

    times, control = tmp_path / "times", Asked()
    times.write_text("1.0\n2.5\n")
    assert _noted(times, 2, control, 1) == [1.0, 2.5]  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="noted 2 of 5 times"):
        _noted(times, 5, control, 1)  # type: ignore[arg-type]
