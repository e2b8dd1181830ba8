"""Layouts: flat vectors are summaries, and adding vectors is merging summaries."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from shared.errors import InternalError, PeerError
from shared.statistics.layout import Layout

SHAPES = st.lists(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4), max_size=5)
COUNTS = st.integers(-(2**40), 2**40)


def _layout(shapes):
    return Layout(tuple((f"f{i}", shape) for i, shape in enumerate(shapes)))


def _values(draw, layout):
    return {
        name: draw(hnp.arrays(np.int64, shape, elements=COUNTS)) for name, shape in layout.fields
    }


@given(st.data(), SHAPES)
def test_unflatten_is_the_inverse_of_flatten(data, shapes):
    layout = _layout(shapes)
    values = _values(data.draw, layout)
    vector = layout.flatten(values)
    assert vector.shape == (layout.length,)
    back = layout.unflatten(vector)
    assert list(back) == list(layout.names)
    for name in layout.names:
        np.testing.assert_array_equal(back[name], values[name], strict=True)


@given(st.data(), SHAPES)
def test_adding_vectors_merges_summaries_in_any_order_and_grouping(data, shapes):
    layout = _layout(shapes)
    a, b, c = (_values(data.draw, layout) for _ in range(3))
    merged = layout.flatten({name: a[name] + b[name] + c[name] for name in layout.names})
    x, y, z = map(layout.flatten, (a, b, c))
    np.testing.assert_array_equal((x + y) + z, merged)
    np.testing.assert_array_equal(x + (y + z), merged)
    np.testing.assert_array_equal(z + y + x, merged)


def test_unflattened_fields_do_not_share_memory_with_the_vector():
    layout = Layout((("a", (2,)), ("b", (2,))))
    vector = np.arange(4)
    layout.unflatten(vector)["a"][:] = 9
    np.testing.assert_array_equal(vector, np.arange(4))


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"a": np.zeros(2, dtype=np.int64), "b": np.zeros(1, dtype=np.int64)},
        {"a": np.zeros(3, dtype=np.int64)},
        {"a": np.zeros(2)},
        {"a": np.zeros(2, dtype=np.uint64)},
    ],
    ids=["no field", "extra field", "wrong shape", "floats", "may not fit int64"],
)
def test_flatten_refuses_what_is_not_the_layout(values):
    with pytest.raises(InternalError):
        Layout((("a", (2,)),)).flatten(values)


@pytest.mark.parametrize(
    "vector", [np.zeros(3, dtype=np.int64), np.zeros(2), np.zeros((1, 2), int)]
)
def test_unflatten_refuses_a_vector_that_is_not_the_layouts(vector):
    with pytest.raises(PeerError):
        Layout((("a", (2,)),)).unflatten(vector)


@pytest.mark.parametrize("fields", [(("a", (1,)), ("a", (2,))), (("a", (-1,)),)])
def test_a_layout_refuses_repeated_names_and_negative_sides(fields):
    with pytest.raises(InternalError):
        Layout(fields)
