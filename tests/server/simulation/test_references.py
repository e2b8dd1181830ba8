"""Pooled and local LightGBM learn, repeat, never look at test labels, and degrade to a constant."""

import importlib
import time
from dataclasses import replace

import numpy as np
import pytest

from server.simulation.gain import auc
from server.simulation.lightgbm_parameters import LightgbmParameters
from server.simulation.lightgbm_rows import LightgbmRows, cross_validated, feature_matrix, folds
from server.simulation.references import local_lightgbm, pooled_lightgbm
from shared.errors import InternalError, OperatorError

PARAMETERS = LightgbmParameters(learning_rate=0.1, num_leaves=8)


def pooled(train, test, seed=0, **options):
    return pooled_lightgbm(train, test, PARAMETERS, seed, threads=1, **options)


def with_labels(table, bad):
    return replace(table, bad=np.asarray(bad, dtype=np.int8))


@pytest.mark.parametrize("reference", [pooled, local_lightgbm])
def test_a_reference_finds_the_interaction_and_the_region(reference, make_table):
    train, test = make_table(1500, 1), make_table(1500, 2)
    logits = reference(train, test, seed=3)
    assert logits.shape == (1500,)
    assert logits.dtype == np.float64
    assert auc(test.bad, logits) > 0.70 > auc(test.bad, test.values["age"]) + 0.1


def test_logits_are_on_the_scale_of_the_log_odds(make_table):
    train, test = make_table(3000, 1), make_table(3000, 2)
    probability = 1 / (1 + np.exp(-pooled(train, test)))
    assert probability.mean() == pytest.approx(test.bad.mean(), abs=0.03)


@pytest.mark.parametrize("reference", [pooled, local_lightgbm])
def test_the_same_seed_gives_the_same_logits_and_another_seed_others(reference, make_table):
    train, test = make_table(400, 1), make_table(100, 2)
    first = reference(train, test, seed=1)
    assert np.array_equal(first, reference(train, test, seed=1))
    assert not np.array_equal(first, reference(train, test, seed=2))


@pytest.mark.parametrize("reference", [pooled, local_lightgbm])
def test_test_labels_are_never_read(reference, make_table):
    train, test = make_table(400, 1), make_table(100, 2)
    expected = reference(train, test, seed=1)
    assert np.array_equal(expected, reference(train, replace(test, bad=None), seed=1))


def test_an_unlabelled_training_table_is_our_own_fault(make_table):
    table = make_table(50, 1)
    with pytest.raises(InternalError, match="labelled"):
        pooled(replace(table, bad=None), table)


def test_knowing_the_lender_helps_where_lenders_differ(make_table):
    """Every second loan is at a lender where half of the others' good loans go bad."""
    odd, rng = np.arange(2000) % 2, np.random.default_rng(0)
    train, test = (
        with_labels(table, table.bad | (odd & (rng.random(2000) < 0.5)))
        for table in (make_table(2000, 1), make_table(2000, 2))
    )
    blind = auc(test.bad, pooled(train, test))
    knowing = auc(test.bad, pooled(train, test, lenders=(odd, odd)))
    assert knowing > blind + 0.03


@pytest.mark.parametrize("reference", [pooled, local_lightgbm])
@pytest.mark.parametrize("bads", [0, 4, 30])
def test_too_few_of_a_class_gives_a_constant_at_the_log_odds(reference, bads, make_table):
    train = with_labels(make_table(30, 1), np.arange(30) < bads)
    logits = reference(train, make_table(7, 2), seed=0)
    assert logits.tolist() == pytest.approx([np.log((bads + 0.5) / (30.5 - bads))] * 7)


def test_a_lender_of_ten_rows_still_gets_an_answer(make_table):
    train = with_labels(make_table(10, 1), np.arange(10) % 2)
    assert np.isfinite(local_lightgbm(train, make_table(7, 2), seed=0)).all()


def test_a_lender_without_rows_knows_nothing(make_table):
    empty = make_table(10, 1).take(np.arange(0))
    assert local_lightgbm(empty, make_table(3, 2), seed=0).tolist() == [0, 0, 0]


def test_missing_categories_are_missing_and_unseen_levels_are_a_level(make_table):
    table = make_table(50, 1)
    table.values["region"][:3] = [-1, 4, 0]
    matrix = feature_matrix(table)
    assert np.isnan(matrix[0, 2])
    assert matrix[1:3, 2].tolist() == [4, 0]
    assert LightgbmRows.of(table).categories == (2,)
    assert LightgbmRows.of(table, np.zeros(50, dtype=np.int64)).categories == (2, 3)


def test_folds_are_even_within_each_class():
    bad = (np.arange(103) % 5 == 0).astype(np.int8)
    fold = folds(bad, 4, seed=1)
    for value in (0, 1):
        counts = np.bincount(fold[bad == value], minlength=4)
        assert counts.max() - counts.min() <= 1


def test_cross_validation_reports_the_metric_on_rows_held_back(make_table):
    """On labels without any signal the held-back AUC is near one half, however well rows fit."""
    train = make_table(1200, 1)
    noise = with_labels(train, np.random.default_rng(0).integers(0, 2, 1200))
    options = {"parts": 4, "used": 4, "metric": "auc", "seed": 0, "threads": 1}
    _, real = cross_validated(LightgbmRows.of(train), PARAMETERS, **options)
    _, none = cross_validated(LightgbmRows.of(noise), PARAMETERS, **options)
    assert real > 0.70
    assert abs(none - 0.5) < 0.07


def test_twelve_local_models_take_a_few_seconds_of_one_core(make_table):
    sizes = (5000, 3000, 3000, 2200, 1900, 1800, 1700, 1400, 450, 370, 290, 180)
    lenders = [make_table(rows, seed) for seed, rows in enumerate(sizes)]
    start = time.process_time()
    for table in lenders:
        local_lightgbm(table, table, seed=0)
    assert time.process_time() - start < 6


def test_without_lightgbm_the_operator_is_told_what_to_install(make_table, monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    table = make_table(50, 1)
    with pytest.raises(OperatorError) as caught:
        local_lightgbm(table, table, seed=0)
    assert caught.value.remedy == "pip install 'lianfang[simulate]'"
