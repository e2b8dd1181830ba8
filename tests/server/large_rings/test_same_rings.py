"""Detection in parts finds the rings of the detection in one process, to the last figure."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from server.large_rings.detect import dealt_out, detect_in_parts
from server.large_rings.engine import Engine, Here
from server.simulation.rings.lenders import View, together
from server.simulation.rings.scenario import Planted, Scenario, made_up
from shared.rings.detect import Detection, detect
from tests.datasets import REPOSITORY


@functools.cache
def _scenario(people: int) -> tuple[Scenario, View]:
    scenario = made_up(12, people, Planted(people // 300, people // 90), seed=5)
    return scenario, together(scenario.traffic)


def _alone(people: int, week: int) -> Detection:
    scenario, view = _scenario(people)
    seeds = scenario.truth.listed
    return detect(view.edges, week=week, seeds=seeds, sources=view.sources)


def _in_parts(engine: Engine, people: int, parts: int, week: int) -> Detection:
    scenario, view = _scenario(people)
    pieces = [engine.kept(one) for one in dealt_out(view.edges, parts, view.sources)]
    return detect_in_parts(engine, pieces, week=week, seeds=scenario.truth.listed)


def _same(one: Detection, two: Detection, subjects: int) -> None:
    assert one.rings == two.rings
    assert one.attached == two.attached
    assert all(one.flag(subject) == two.flag(subject) for subject in range(subjects))


@pytest.mark.parametrize("parts", [1, 3])
def test_parts_find_the_same_rings(parts: int) -> None:
    """Members, scores, reasons, edges, lenders, who is attached and who is near; control: another
    week has other rings.
    """
    scenario, view = _scenario(4000)
    last = int(view.edges.week.max())
    whole = _alone(4000, last)
    assert len(whole.rings) >= 10
    _same(whole, _in_parts(Here(), 4000, parts, last), scenario.traffic.subjects)
    assert whole.rings != _in_parts(Here(), 4000, parts, last - 20).rings


def test_where_nobody_says_whose_edges_they_are_the_rings_are_the_same() -> None:
    """All people count for the background then, also those who share nothing."""
    view = _scenario(4000)[1]
    week = int(view.edges.week.max())
    whole = detect(view.edges, week=week)
    _same(whole, detect_in_parts(Here(), dealt_out(view.edges, 3), week=week), 4000)
    assert whole.rings != _alone(4000, week).rings


def test_edges_that_two_lenders_give_and_edges_given_twice_count_as_in_one_process() -> None:
    """However they lie in parts: an edge of two lenders is two, one given twice is one."""
    scenario, view = _scenario(4000)
    rng = np.random.default_rng(2)
    again = rng.integers(len(view.edges), size=2 * len(view.edges))
    edges = view.edges.take(again)
    sources = np.where(rng.random(len(again)) < 0.1, 11, view.sources[again])
    week = int(edges.week.max())
    whole = detect(edges, week=week, sources=sources)
    parts = detect_in_parts(Here(), dealt_out(edges, 4, sources), week=week)
    assert len(whole.rings) >= 5
    _same(whole, parts, scenario.traffic.subjects)


@pytest.mark.soak
def test_ray_finds_the_same_rings(tmp_path: Path) -> None:
    """Among thirty thousand edges, by the documented command."""
    command = [sys.executable, str(REPOSITORY / "tests/bench/rings_ray.py"), "--out", str(tmp_path)]
    command += ["--edges", "30000", "--parts", "4", "--cores", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["same"]
    assert told["edges"] > 30_000
    assert told["rings"] >= 10
