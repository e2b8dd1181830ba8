"""Batches about borrowing over a network, from `borrowing keep` to `borrowing open`."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from server.cli import main as server
from tests.deployment.asked_batches import CODES, FOLK, WITHIN, accepted, asked_consortium


@pytest.mark.soak
def test_two_batches_and_a_training_between_them_over_real_processes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each of the two kinds of run is refused while the other is at work, and both end well; the
    asker reads what the others told, `verify` knows the answer.
    """
    with asked_consortium(tmp_path) as asked:
        batch = ("--asked", asked.batch("L01", *FOLK[:3]), *WITHIN)
        accepted(asked, "asked-1", *batch)
        assert asked.run("start", "spring", "--detach") == 2
        assert "run asked-1 is at work, and it is a batch" in capsys.readouterr().err
        assert asked.ended("asked-1").state == "finished"
        accepted(asked, "spring", "--rounds", "2")
        other = ("--asked", asked.batch("L02", FOLK[1]), *WITHIN)
        assert asked.run("start", "asked-2", "--detach", *other) == 2
        assert "run spring is at work" in capsys.readouterr().err
        assert asked.ended("spring").state == "finished"
        assert asked.run("start", "asked-2", *other) == 0
        run, out = asked.folder / "runs" / "asked-1", tmp_path / "elsewhere.csv"
        assert server(["verify", str(run)]) == 0
        assert asked.lender("L01", "open", run / "answer.json", "--out", out) == 1
        assert pd.read_csv(out)["app_orgnum_d7_all"].tolist() == [3, 1, -1]
        assert [len(one.members) for one in asked.stages("asked-2")] == [len(CODES)] * 2
