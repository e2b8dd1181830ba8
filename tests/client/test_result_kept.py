"""A lender's finished result is never the victim of a later message."""

import json
from pathlib import Path

import pytest

from client.result import _keep_earlier
from shared.training.run import Run
from tests.client.test_lender import TERMS


@pytest.fixture
def own(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.json").write_text("in use", encoding="utf-8")
    (tmp_path / "result.json").write_text(json.dumps({"run": "another"}), encoding="utf-8")
    return tmp_path


def test_the_result_of_another_run_is_kept_aside(own: Path) -> None:
    """Model and measures move together, and a second time changes nothing."""
    _keep_earlier(own, Run(TERMS))
    _keep_earlier(own, Run(TERMS))
    (kept,) = (own / "earlier").iterdir()
    assert (kept / "model" / "model.json").read_text(encoding="utf-8") == "in use"
    assert not (own / "result.json").exists()


def test_the_same_runs_result_stays_where_it_is(own: Path) -> None:
    """A resumed run writes over its own."""
    run = Run(TERMS)
    (own / "result.json").write_text(json.dumps({"run": run.digest}), encoding="utf-8")
    _keep_earlier(own, run)
    assert not (own / "earlier").exists()
