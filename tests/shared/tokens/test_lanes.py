"""Compiled additions give libsodium's bytes and refusals, on every input and in every lane."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lanes_here import (
    IDENTITY,
    INVALID,
    SODIUM,
    VECTORS,
    calls,
    differences,
    drawn,
    lanes_of,
    lanes_or_skip,
    outcome,
    pool,
    spoilt,
)

from shared.errors import InternalError
from shared.tokens.group import Group, InvalidPointError, Points, points_of, scalars_of
from shared.tokens.lanes.group import CHUNK, ROWS, Lanes, agrees, compiled

COUNTS = st.integers(1, 3 * ROWS + 1)


@pytest.fixture(scope="module")
def lanes() -> Lanes:
    return lanes_or_skip()


def test_multiples_of_the_generator(lanes: Lanes) -> None:
    """RFC 9496 appendix A.1, by adding the generator and by taking it away."""
    rows = points_of(bytes.fromhex(text) for text in VECTORS["multiples of the generator"])
    base = rows[1:2]
    assert (lanes.add(rows[:-1], base) == rows[1:]).all()
    assert (lanes.subtract(rows[1:], base) == rows[:-1]).all()
    assert (lanes.total(np.repeat(base, 15, axis=0)) == rows[15:]).all()


@settings(max_examples=60)
@given(COUNTS, st.integers(0, 2**32), st.integers(0, 2**32))
def test_same_bytes_as_libsodium(count: int, first: int, second: int) -> None:
    """Any number of rows, whole blocks or not; a single row goes with all."""
    lanes = lanes_or_skip()
    points, other = drawn(count, first), drawn(count, second)
    for columns in ((points, other), (points, other[:1]), (points[:1], other)):
        for name, call in calls(*columns).items():
            if name != "check":  # refuses the identity, which is among these
                assert outcome(call, lanes) == outcome(call, SODIUM), name


@settings(max_examples=20)
@given(st.lists(st.binary(min_size=64, max_size=64), min_size=1, max_size=9))
def test_elements_at_large(uniform: list[bytes]) -> None:
    """Not only the points of a pool: whatever the hash gives."""
    lanes = lanes_or_skip()
    rows = np.frombuffer(b"".join(uniform), np.uint8).reshape(-1, 64)
    points = SODIUM.from_uniform(rows)
    for name, call in calls(points, points[::-1]).items():
        assert outcome(call, lanes) == outcome(call, SODIUM), name


@pytest.mark.parametrize("count", [1, 7, 8, 9, 17])
def test_doubling_and_cancelling(lanes: Lanes, count: int) -> None:
    """P + P, P - P and P + (-P), where formulas that are not complete go wrong."""
    points = drawn(count, 5)
    negative = SODIUM.subtract(IDENTITY, points)
    assert (lanes.add(points, points) == SODIUM.add(points, points)).all()
    assert not lanes.subtract(points, points).any()
    assert not lanes.add(points, negative).any()
    assert not lanes.total(np.concatenate([points, negative])).any()
    assert (lanes.subtract(IDENTITY, points) == negative).all()


def test_all_pairs(lanes: Lanes) -> None:
    """Each point of the pool with each, the identity among them."""
    points = pool()
    for point in points:
        row = point.reshape(1, -1)
        assert (lanes.add(points, row) == SODIUM.add(points, row)).all()
        assert (lanes.subtract(row, points) == SODIUM.subtract(row, points)).all()


@pytest.mark.parametrize("row", range(2 * ROWS + 1))
def test_invalid_encodings_in_every_lane(lanes: Lanes, row: int) -> None:
    """RFC 9496 appendix A.2, in each lane of whole and partial blocks: the one same refusal."""
    other, count = drawn(2 * ROWS + 1, 6), 2 * ROWS + 1
    for bad in INVALID:
        for name, call in calls(spoilt(count, row, bad), other).items():
            assert outcome(call, lanes) == str(InvalidPointError()), (name, bad.hex())


@given(st.binary(min_size=32, max_size=32), st.integers(0, ROWS))
def test_bytes_at_large(text: bytes, row: int) -> None:
    """Any 32 bytes, most of which are no element, are judged as libsodium judges them."""
    lanes = lanes_or_skip()
    even = bytes([text[0] & 254, *text[1:31], text[31] & 127])  # gets past the first checks
    for given_text in (text, even):
        call = calls(spoilt(ROWS + 1, row, given_text), drawn(ROWS + 1, 7))["add"]
        assert outcome(call, lanes) == outcome(call, SODIUM)


def test_top_bit(lanes: Lanes) -> None:
    """A valid encoding with its 256th bit set is refused, by the code itself too."""
    row = pool()[-1:].copy()
    row[0, 31] |= 128
    for name, call in calls(row, pool()).items():
        assert outcome(call, lanes) == str(InvalidPointError()), name
    kernel, steps = compiled(), np.zeros(1, np.uint64)
    for block, valid in ((np.repeat(row, ROWS, axis=0), False), (pool()[:ROWS].copy(), True)):
        starts, out = np.array([block.ctypes.data], np.uint64), np.empty_like(block)
        assert kernel(starts, steps, steps, out.ctypes.data, 1) is valid


def test_only_the_check_refuses_the_identity(lanes: Lanes) -> None:
    """A sum may pass through it; what comes in and goes out may not be it."""
    points = np.concatenate([pool()[1:ROWS], IDENTITY])
    assert (lanes.add(points, IDENTITY) == points).all()
    lanes.check(points[:-1])
    with pytest.raises(InvalidPointError):
        lanes.check(points)


@pytest.mark.parametrize("rows", [CHUNK * ROWS - 1, CHUNK * ROWS + 9, 3 * CHUNK * ROWS + 4])
def test_many_rows_on_two_threads(lanes: Lanes, rows: int) -> None:
    """More rows than one call takes come out in their places; the last bad one is found."""
    points = SODIUM.multiply_base(scalars_of(range(1, rows + 1)))
    with ThreadPoolExecutor(2) as threads:
        two: Group = Lanes(threads.map, pays=0)
        assert (two.add(points, points[:1])[:-1] == points[1:]).all()
        expected = SODIUM.multiply_base(scalars_of([rows * (rows + 1) // 2]))
        assert two.total(points).tobytes() == lanes.total(points).tobytes() == expected.tobytes()
        two.check(points)
        points[-1] = 255
        for call in calls(points, points[:1]).values():
            assert outcome(call, two) == str(InvalidPointError())


def _refused(group: Group, columns: list[Points]) -> type[Exception]:
    with pytest.raises((InternalError, InvalidPointError)) as caught:
        group.add_all(columns)
    return caught.type


def test_wrong_shapes(lanes: Lanes) -> None:
    """No columns, columns that do not match and points that are none: refused as by libsodium."""
    points = pool()
    assert lanes.add(points[:0], points[:1]).shape == (0, 32)
    lanes.check(points[:0])
    wrong = ([], [points, points[:2]], [points, points[:0]])
    assert {_refused(group, c) for group in (lanes, SODIUM) for c in wrong} == {InternalError}
    for shape in (points[:, :31], points[0], points.astype(np.int64)):
        assert _refused(lanes, [shape]) is _refused(SODIUM, [shape]) is InvalidPointError
    with pytest.raises(InternalError):
        lanes.total(points[:0])


def test_columns_need_not_be_contiguous(lanes: Lanes) -> None:
    """Views of every other row, and rows that cannot be written to, are read as they show."""
    points = drawn(34, 8)
    points.setflags(write=False)
    assert (lanes.add(points[::2], points[1::2]) == SODIUM.add(points[::2], points[1::2])).all()


BUGS = {
    "curve constant": ("shared.tokens.lanes.points.D", 37095705934669439343138083508754565189),
    "constant of the encoding": ("shared.tokens.lanes.points.INVERSE_ROOT_A_MINUS_D", 7),
    "root of minus one": ("shared.tokens.lanes.field.ROOT", 2),
    "2^255 modulo p": ("shared.tokens.lanes.field.FOLD", 18),
}


@pytest.mark.parametrize("bug", BUGS)
def test_bugs_are_found(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Positive control: with one constant wrong, the comparisons above find it, and so does the one
    that is made before the code is used.
    """
    lanes_or_skip()
    from shared.tokens.lanes.kernel import Kernel

    monkeypatch.setattr(*BUGS[bug])
    kernel = Kernel()
    assert set(differences(lanes_of(kernel, monkeypatch)))
    assert not agrees(kernel)


def test_nothing_differs(lanes: Lanes) -> None:
    """The comparison of the control finds nothing in the code as it is."""
    assert not set(differences(lanes))
