"""Compiled arithmetic modulo p against Python's integers, at the limits that its limbs may reach.

Elements at large never get near those limits, so comparing points would not show a lost carry.
"""

from __future__ import annotations

from collections.abc import Callable
from ctypes import CFUNCTYPE, c_int64, c_void_p
from typing import Any

import naive_ristretto as naive
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lanes_here import lanes_or_skip

TOP = 2**52 - 1
EDGES = [0, 1, 18, 19, 2**51 - 20, 2**51 - 19, 2**51 - 1, 2**51, 2**51 + 2**14, TOP - 1, TOP]
LIMBS = st.lists(
    st.lists(st.sampled_from(EDGES) | st.integers(0, TOP), min_size=5, max_size=5),
    min_size=8,
    max_size=8,
)
FULL = [[TOP] * 5] * 8
P_ITSELF = [[2**51 - 19, *[2**51 - 1] * 4]] * 8
TWICE = [[2**52 - 38, *[2**52 - 2] * 4]] * 8

Operation = Callable[[list[list[int]], list[list[int]]], list[list[int]]]


@pytest.fixture(scope="module")
def operations() -> dict[str, Operation]:
    lanes_or_skip()
    import llvmlite.ir as ir

    from shared.tokens.lanes.field import INDEX, VECTOR, Field
    from shared.tokens.lanes.kernel import engine_of

    def root(field: Field, x: Any, y: Any) -> list[Any]:
        mask, limbs = field.inverse_root(x)
        return [*limbs, field.builder.zext(mask, VECTOR)]

    bodies = {
        "plus": Field.plus,
        "minus": Field.minus,
        "times": Field.times,
        "squared": lambda field, x, y: field.squared(x, 3),
        "frozen": lambda field, x, y: field.frozen(x),
        "root": root,
    }
    module, pointer = ir.Module("field"), VECTOR.as_pointer()
    for name, body in bodies.items():
        kind = ir.FunctionType(ir.VoidType(), [pointer] * 3)
        function = ir.Function(module, kind, f"test_{name}")
        emit = ir.IRBuilder(function.append_basic_block())

        def place(array: Any, at: int, emit: Any = emit) -> Any:
            return emit.gep(array, [ir.Constant(INDEX, at)])

        x, y = ([emit.load(place(array, at)) for at in range(5)] for array in function.args[:2])
        for at, word in enumerate(body(Field(emit), x, y)):
            emit.store(word, place(function.args[2], at))
        emit.ret_void()
    engine = engine_of(module)
    return {name: _called(engine, name) for name in bodies}


def _called(engine: Any, name: str) -> Operation:
    kind = CFUNCTYPE(c_int64, c_void_p, c_void_p, c_void_p)
    function = kind(engine.get_function_address(f"test_{name}"))

    def operation(x: list[list[int]], y: list[list[int]]) -> list[list[int]]:
        # rows: x, y, result; at an address that vectors ask for
        room = np.zeros(6 * 3 * 8 + 8, np.uint64)
        words = room[-room.ctypes.data // 8 % 8 :][: 6 * 3 * 8].reshape(3, 6, 8)
        words[0, :5], words[1, :5] = np.array(x, np.uint64).T, np.array(y, np.uint64).T
        function(*(part.ctypes.data for part in words))
        assert engine is not None  # its memory holds the function
        return words[2].T.tolist()

    return operation


def number(limbs: list[int]) -> int:
    return sum(limb << 51 * place for place, limb in enumerate(limbs[:5]))


EXPECTED = {
    "plus": lambda x, y: x + y,
    "minus": lambda x, y: x - y,
    "times": lambda x, y: x * y,
    "squared": lambda x, y: pow(x, 8, naive.P),
}


@given(LIMBS, LIMBS)
@example(FULL, FULL)
@example(FULL, [[0] * 5] * 8)
@example([[0] * 5] * 8, FULL)
def test_arithmetic(
    operations: dict[str, Operation], x: list[list[int]], y: list[list[int]]
) -> None:
    """From any limbs below 2^52: the right number, with limbs below 2^51 + 2^14."""
    for name, expected in EXPECTED.items():
        for a, b, found in zip(x, y, operations[name](x, y), strict=True):
            assert number(found) % naive.P == expected(number(a), number(b)) % naive.P, name
            assert max(found[:5]) < 2**51 + 2**14, name


@given(LIMBS)
@example(FULL)
@example(P_ITSELF)
@example(TWICE)
@example([[2**51 - 20, *[2**51 - 1] * 4]] * 8)
@example([[2**51 - 18, *[2**51 - 1] * 4]] * 8)
def test_freezing(operations: dict[str, Operation], x: list[list[int]]) -> None:
    """The one representation below p, with limbs of 51 bits; p itself is 0."""
    for given_limbs, found in zip(x, operations["frozen"](x, x), strict=True):
        assert number(found) == number(given_limbs) % naive.P
        assert max(found[:5]) < 2**51


@given(LIMBS)
@example([[0] * 5] * 8)
@example(P_ITSELF)
def test_inverse_root(operations: dict[str, Operation], x: list[list[int]]) -> None:
    """SQRT_RATIO_M1(1, x) of RFC 9496 section 4.2, and of 0."""
    for limbs, found in zip(x, operations["root"](x, x), strict=True):
        square, root = naive._root_of_ratio(1, number(limbs) % naive.P)
        assert (bool(found[5]), number(found) % naive.P) == (square, root)
