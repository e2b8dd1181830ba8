"""The trees against a row-by-row walk, and a row's score whatever rows stand beside it."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.model import trees as trees_module
from shared.model.trees import MAX_DEPTH, BoostedTrees
from tests.shared.model.planted_trees import naive_leaf, naive_logit, planted, some_codes


@pytest.mark.parametrize("depth", range(1, MAX_DEPTH + 1))
def test_leaves_equal_a_naive_walk(depth: int) -> None:
    """Every row in every tree, thresholds and subsets, at every depth."""
    module, codes = planted(8, depth, seed=depth), some_codes(50)
    assert 0 < int(module.uses_subset.sum()) < module.uses_subset.numel()
    index = module.leaf_index(codes, 0, 8)
    walked = [[naive_leaf(module, tree, row) for row in codes.T] for tree in range(8)]
    assert index.tolist() == walked
    assert module.leaf_index(codes, 3, 5).tolist() == walked[3:5]


def test_the_logit_is_the_base_and_one_leaf_a_tree() -> None:
    """Bit for bit the sum of a plain loop, in the order of the trees."""
    module, codes = planted(20, 4), some_codes(60)
    logit = module(torch.from_numpy(codes)).numpy()
    assert logit.tolist() == [naive_logit(module, row) for row in codes.T]


@settings(max_examples=30)
@given(st.lists(st.integers(0, 199), max_size=60), st.integers(1, 70), st.integers(1, 4000))
def test_a_rows_score_depends_on_no_other_row(chosen: list[int], block: int, lookups: int) -> None:
    """Any rows, in any order and repeated, in blocks of any size: each keeps its score's bits."""
    module, codes = planted(20, 4), some_codes(200)
    alone = module(torch.from_numpy(codes)).numpy()
    part = np.ascontiguousarray(codes[:, chosen])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trees_module, "_BLOCK_ROWS", block)
        patch.setattr(trees_module, "_BLOCK_LOOKUPS", lookups)
        beside = module(torch.from_numpy(part)).numpy()
    assert beside.tobytes() == alone[chosen].tobytes()


def test_trees_that_are_planted_but_not_filled_do_not_score() -> None:
    """Room and planted questions change nothing until leaves are given."""
    module, codes = planted(6, 3, room=6), some_codes(40)
    before = module(torch.from_numpy(codes)).numpy()
    other = planted(6, 3, seed=9)
    structure = trees_module.Structure(
        *(part.numpy() for part in (other.feature, other.threshold)),
        other.uses_subset.numpy(),
        other.subset.numpy(),
    )
    module.plant(structure)
    assert module(torch.from_numpy(codes)).numpy().tobytes() == before.tobytes()
    module.fill(other.leaf.numpy(), other.cover.numpy())
    assert (module.filled, module.trees) == (12, 12)
    after = module(torch.from_numpy(codes)).numpy()
    added = other(torch.from_numpy(codes)).numpy() - float(other.base)
    np.testing.assert_allclose(after, before + added, rtol=1e-12)


def test_adding_leaves_later_equals_scoring_at_once() -> None:
    """Trees 0 … 4 and then 5 … 9 give the logit of all ten, bit for bit."""
    module, codes = planted(10, 3), some_codes(50)
    logit = np.full(50, float(module.base))
    for first in (0, 5):
        module.add_leaves(logit, module.leaf_index(codes, first, first + 5), first)
    assert logit.tobytes() == module(torch.from_numpy(codes)).numpy().tobytes()


def test_no_rows_give_no_scores() -> None:
    """An empty block is fine."""
    assert planted()(torch.from_numpy(some_codes(0))).shape == (0,)


def test_codes_need_not_be_contiguous() -> None:
    """A lender's column-major codes, sliced by row, score alike."""
    module, codes = planted(), some_codes(60)
    every_third = module(torch.from_numpy(codes[:, ::3])).numpy()
    assert every_third.tobytes() == module(torch.from_numpy(codes)).numpy()[::3].tobytes()


@pytest.mark.parametrize("depth", [0, MAX_DEPTH + 1])
def test_a_depth_whose_leaf_has_no_byte_is_refused(depth: int) -> None:
    """Leaf numbers are bytes."""
    with pytest.raises(ValueError, match="depth"):
        BoostedTrees(1, depth, 0.0)


def test_leaves_are_parameters_that_no_optimiser_moves() -> None:
    """They count as learned numbers, and need no gradient."""
    module = planted(6, 3)
    (leaf,) = module.parameters()
    assert leaf.numel() == 6 * 8
    assert not leaf.requires_grad
