"""Tuned settings are read from the configuration, and untuned ones say so."""

import pytest

from server.simulation.lightgbm_parameters import (
    LightgbmParameters,
    Tuning,
    tuned_lightgbm,
    tuning_in,
)
from shared.errors import OperatorError

SECTION = {
    "trials": 25,
    "seeds": [10, 11, 12],
    "validation_auc": 0.81,
    "holdout_auc": 0.8,
    "parameters": {
        "learning_rate": 0.1,
        "num_leaves": 5,
        "min_data_in_leaf": 7,
        "bagging_fraction": 0.9,
        "feature_fraction": 0.5,
        "lambda_l2": 2.0,
        "cat_smooth": 3.0,
        "cat_l2": 4.0,
    },
}


def test_a_section_is_read_back():
    tuning = tuning_in({"mine": SECTION}, "mine")
    assert tuning.parameters == LightgbmParameters(0.1, 5, 7, 0.9, 0.5, 2.0, 3.0, 4.0)
    assert (tuning.trials, tuning.seeds) == (25, (10, 11, 12))
    assert (tuning.validation_auc, tuning.holdout_auc) == (0.81, 0.8)


def test_a_data_set_without_a_section_has_default_settings_and_no_trials():
    assert tuned_lightgbm("nobody's data") == Tuning(LightgbmParameters(), trials=0)


@pytest.mark.parametrize("name", ["demo", "uci", "gmsc"])
def test_the_shipped_settings_were_tuned_with_at_least_twenty_trials_off_the_reports_seeds(name):
    tuning = tuned_lightgbm(name)
    assert tuning.trials >= 20
    assert not set(tuning.seeds) & {0, 1, 2}
    assert 0.5 < tuning.holdout_auc < 1


@pytest.mark.parametrize(
    "section",
    [
        "text",
        {key: value for key, value in SECTION.items() if key != "trials"},
        {**SECTION, "parameters": {"num_leaves": 5}},
        {**SECTION, "parameters": {**SECTION["parameters"], "max_bin": 255}},
    ],
)
def test_an_incomplete_section_is_refused(section):
    with pytest.raises(OperatorError, match=r"section \[mine\] is not complete"):
        tuning_in({"mine": section}, "mine")


def test_settings_are_quiet_and_repeatable():
    settings = LightgbmParameters().settings(seed=7, threads=1)
    assert settings["verbosity"] == -1
    assert settings["deterministic"] is True
    assert (settings["seed"], settings["num_threads"], settings["metric"]) == (7, 1, "auc")
