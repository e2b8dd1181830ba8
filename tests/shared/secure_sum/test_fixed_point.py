"""Numbers in the ring: exact at the extremes, refused beyond them, rounded without bias."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from shared.errors import InternalError, OperatorError
from shared.secure_sum.fixed_point import from_ring, lender_bits, stochastic, to_ring

LENDERS = st.one_of(st.integers(1, 40), st.integers(1, 2**20))


@given(LENDERS)
def test_lenders_get_as_many_bits_as_the_ring_carries_and_no_more(lenders):
    bits = lender_bits(lenders)
    assert lenders * 2**bits <= 2**32 < lenders * 2 ** (bits + 1)


@pytest.mark.parametrize(
    ("lenders", "bits"), [(1, 32), (2, 31), (3, 30), (4, 30), (5, 29), (12, 28), (2**20, 12)]
)
def test_bits_of_some_numbers_of_lenders(lenders, bits):
    assert lender_bits(lenders) == bits


@pytest.mark.parametrize("lenders", [-1, 0, 2**20 + 1])
def test_another_number_of_lenders_is_an_internal_error(lenders):
    with pytest.raises(InternalError, match="lenders"):
        lender_bits(lenders)


@given(LENDERS)
def test_the_total_of_extreme_values_of_all_lenders_is_exact(lenders):
    """All lenders send the least, all the most: multiples mod 2**32 stand for the additions."""
    bits = lender_bits(lenders)
    least, most = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    total = to_ring(np.array([least, most, -1, 0, 1]), bits) * np.uint32(lenders)
    assert from_ring(total).tolist() == [lenders * v for v in (least, most, -1, 0, 1)]


def test_the_total_would_be_wrong_with_one_lender_more_than_the_bits_allow():
    """Control of the test above: the bound is the ring's, not a margin."""
    bits = lender_bits(4)
    most = to_ring(np.array([2 ** (bits - 1) - 1]), bits)
    assert from_ring(most * np.uint32(4))[0] == 4 * (2 ** (bits - 1) - 1)
    assert from_ring(most * np.uint32(5))[0] != 5 * (2 ** (bits - 1) - 1)


@given(st.integers(1, 9), st.integers(0, 30), st.data())
def test_a_total_of_random_vectors_is_their_sum(lenders, length, data):
    bits = lender_bits(lenders)
    values = st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    vectors = data.draw(hnp.arrays(np.int64, (lenders, length), elements=values))
    total = np.zeros(length, np.uint32)
    for vector in vectors:
        total += to_ring(vector, bits)
    np.testing.assert_array_equal(from_ring(total), vectors.sum(axis=0))


@given(st.integers(1, 32), st.booleans(), st.integers(0, 2**40))
def test_a_value_beyond_the_agreed_bits_is_refused_and_not_told(bits, negative, beyond):
    bound = 2 ** (bits - 1)
    value = -bound - 1 - beyond if negative else bound + beyond
    with pytest.raises(OperatorError, match="more than the agreed") as raised:
        to_ring(np.array([0, value]), bits)
    assert str(raised.value).replace(f"{bits} bits", "").find(str(abs(value))) == -1


def test_the_extremes_of_int64_are_refused():
    for value in (-(2**63), 2**63 - 1, 2**32):
        with pytest.raises(OperatorError):
            to_ring(np.array([value]), 32)


def test_nothing_goes_into_the_ring_and_comes_out_as_nothing():
    assert len(from_ring(to_ring(np.zeros(0, np.int64), 12))) == 0


def test_the_caller_s_vector_is_not_shared_with_the_masked_one():
    vector = np.arange(4)
    to_ring(vector, 8)[:] = 7
    assert vector.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("vector", [np.zeros(2), np.zeros(2, np.int32), np.zeros(2, np.uint64)])
def test_only_int64_goes_into_the_ring(vector):
    with pytest.raises(InternalError, match="of the ring"):
        to_ring(vector, 12)


@pytest.mark.parametrize("bits", [-1, 0, 33])
def test_only_1_to_32_bits_go_into_the_ring(bits):
    with pytest.raises(InternalError, match="of the ring"):
        to_ring(np.zeros(2, np.int64), bits)


def test_only_uint32_comes_out_of_the_ring():
    with pytest.raises(InternalError, match="uint32"):
        from_ring(np.zeros(2, np.int64))


# Rounding at random


@given(
    hnp.arrays(np.float64, st.integers(0, 30), elements=st.floats(-1e300, 1e300)),
    st.integers(0, 20),
    st.floats(1, 1000),
    st.integers(0, 2**32),
)
def test_a_rounded_value_is_next_to_the_clipped_one_and_never_beyond_the_clip(
    values, fraction_bits, clip, seed
):
    rounded = stochastic(values, fraction_bits, clip, np.random.default_rng(seed))
    assert rounded.dtype == np.int64
    assert (np.abs(rounded) <= clip * 2**fraction_bits).all()
    last = np.floor(clip * 2**fraction_bits)
    exact = np.clip(np.clip(values, -clip, clip) * 2**fraction_bits, -last, last)
    assert (np.floor(exact) <= rounded).all()
    assert (rounded <= np.ceil(exact)).all()


def test_values_on_the_clip_and_on_the_grid_come_out_exact():
    values = np.repeat([-8.0, -0.25, 0.0, 1.5, 8.0, 9.0, -1e9], 1000)
    rounded = stochastic(values, 20, 8.0, np.random.default_rng(0))
    np.testing.assert_array_equal(rounded, np.clip(values, -8, 8) * 2**20)


@pytest.mark.parametrize("value", [0.1, -0.1, 0.5, -3.9, 3.0001, -1e-6, 5.0, -5.0])
def test_rounding_has_the_clipped_value_as_its_mean(value):
    """200,000 draws: within 5 σ, σ² = f (1 − f) / n with f the fractional part (and 1/n)."""
    n, clip = 200_000, 4.0
    rounded = stochastic(np.full(n, value), 3, clip, np.random.default_rng(7))
    exact = np.clip(value, -clip, clip) * 8
    fraction = exact - np.floor(exact)
    sigma = np.sqrt(fraction * (1 - fraction) / n)
    assert abs(rounded.mean() - exact) <= 5 * (sigma + 1 / n)


def test_rounding_to_the_nearest_would_be_found_biased():
    """Control: 0.1 · 8 rounded to the nearest is 1, forty-five σ away."""
    n, exact = 200_000, 0.8
    sigma = np.sqrt(exact * (1 - exact) / n)
    assert abs(np.rint(np.full(n, exact)).mean() - exact) > 5 * (sigma + 1 / n)


def test_a_total_of_many_roundings_does_not_drift():
    """A million small values over several blocks: the total is within 5 σ of the real one."""
    values = np.random.default_rng(1).normal(0, 1e-3, 1_000_000)
    rounded = stochastic(values, 8, 1.0, np.random.default_rng(2))
    scaled = values * 256
    fraction = scaled - np.floor(scaled)
    sigma = np.sqrt((fraction * (1 - fraction)).sum())
    assert abs(rounded.sum() - scaled.sum()) < 5 * sigma


class LargestDraw(np.random.Generator):
    """Draws the largest number a generator can give, just below one."""

    def __init__(self):
        super().__init__(np.random.PCG64(0))

    def random(self, size):
        return np.full(size, 1 - 2.0**-53)


def test_the_largest_draw_does_not_push_a_whole_number_up():
    """2**20 + (1 − 2**-53) is 2**20 + 1 in floating point, so adding before the floor would."""
    assert np.floor(2.0**20 + (1 - 2.0**-53)) == 2**20 + 1
    assert stochastic(np.array([1.0]), 20, 1.0, LargestDraw()).tolist() == [2**20]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("at", [0, 70_000])
def test_a_number_that_is_not_finite_is_refused(bad, at):
    values = np.zeros(70_001)
    values[at] = bad
    with pytest.raises(OperatorError, match="not finite"):
        stochastic(values, 16, 1.0, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("fraction_bits", "clip"),
    [
        (-1, 1.0),
        (32, 1.0),
        (16, 0.0),
        (16, -1.0),
        (16, np.nan),
        (16, np.inf),
        (16, 2.0**16),
        (0, 0.5),
    ],
)
def test_a_clip_and_scale_that_are_no_fixed_point_are_an_internal_error(fraction_bits, clip):
    with pytest.raises(InternalError, match="fixed point"):
        stochastic(np.zeros(1), fraction_bits, clip, np.random.default_rng(0))


def test_the_same_generator_rounds_the_same_way():
    values = np.random.default_rng(3).normal(size=70_000)
    one, other = (stochastic(values, 4, 2.0, np.random.default_rng(9)) for _ in range(2))
    np.testing.assert_array_equal(one, other)
