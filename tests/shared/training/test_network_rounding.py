"""How a lender's weights become whole numbers: at random, without drift, within its share."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from shared.model.transform import NumberBins, Transform
from shared.secure_sum.fixed_point import lender_bits, to_ring
from shared.training.network_training import (
    BOUND,
    MOMENT_BITS,
    WEIGHT_BITS,
    WEIGHT_CLIP,
    NetworkSettings,
    NetworkState,
    NetworkTraining,
    _to_vector,
)

SETTINGS = NetworkSettings(rounds=2, batch=16, width=8, members=2, pieces=4)
TRANSFORM = Transform((NumberBins("income", (0.0, 1.0, 2.0)),))
SIZE, DRAWS = 400, 3000


def state(seed: int = 1, scale: float = 1.0) -> NetworkState:
    rng = np.random.default_rng(seed)
    weights, mean = rng.normal(0, scale, (2, SIZE))
    root = np.abs(rng.normal(0, 1e-5, SIZE))
    return NetworkState(weights, mean * 1e-5, root, 0.271, 0.0123)


def vectors(share: float) -> NDArray[np.int64]:
    generator = np.random.default_rng(2)
    return np.stack([_to_vector(state(), share, generator) for _ in range(DRAWS)])


def test_weights_and_means_have_no_drift() -> None:
    """Their mean over many draws is the exact value within five standard errors, sums included."""
    share = 0.0371
    exact = np.concatenate(
        [state().weights * share * 2.0**WEIGHT_BITS, state().mean * share * 2.0**MOMENT_BITS]
    )
    drawn = vectors(share)[:, : 2 * SIZE]
    assert np.abs(drawn - exact).max() < 1.0
    error = np.abs(drawn.mean(axis=0) - exact)
    assert (error <= 5 * 0.5 / np.sqrt(DRAWS)).all()
    assert abs(drawn.sum(axis=1).mean() - exact.sum()) <= 5 * 0.5 * np.sqrt(2 * SIZE / DRAWS)
    nearest = np.abs(np.rint(exact) - exact)  # the control: rounding to nearest misses for good
    assert nearest.max() > 5 * 0.5 / np.sqrt(DRAWS)


def test_roots_are_rounded_up_and_masses_to_nearest() -> None:
    """The same in every draw: a root is never too small."""
    rest = vectors(0.0371)[:, 2 * SIZE :]
    assert (rest == rest[0]).all()
    roots = state().root * 0.0371 * 2.0**MOMENT_BITS
    np.testing.assert_array_equal(rest[0, :SIZE], np.ceil(roots))
    masses = np.array([0.271, 0.0123]) * 0.0371 * 2.0**MOMENT_BITS
    np.testing.assert_array_equal(rest[0, SIZE:], np.rint(masses))


def training(lenders: int, rows: int = 60) -> NetworkTraining:
    return NetworkTraining(TRANSFORM, SETTINGS, rows, rows // 2, seed=1, lenders=lenders)


def answered(lenders: int, seed: int, scale: float = 1.0, rows: int = 60) -> NDArray[np.int64]:
    """Of a lender with 60 of `rows` rows, from weights `scale` times the usual."""
    copy = training(lenders, rows)
    copy.state = replace(copy.state, weights=copy.state.weights * scale)
    features = torch.zeros(60, copy.features.width)
    return copy.answer(features, (np.arange(60) % 2).astype(np.int8), seed)


def test_the_draws_follow_from_the_lenders_secret_and_the_round() -> None:
    """Asked twice a lender sends the same bytes; with another secret it rounds otherwise."""
    assert answered(3, 7).tobytes() == answered(3, 7).tobytes()
    generators = [np.random.Generator(np.random.PCG64([secret, 0, 1])) for secret in (7, 8)]
    first, other = (_to_vector(state(), 0.3, generator) for generator in generators)
    assert first.tobytes() != other.tobytes()
    assert np.abs(first - other).max() == 1


@pytest.mark.parametrize("lenders", [1, 32, 33, 500, 2**16])
def test_a_lender_that_holds_all_rows_fits_however_many_others_there_are(lenders: int) -> None:
    """Absurd weights too, to the clip; up to 32 lenders the usual clip is enough."""
    vector = answered(lenders, 7, scale=1e6)
    to_ring(vector, lender_bits(lenders))
    room = 2 ** (lender_bits(lenders) - 1) - 1
    assert np.abs(vector).max() == min(BOUND, room)
    assert (room < BOUND) == (lenders > 32)
    assert BOUND / 2.0**WEIGHT_BITS < WEIGHT_CLIP


def test_trained_weights_need_no_clip_among_many_lenders() -> None:
    """A tenth of the rows among 500 lenders: the very numbers it sends among three."""
    few, many = (answered(lenders, 7, rows=600) for lenders in (3, 500))
    assert few.tobytes() == many.tobytes()
