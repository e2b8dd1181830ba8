"""The page of results says what its figures say, good or bad."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from tests.bench.results import latest, page
from tests.bench.scale import goal
from tests.bench.synthetic import lender_rows, synthetic_schema

Json = dict[str, Any]

POOLED = {"auc_shared": 0.8, "auc_personal": 0.81, "auc_local": 0.75, "auc_lightgbm": 0.8}
FIGURES = {
    "set": "uci",
    "family": "boosted",
    "spread": "iid",
    "lenders_are": "8 made, alike",
    "rows": 100,
    "features": 3,
    "lenders": 8,
    "rounds": 4,
    "auc_shared": 0.7,
    "auc_personal": 0.71,
    "auc_lightgbm": 0.7,
    "lightgbm_trials": 25,
    "difference": None,
}
POINT = {
    "rows": 2000,
    "columns": 30,
    "lenders": 20,
    "seconds": 9.0,
    "cpu_seconds": 4.0,
    "seconds_by_phase": {"trees": 2.0, "mixture": 0.5, "evaluation": 0.5},
    "peak_gb": 2.0,
    "bytes_per_lender": 1e6,
    "missing": [],
}
ABOUT = {"machine": "2 cores", "date": "2026-01-01", "load_before": 0.1}


def lender(code: str, gain: float) -> Json:
    figures = {"auc_local": 0.7, "auc_shared": 0.7, "auc_pooled": 0.7, "auc_personal": 0.7 + gain}
    return {"code": code, "gain": gain, "gain_over_tuned": gain, "gain_sd": 0.001, **figures}


def report(*gains: float) -> Json:
    lenders = [lender(f"L{number:02d}", gain) for number, gain in enumerate(gains, start=1)]
    return {
        "title": "Demo",
        "seed": 0,
        "insecure": False,
        "rounds": 80,
        "bytes_per_lender": 1e6,
        "data": {"rows": 100, "lenders": len(gains), "features": 3},
        "lenders": [{"code": one["code"], "rows": 50, "bad_rate": 0.5} for one in lenders],
        "sweep": {
            "seeds": [0, 1, 2],
            "mean": {"pooled": POOLED},
            "sd": {"pooled": dict.fromkeys(POOLED, 0.001)},
            "lenders": lenders,
        },
    }


def worse_than(found: Json, alone: str) -> Json:
    found["sweep"]["lenders"][-1][alone] = -0.02
    return found


def model(*, shared: float = 0.7, difference: float = 0.0) -> Json:
    figures = [FIGURES | {"seed": seed, "auc_shared": shared} for seed in (0, 1, 2)]
    figures += [one | {"spread": "dirichlet", "difference": difference} for one in figures]
    scoring = {"uci": {"wall": 9.0, "cpu": 8.0}}
    return ABOUT | {"figures": figures, "families": [], "scoring": scoring, "missing": []}


def scale(point: Json = POINT) -> Json:
    half = POINT | {"rows": 1000, "cpu_seconds": 2.0}
    return ABOUT | {"points": [half, point], "goal": goal([half, point])}


def test_every_promise_is_met_when_the_figures_say_so() -> None:
    """Six promises, none of them broken."""
    text = page(report(0.01, 0.0), [model()], scale())
    assert text.count("| met |") == 6
    assert "**not met**" not in text


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ((worse_than(report(0.01, 0.01), "gain"), model(), scale()), "1 of 2 lenders"),
        ((worse_than(report(0.01, 0.01), "gain_over_tuned"), model(), scale()), "as hard as we"),
        ((report(0.01), model(shared=0.69), scale()), "behind on uci"),
        ((report(0.01), model(difference=1e-9), scale()), "1e-09"),
        ((report(0.01), model(), scale(POINT | {"peak_gb": 9.0})), "9.00 GB"),
        ((report(0.01), model(), scale(POINT | {"cpu_seconds": 8.0})), "2.00 times"),
    ],
)
def test_a_broken_promise_is_said_to_be_broken(broken: tuple[Json, Json, Json], said: str) -> None:
    """Each figure alone can break its promise, and the page shows by how much."""
    found, measured, size = broken
    text = page(found, [measured], size)
    (line,) = [line for line in text.splitlines() if "**not met**" in line]
    assert said in line


def test_sets_measured_again_replace_older_figures_and_each_state_is_named() -> None:
    """The order of sets stays; plain sums of an earlier state are called so."""
    older = [FIGURES | {"set": name, "seed": 0} for name in ("demo", "uci", "german")]
    newer = [FIGURES | {"set": "uci", "seed": seed, "auc_shared": 0.69} for seed in (0, 1)]
    first = ABOUT | {"figures": older, "families": [], "scoring": {}, "missing": []}
    second = first | {"figures": newer, "sums": "secure"}
    found = latest([first, second])["figures"]
    assert [one["set"] for one in found] == ["demo", "uci", "uci", "german"]
    assert [one["auc_shared"] for one in found] == [0.7, 0.69, 0.69, 0.7]
    text = page(report(0.01), [first, second], scale())
    assert "- data sets demo, german; other families: plain sums, 16 fraction bits;" in text
    assert "- data sets uci: secure sums, at most 12 fraction bits;" in text
    assert "an earlier state" in text
    fresh = {"sums": "secure"}
    assert "an earlier state" not in page(report(0.01), [model() | fresh], scale() | fresh)


def test_a_run_that_lost_an_answer_meets_no_goal() -> None:
    """It did less work than was asked."""
    found = scale(copy.deepcopy(POINT) | {"missing": ["evaluation: L20: no answer in time"]})[
        "goal"
    ]
    assert not found["complete"]
    assert not found["memory_met"]
    assert not found["time_met"]


def test_a_synthetic_lender_depends_on_seed_and_number_only() -> None:
    """So a lender's file is the same however many lenders there are, and no two are alike."""
    first, again, other = lender_rows(50, 3, 0), lender_rows(50, 3, 0), lender_rows(50, 4, 0)
    assert first.equals(again)
    assert not np.array_equal(first["c00"], other["c00"], equal_nan=True)
    assert set(synthetic_schema().required) == set(first.columns)
