"""Shapley values against brute force over every set of columns, and sampled ones."""

from itertools import combinations
from math import factorial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from shared.model import reasons
from shared.model.features import PiecewiseLinear
from shared.model.network import Network
from shared.model.part import Part
from shared.model.reasons import shapley_table
from shared.model.sampled_reasons import sampled_contributions
from shared.model.shared_model import SharedModel
from shared.model.trees import BoostedTrees
from shared.schema import Column, LabelContract, Schema, Table
from tests.shared.model.planted_trees import TRANSFORM, naive_leaf, planted, some_codes

SCHEMA = Schema(
    version=1,
    columns=(
        Column("income", "number"),
        Column("region", "category", levels=("a", "b", "c", "d")),
        Column("age", "number"),
        Column("purpose", "category", levels=("x", "y")),
    ),
    label=LabelContract("bad", bad=("1",), good=("0",)),
    row_key="row",
)


def some_rows(rows: int, seed: int = 0) -> Table:
    rng = np.random.default_rng(seed)
    values = {
        "income": np.where(rng.random(rows) < 0.1, np.nan, rng.uniform(0, 4, rows)),
        "region": rng.integers(-1, 5, rows).astype(np.int16),
        "age": rng.uniform(15, 70, rows),
        "purpose": rng.integers(-1, 3, rows).astype(np.int16),
    }
    return Table(SCHEMA, values, None, np.arange(rows))


def worth(module: BoostedTrees, tree: int, leaf: int, known: frozenset[int]) -> float:
    """Mean leaf by cover over the leaves that agree with `leaf` on questions about `known`."""
    total = weight = 0.0
    for other in range(2**module.depth):
        agrees = all(
            (other ^ leaf) >> (module.depth - 1 - level) & 1 == 0
            for level in range(module.depth)
            if int(module.feature[tree, level]) in known
        )
        if agrees:
            cover = float(module.cover[tree, other]) + 1e-9
            total += cover * float(module.leaf[tree, other])
            weight += cover
    return total / weight


def brute_force(module: BoostedTrees, row: NDArray[np.uint8]) -> tuple[NDArray[np.float64], float]:
    """Shapley's formula over all sets of all columns, tree by tree; and the value of knowing none.

    Columns a tree does not ask about are players here too; the fast way leaves them out.
    """
    columns = range(len(row))
    values, base = np.zeros(len(row)), float(module.base)
    for tree in range(module.filled):
        leaf = naive_leaf(module, tree, row)
        base += worth(module, tree, leaf, frozenset())
        for column in columns:
            others = [c for c in columns if c != column]
            for size in range(len(row)):
                share = factorial(size) * factorial(len(row) - 1 - size) / factorial(len(row))
                for chosen in map(frozenset, combinations(others, size)):
                    gain = worth(module, tree, leaf, chosen | {column})
                    values[column] += share * (gain - worth(module, tree, leaf, chosen))
    return values, base


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 4))
def test_contributions_equal_brute_force(seed: int, depth: int, columns: int) -> None:
    """Small trees about few columns, so that most ask about some column twice or more."""
    module, codes = planted(3, depth, seed, columns=columns), some_codes(4, seed)
    table = shapley_table(module)
    ours = table.contributions(module, torch.from_numpy(codes))
    for row, values in zip(codes.T, ours, strict=True):
        expected, base = brute_force(module, row)
        np.testing.assert_allclose(values, expected, atol=2e-6)
        assert table.base == pytest.approx(base, abs=1e-9)


def test_a_column_asked_twice_is_one_player() -> None:
    """Both questions of a tree about one column: all of the row's move is that column's."""
    module, codes = planted(5, 3, seed=2, columns=1), some_codes(10)
    ours = shapley_table(module).contributions(module, torch.from_numpy(codes))
    assert not ours[:, 1:].any()
    logit = module(torch.from_numpy(codes)).numpy()
    np.testing.assert_allclose(ours[:, 0], logit - shapley_table(module).base, atol=1e-5)


def test_values_and_base_add_up_to_the_logit() -> None:
    """Also with empty leaves, deep trees and blocks smaller than the table."""
    module, codes = planted(150, 6, seed=3), some_codes(300)
    with torch.no_grad():
        module.cover[:, ::3] = 0.0
        module.cover[7] = 0.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reasons, "_BLOCK_ROWS", 77)
        patch.setattr(reasons, "_BLOCK_TREES", 13)
        table = shapley_table(module)
        moved = table.contributions(module, torch.from_numpy(codes))
    logit = module(torch.from_numpy(codes)).numpy()
    np.testing.assert_allclose(moved.sum(axis=1) + table.base, logit, atol=1e-4)


def test_a_column_nobody_asks_about_moves_nothing() -> None:
    """Shapley's dummy player."""
    module, codes = planted(20, 4, columns=3), some_codes(50)
    moved = shapley_table(module).contributions(module, torch.from_numpy(codes))
    assert not moved[:, 3].any()
    assert moved[:, :3].any(axis=0).all()


def test_a_model_without_trees_is_its_base() -> None:
    """Nothing learned: nothing moves a row."""
    module, codes = BoostedTrees(4, 3, -0.7), some_codes(5)
    table = shapley_table(module)
    assert table.base == pytest.approx(-0.7)
    assert not table.contributions(module, torch.from_numpy(codes)).any()


def network_part() -> Part:
    width = PiecewiseLinear(TRANSFORM, 4).width
    return Part(Network(width, seed=1, width=8, members=2), 1.0, 4)


def test_sampled_reasons_are_additive_without_sampling_error() -> None:
    """One order or eight: values and base sum to the network's logit."""
    part, rows = network_part(), some_rows(30)
    logit = part.logit(TRANSFORM, rows)
    for orders in (1, 8):
        moved, base = sampled_contributions(part, TRANSFORM, rows, orders=orders)
        np.testing.assert_allclose(moved.sum(axis=1) + base, logit, atol=1e-9)


def test_sampled_reasons_repeat_with_their_seed() -> None:
    """And another seed samples other orders."""
    part, rows = network_part(), some_rows(10)
    first, again, other = (
        sampled_contributions(part, TRANSFORM, rows, orders=3, seed=seed)[0] for seed in (1, 1, 2)
    )
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()


def test_more_orders_make_sampled_reasons_steadier() -> None:
    """Two seeds differ less at 32 orders than at 2, by about the root of 16."""
    part, rows = network_part(), some_rows(20)
    gaps = []
    for orders in (2, 32):
        one, two = (
            sampled_contributions(part, TRANSFORM, rows, orders=orders, seed=seed)[0]
            for seed in (1, 2)
        )
        gaps.append(float(np.abs(one - two).mean()))
    assert gaps[1] < 0.5 * gaps[0]


def test_a_models_reasons_are_the_weighted_sum_of_its_parts() -> None:
    """Trees and network together: additive, and each part scaled by its weight."""
    trees, network = Part(planted(10, 3), 0.3), network_part()
    mixed = SharedModel(SCHEMA, TRANSFORM, (trees, Part(network.module, 0.7, network.pieces)))
    rows = some_rows(12)
    moved, base = mixed.explain(rows)
    np.testing.assert_allclose(moved.sum(axis=1) + base, mixed.logit(rows), atol=1e-5)
    alone, alone_base = SharedModel(SCHEMA, TRANSFORM, (Part(trees.module),)).explain(rows)
    sampled, sampled_base = sampled_contributions(network, TRANSFORM, rows)
    np.testing.assert_allclose(moved, 0.3 * alone + 0.7 * sampled, atol=1e-12)
    assert base == pytest.approx(0.3 * alone_base + 0.7 * sampled_base)
