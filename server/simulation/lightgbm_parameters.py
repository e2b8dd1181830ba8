"""LightGBM's settings for the references, and where the tuned ones come from.

Invariants:
- What is not in `configs/lightgbm.toml` was not tuned, and says so (`trials` is 0).
- Tuned values are written by tests/bench/tune_lightgbm.py, never by hand.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib.resources import files

from shared.errors import OperatorError


@dataclass(frozen=True)
class LightgbmParameters:
    """Settings of one model, under LightGBM's own (primary) names.

    The default is what one would start with for some ten thousand rows. Bagging is by tree.
    """

    learning_rate: float = 0.05
    num_leaves: int = 31
    min_data_in_leaf: int = 30
    bagging_fraction: float = 0.8
    feature_fraction: float = 0.6
    lambda_l2: float = 10.0
    cat_smooth: float = 10.0
    cat_l2: float = 10.0

    def settings(self, *, seed: int, threads: int, metric: str = "auc") -> dict[str, object]:
        """What `lightgbm.train` takes: quiet, and the same model for the same seed and threads."""
        return {
            **{field.name: getattr(self, field.name) for field in fields(self)},
            "objective": "binary",
            "metric": metric,
            "bagging_freq": 1,
            "seed": seed,
            "num_threads": threads,
            "deterministic": True,
            "force_col_wise": True,
            "verbosity": -1,
        }


@dataclass(frozen=True)
class Tuning:
    """Settings for one data set and how they were found.

    `validation_auc` and `holdout_auc` are means over `seeds`, None when not tuned (`trials` 0).
    The choice used the first alone.
    """

    parameters: LightgbmParameters
    trials: int = 0
    seeds: tuple[int, ...] = ()
    validation_auc: float | None = None
    holdout_auc: float | None = None


def tuned_lightgbm(data_set: str) -> Tuning:
    """The tuning recorded for a data set; the default settings with `trials` 0 if there is none."""
    text = files("configs").joinpath("lightgbm.toml").read_text(encoding="utf-8")
    return tuning_in(tomllib.loads(text), data_set)


def tuning_in(document: Mapping[str, object], data_set: str) -> Tuning:
    """`tuned_lightgbm` on a parsed document; raises OperatorError when its section is malformed."""
    match document.get(data_set):
        case None:
            return Tuning(LightgbmParameters())
        case {
            "trials": int(trials),
            "seeds": list(seeds),
            "validation_auc": float(validation),
            "holdout_auc": float(holdout),
            "parameters": dict(values),
        } if set(values) == {field.name for field in fields(LightgbmParameters)}:
            parameters = LightgbmParameters(**values)
            return Tuning(parameters, trials, tuple(seeds), validation, holdout)
    raise OperatorError(
        f"lightgbm.toml: section [{data_set}] is not complete",
        remedy="write it again with tests/bench/tune_lightgbm.py",
    )
