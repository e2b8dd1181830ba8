"""Under Flower's own simulation engine the same study trains the same model."""

import json
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
from researcher import NO_EXTRAS, Desk, read_report

from tests.datasets import REPOSITORY

MARK = "LIANFANG_TEST_MARK"


def _alive(mark: str) -> list[int]:
    """Processes that descend from a command started with this mark in its environment."""
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark.encode() in environ.read_bytes():
                found.append(int(environ.parent.name))
        except OSError:  # it ended meanwhile
            continue
    return found


@pytest.mark.slow
def test_ray_trains_the_model_of_the_in_process_grid_and_ends_its_processes(desk: Desk):
    here = desk.report("--lenders", "3", *NO_EXTRAS)
    mark, out = uuid.uuid4().hex, desk.folder / "ray"
    command = [sys.executable, str(REPOSITORY / "simulate.py"), "--config", str(desk.config)]
    most = 0
    with (
        (desk.folder / "out.txt").open("wb") as shown,
        (desk.folder / "err.txt").open("wb") as told,
    ):
        process = subprocess.Popen(
            [*command, "--out", out, "--lenders", "3", *NO_EXTRAS, "--json", "--backend", "ray"],
            stdout=shown,
            stderr=told,
            env=os.environ | {MARK: mark},
        )
        while process.poll() is None:
            most = max(most, len(_alive(mark)))
            time.sleep(0.2)
    assert process.returncode == 0, (desk.folder / "err.txt").read_text()[-3000:]
    assert most > 3  # Ray's own processes carry the mark
    there = read_report(out)
    assert json.loads((desk.folder / "out.txt").read_bytes()) == there
    assert there["model"]["digest"] == here["model"]["digest"]
    assert there["pooled"] == here["pooled"]
    assert there["warnings"] == here["warnings"]
    for _ in range(100):
        if not _alive(mark):
            break
        time.sleep(0.1)
    assert _alive(mark) == []
