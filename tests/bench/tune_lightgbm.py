"""Tune the pooled LightGBM of the simulation, so that the reference is not a straw man.

    python tests/bench/tune_lightgbm.py --trials 25 demo uci gmsc

Random search on the training rows of splits 10, 11 and 12; the report's splits are 0, 1 and 2. A
trial's score is the AUC, mean over the splits, on training rows held back inside the split. The
held-out rows are scored once, by the winner and by the default settings; they choose nothing.
Results go to configs/lightgbm.toml, one section per data set; other sections are kept.
"""

from __future__ import annotations

import argparse
import sys
import time
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))

from server.simulation.gain import auc  # noqa: E402
from server.simulation.lightgbm_parameters import LightgbmParameters  # noqa: E402
from server.simulation.lightgbm_rows import LightgbmRows, cross_validated  # noqa: E402
from server.simulation.references import pooled_lightgbm  # noqa: E402
from shared.schema import Table, check_frame, infer_schema, parse_schema  # noqa: E402
from tests.datasets import load  # noqa: E402

TARGET = REPOSITORY / "configs" / "lightgbm.toml"
SPLITS = (10, 11, 12)
HOLDOUT = 0.2
SEARCH_SEED = 7
PARTS = 8
VALIDATED_ROWS = 50_000  # training rows to fit per trial and split, about
DATA_SETS = ("demo", "uci", "gmsc", "german", "polish1", "polish5", "pakdd")
HEADER = """\
# Tuned settings of the pooled LightGBM, the researcher's reference.
# Written by tests/bench/tune_lightgbm.py, which says how; do not edit by hand.
# validation_auc chose the settings; holdout_auc (and default_holdout_auc, of the untuned default)
# are for reading only. All are means over the splits in `seeds`.
"""


@dataclass(frozen=True)
class Split:
    """Training and held-out rows of one development split."""

    seed: int
    train: Table
    holdout: Table


def main(arguments: Sequence[str] | None = None) -> int:
    """Tune each named data set in turn and record it at once."""
    parser = argparse.ArgumentParser(description="Tune the pooled LightGBM reference.")
    parser.add_argument("data_sets", nargs="*", default=["demo"], metavar="|".join(DATA_SETS))
    parser.add_argument("--trials", type=int, default=25)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(arguments)
    if unknown := set(options.data_sets) - set(DATA_SETS):
        parser.error(f"unknown data set: {', '.join(sorted(unknown))}")
    for name in options.data_sets:
        try:
            table = data_set(name)
        except pytest.skip.Exception as missing:
            print(missing, file=sys.stderr)
            return 2
        record(name, tuned(name, table, options.trials, options.threads))
    return 0


def data_set(name: str) -> Table:
    """The whole table, as the simulation would read it."""
    if name == "demo":
        frame = load("sba_demo").frame
        schema = parse_schema(tomllib.loads((TARGET.parent / "consortium.toml").read_text("utf-8")))
        return check_frame(frame, schema, source=name).table
    found = load(name)
    schema = infer_schema(
        found.frame,
        label=found.label,
        source=name,
        bad=found.bad,
        lender=found.lender,
        categories=found.categories,
    )
    return check_frame(found.frame, schema, source=name).table


def splits(table: Table) -> list[Split]:
    """The development splits: a fifth of the rows held out at random."""
    found = []
    for seed in SPLITS:
        held_out = np.random.default_rng(1000 + seed).random(table.rows) < HOLDOUT
        found.append(Split(seed, table.take(~held_out), table.take(held_out)))
    return found


def sampled(rng: np.random.Generator) -> LightgbmParameters:
    """One random point; ranges are wide enough for a thousand rows and for a hundred thousand."""

    def log_uniform(low: float, high: float) -> float:
        return float(f"{np.exp(rng.uniform(np.log(low), np.log(high))):.4g}")

    return LightgbmParameters(
        learning_rate=log_uniform(0.02, 0.12),
        num_leaves=round(log_uniform(5, 64)),
        min_data_in_leaf=round(log_uniform(3, 300)),
        bagging_fraction=round(rng.uniform(0.5, 1.0), 3),
        feature_fraction=round(rng.uniform(0.3, 1.0), 3),
        lambda_l2=log_uniform(0.1, 50),
        cat_smooth=log_uniform(1, 100),
        cat_l2=log_uniform(1, 100),
    )


def tuned(name: str, table: Table, trials: int, threads: int) -> dict[str, object]:
    """The section of a data set: the best of `trials` random settings (the default is a trial)."""
    found, started = splits(table), time.perf_counter()
    rows = [(split.seed, LightgbmRows.of(split.train)) for split in found]
    rng = np.random.default_rng(SEARCH_SEED)
    candidates = [LightgbmParameters(), *(sampled(rng) for _ in range(trials - 1))]
    scores = []
    for number, parameters in enumerate(candidates, start=1):
        scores.append(
            float(np.mean([validation_auc(r, parameters, seed, threads) for seed, r in rows]))
        )
        print(f"{name} {number:3d}/{trials} {scores[-1]:.5f} best {max(scores):.5f}", flush=True)
    best = candidates[int(np.argmax(scores))]
    section: dict[str, object] = {
        "trials": trials,
        "seeds": list(SPLITS),
        "validation_auc": round(max(scores), 5),
        "holdout_auc": holdout_auc(found, best, threads),
        "default_holdout_auc": holdout_auc(found, LightgbmParameters(), threads),
        "parameters": asdict(best),
    }
    print(f"{name}: {section}, {time.perf_counter() - started:.0f} s", flush=True)
    return section


def validation_auc(
    rows: LightgbmRows, parameters: LightgbmParameters, seed: int, threads: int
) -> float:
    """AUC on held-back eighths of the training rows: few rows need several to be told apart."""
    used = min(max(VALIDATED_ROWS // len(rows.bad), 1), PARTS)
    _, score = cross_validated(
        rows, parameters, parts=PARTS, used=used, metric="auc", seed=seed, threads=threads
    )
    return score


def holdout_auc(found: Sequence[Split], parameters: LightgbmParameters, threads: int) -> float:
    """Mean AUC over the splits on held-out rows."""
    scores = []
    for split in found:
        logits = pooled_lightgbm(
            split.train, split.holdout, parameters, split.seed, threads=threads
        )
        bad = split.holdout.bad
        score = None if bad is None else auc(bad, logits)
        assert score is not None, "held-out rows need labels of both classes"
        scores.append(score)
    return round(float(np.mean(scores)), 5)


def record(name: str, section: Mapping[str, object]) -> None:
    """Replace one section of the file; sections stay in the order of `DATA_SETS`."""
    document = tomllib.loads(TARGET.read_text("utf-8")) if TARGET.exists() else {}
    document[name] = section
    text = HEADER
    for known in DATA_SETS:
        if known in document:
            values = dict(document[known])
            parameters = values.pop("parameters")
            text += f"\n[{known}]\n{lines(values)}\n[{known}.parameters]\n{lines(parameters)}"
    TARGET.write_text(text, "utf-8")


def lines(values: Mapping[str, object]) -> str:
    """Numbers and lists of numbers are written alike in TOML and Python."""
    return "".join(f"{key} = {value}\n" for key, value in values.items())


if __name__ == "__main__":
    raise SystemExit(main())
