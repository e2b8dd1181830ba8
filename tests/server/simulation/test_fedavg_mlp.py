"""The typical federated network learns, repeats, and suffers from local scaling."""

import time

import numpy as np
import pytest
import torch

from server.simulation.fedavg_mlp import LocalScaler, fedavg_mlp
from server.simulation.gain import auc
from shared.errors import InternalError


def test_one_lender_alone_learns_what_the_features_explain(make_table):
    train, test = make_table(1500, 1), make_table(1500, 2)
    (logits,) = fedavg_mlp([train], [test], seed=0)
    assert logits.shape == (1500,)
    assert logits.dtype == np.float64
    assert auc(test.bad, logits) > 0.70


def test_averaging_serves_a_lender_that_has_too_little_to_learn_alone(make_table):
    small, large, test = make_table(60, 1), make_table(2500, 2), make_table(2000, 3)
    (alone,) = fedavg_mlp([small], [test], seed=0)
    together = fedavg_mlp([small, large], [test, test], seed=0)[0]
    assert auc(test.bad, together) > auc(test.bad, alone) + 0.03


def test_the_seed_alone_decides_and_global_randomness_is_left_alone(make_table):
    train, test = [make_table(200, 1), make_table(90, 2)], [make_table(40, 3)] * 2
    torch.manual_seed(1)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    first = fedavg_mlp(train, test, seed=5, rounds=2)
    assert torch.equal(before, torch.get_rng_state())
    assert torch.get_num_threads() == threads
    torch.manual_seed(2)
    again, other = (fedavg_mlp(train, test, seed=seed, rounds=2) for seed in (5, 6))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_each_lender_scales_with_its_own_statistics(make_table):
    """The fault this baseline stands for: ten times the income looks the same after scaling."""
    small, large = make_table(500, 1), make_table(500, 1, scale=10.0)
    first, second = LocalScaler.fit(small), LocalScaler.fit(large)
    np.testing.assert_allclose(first.inputs(small), second.inputs(large), atol=1e-5)
    assert np.abs(first.inputs(large)[:, 0]).mean() > 3


def test_inputs_are_standardised_and_categories_are_one_hot(make_table):
    table = make_table(500, 1)
    table.values["region"][:3] = [-1, 4, 0]
    inputs = LocalScaler.fit(table).inputs(table)
    assert inputs.shape == (500, 2 + 5)
    assert inputs[:, :2].mean(axis=0) == pytest.approx([0, 0], abs=1e-5)
    assert inputs[:, :2].std(axis=0) == pytest.approx([1, 1], abs=1e-5)
    assert inputs[:3, 2:].tolist() == [[1, 0, 0, 0, 0], [0, 0, 0, 0, 0], [0, 1, 0, 0, 0]]


def test_an_empty_or_constant_column_becomes_zeros(make_table):
    table = make_table(50, 1)
    table.values["income"][:] = np.nan
    table.values["age"][:] = 7.0
    assert (LocalScaler.fit(table).inputs(table)[:, :2] == 0).all()


def test_a_lender_without_test_rows_gets_no_logits(make_table):
    train, empty = make_table(80, 1), make_table(5, 2).take(np.arange(0))
    assert fedavg_mlp([train], [empty], seed=0, rounds=1)[0].shape == (0,)


def test_lenders_must_have_a_training_and_a_test_table_each(make_table):
    with pytest.raises(InternalError, match="1 training tables and 0 test tables"):
        fedavg_mlp([make_table(50, 1)], [], seed=0)


def test_an_epoch_over_twenty_two_thousand_rows_takes_a_fraction_of_a_second(make_table):
    lenders = [make_table(rows, rows) for rows in (12_000, 7_000, 2_000, 1_000)]
    start = time.process_time()
    fedavg_mlp(lenders, [table.take(np.arange(10)) for table in lenders], seed=0, rounds=4)
    assert (time.process_time() - start) * 5 < 6
