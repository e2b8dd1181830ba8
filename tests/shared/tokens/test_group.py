"""libsodium's group against slow plain Python, and what it refuses."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from hashlib import sha512

import naive_ristretto as naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import InternalError
from shared.tokens.group import (
    ORDER,
    InvalidPointError,
    inverses,
    points_of,
    random_numbers,
    scalars_of,
)
from shared.tokens.sodium import CHUNK, Sodium

GROUP = Sodium()
NUMBERS = st.integers(1, ORDER - 1)
IDENTITY = bytes(32)
INVALID = {  # RFC 9496 appendix A.2, one of each kind
    "identity": IDENTITY.hex(),
    "not canonical": "00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "above the field": "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "negative": "0100000000000000000000000000000000000000000000000000000000000000",
    "no square": "26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371",
    "negative product": "3eb858e78f5a7254d8c9731174a94f76755fd3941c0ac93735c07ba14579630e",
    # the generator and the identity once more, which libsodium 1.0.18 takes
    "256th bit": "e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2df6",
    "256th bit of the identity": "0000000000000000000000000000000000000000000000000000000000000080",
    "zero ordinate": "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
}


def uniform(*texts: bytes) -> np.ndarray:
    return np.frombuffer(b"".join(texts), np.uint8).reshape(-1, 64)


def some(count: int) -> np.ndarray:
    return GROUP.multiply_base(scalars_of(range(1, count + 1)))


@settings(max_examples=20)
@given(st.binary(min_size=1, max_size=8), NUMBERS, NUMBERS)
def test_same_as_plain_python(seed: bytes, first: int, second: int) -> None:
    """Every operation gives what RFC 9496 done by hand gives."""
    text = sha512(seed).digest()
    point, other = naive.from_uniform(text), naive.multiply(naive.base(), first)
    mine = GROUP.from_uniform(uniform(text))
    assert mine.tobytes() == naive.encode(point)
    base = GROUP.multiply_base(scalars_of([first]))
    assert base.tobytes() == naive.encode(other)
    product = GROUP.multiply(mine, scalars_of([second]))
    assert product.tobytes() == naive.encode(naive.multiply(naive.decode(mine.tobytes()), second))
    assert GROUP.add(mine, base).tobytes() == naive.encode(naive.add(point, other))
    difference = naive.add(point, naive.negate(other))
    assert GROUP.subtract(mine, base).tobytes() == naive.encode(difference)
    GROUP.check(np.concatenate([mine, base, product]))


@pytest.mark.parametrize("count", [1, 2, 3, 7, 64])
def test_total(count: int) -> None:
    """1 + 2 + … + n generators are n (n + 1) / 2 generators, for odd and even n."""
    total = GROUP.total(some(count))
    assert total.shape == (1, 32)
    assert total.tobytes() == GROUP.multiply_base(scalars_of([count * (count + 1) // 2])).tobytes()


def test_one_row_goes_with_every_row() -> None:
    """A single scalar or point is used for all rows of the other side."""
    points, two = some(3), scalars_of([2])
    assert (GROUP.multiply(points, two) == GROUP.multiply_base(scalars_of([2, 4, 6]))).all()
    assert (GROUP.multiply(points[:1], scalars_of([1, 2, 3])) == points).all()
    expected = GROUP.multiply_base(scalars_of([2, 3, 4]))
    assert (GROUP.add(points, points[:1]) == expected).all()
    assert (GROUP.add(points[:1], points) == expected).all()


def test_empty_batches() -> None:
    """No rows give no rows; a sum of nothing is our own mistake."""
    nothing = np.empty((0, 32), np.uint8)
    assert GROUP.multiply(nothing, scalars_of([1])).shape == (0, 32)
    assert GROUP.from_uniform(np.empty((0, 64), np.uint8)).shape == (0, 32)
    GROUP.check(nothing)
    with pytest.raises(InternalError):
        GROUP.total(nothing)


def test_two_threads_give_the_same_rows() -> None:
    """Chunks on two threads put every row in its place, and a bad row in any chunk is found."""
    points, scalars = some(CHUNK * 2 + 3), scalars_of(range(5, CHUNK * 2 + 8))
    with ThreadPoolExecutor(2) as pool:
        two = Sodium(pool.map)
        assert (two.multiply(points, scalars) == GROUP.multiply(points, scalars)).all()
        bad = points.copy()
        bad[-1] = 255
        with pytest.raises(InvalidPointError):
            two.multiply(bad, scalars)


def test_columns_need_not_be_contiguous() -> None:
    """A view of every other row is read as the rows it shows."""
    points = some(6)
    assert (
        GROUP.add(points[::2], points[1::2]) == GROUP.multiply_base(scalars_of([3, 7, 11]))
    ).all()


@pytest.mark.parametrize("kind", INVALID)
def test_invalid_points(kind: str) -> None:
    """A bad row among good ones is refused everywhere, with one and the same message."""
    bad = np.concatenate([some(2), points_of([bytes.fromhex(INVALID[kind])])])
    good, messages = some(3), set()
    calls = [lambda: GROUP.multiply(bad, scalars_of([2])), lambda: GROUP.check(bad)]
    if kind != "identity":
        calls += [
            lambda: GROUP.add(good, bad),
            lambda: GROUP.subtract(bad, good),
            lambda: GROUP.total(bad),
        ]
    for call in calls:
        with pytest.raises(InvalidPointError) as caught:
            call()
        messages.add(str(caught.value))
    assert messages == {str(InvalidPointError())}


def test_the_identity_adds_nothing() -> None:
    """Sums may pass through the identity, which is no valid input or output of a multiplication."""
    point, identity = some(1), points_of([IDENTITY])
    assert (GROUP.add(point, identity) == point).all()
    assert (GROUP.subtract(point, point) == identity).all()
    for scalars in (scalars_of([0]), scalars_of([ORDER])):
        with pytest.raises(InvalidPointError):
            GROUP.multiply(point, scalars)
        with pytest.raises(InvalidPointError):
            GROUP.multiply_base(scalars)


def test_wrong_shapes() -> None:
    """Points of a wrong shape are the sender's fault, everything else of a wrong shape is ours."""
    for wrong in (np.zeros((2, 31), np.uint8), np.zeros(32, np.uint8), np.zeros((1, 32))):
        with pytest.raises(InvalidPointError):
            GROUP.check(wrong)
        with pytest.raises(InternalError):
            GROUP.multiply_base(wrong)
    with pytest.raises(InternalError):
        GROUP.from_uniform(np.zeros((2, 32), np.uint8))
    with pytest.raises(InternalError):
        GROUP.multiply(some(2), scalars_of([1, 2, 3]))
    with pytest.raises(InvalidPointError):
        points_of([bytes(32), bytes(31)])


@given(st.lists(NUMBERS, min_size=1, max_size=9))
def test_inverses(numbers: list[int]) -> None:
    """A number times its inverse is one."""
    found = inverses(numbers)
    assert [a * b % ORDER for a, b in zip(numbers, found, strict=True)] == [1] * len(numbers)


def test_random_numbers() -> None:
    """Numbers are never zero, reach both ends and use 64 bytes each."""
    ends = (0).to_bytes(64, "little") + (ORDER - 2).to_bytes(64, "little")
    assert random_numbers(2, lambda size: ends[:size]) == [1, ORDER - 1]
    assert random_numbers(1, lambda size: (ORDER - 1).to_bytes(size, "little")) == [1]


def test_scalars_are_reduced() -> None:
    """Numbers outside the order, also negative ones, are taken modulo the order."""
    packed = b"".join(number.to_bytes(32, "little") for number in (ORDER - 1, 0, 5))
    assert scalars_of([-1, ORDER, ORDER + 5]).tobytes() == packed
