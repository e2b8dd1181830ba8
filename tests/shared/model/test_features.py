"""Piecewise-linear features: ramps, tail, flags, one-hot, and purity."""

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.errors import InternalError
from shared.model.features import PiecewiseLinear
from shared.model.transform import CategoryBins, NumberBins, Transform
from shared.schema import Column, LabelContract, Schema, Table

SCHEMA = Schema(
    version=1,
    columns=(
        Column("income", "number"),
        Column("flag", "number"),
        Column("empty", "number"),
        Column("purpose", "category", levels=("car", "home", "school")),
    ),
    label=LabelContract("bad", bad=("1",), good=("0",)),
    row_key="row",
)
TRANSFORM = Transform(
    (
        NumberBins("income", (10.0, 20.0, 40.0)),
        NumberBins("flag", (0.0,)),
        NumberBins("empty", ()),
        CategoryBins("purpose", ("car", "home", "school"), (2, 0)),  # "home" is rare
    )
)


def table(income: list[float], flag: list[float], purpose: list[int]) -> Table:
    rows = len(income)
    return Table(
        schema=SCHEMA,
        values={
            "income": np.array(income),
            "flag": np.array(flag),
            "empty": np.full(rows, np.nan),
            "purpose": np.array(purpose, dtype=np.int16),
        },
        bad=None,
        row_key=np.arange(rows).astype(str),
    )


def features(income: float, flag: float, purpose: int) -> NDArray[np.float32]:
    return PiecewiseLinear(TRANSFORM).matrix(table([income], [flag], [purpose]))[0]


def test_a_number_climbs_its_ramps_then_the_step() -> None:
    """Each ramp is the share of its piece climbed; above the last knot the step is one."""
    assert features(5.0, 0.0, 0)[:3].tolist() == [0.0, 0.0, 0.0]
    assert features(15.0, 0.0, 0)[:3].tolist() == [0.5, 0.0, 0.0]
    assert features(30.0, 0.0, 0)[:3].tolist() == [1.0, 0.5, 0.0]
    assert features(99.0, 0.0, 0)[:3].tolist() == [1.0, 1.0, 1.0]


def test_missing_numbers_raise_only_their_flag() -> None:
    """A missing value is not the lowest value: its flag is one and its other features are zero."""
    assert features(np.nan, 0.0, 0)[:4].tolist() == [0.0, 0.0, 0.0, 1.0]
    assert features(5.0, 0.0, 0)[3] == 0.0


def test_one_edge_gives_a_step_and_no_edge_a_flag() -> None:
    """A 0/1 number keeps both its values apart; a column that is always missing has its flag."""
    assert features(5.0, 0.0, 0)[4:6].tolist() == [0.0, 0.0]
    assert features(5.0, 1.0, 0)[4:6].tolist() == [1.0, 0.0]
    assert features(5.0, 1.0, 0)[6] == 1.0


@pytest.mark.parametrize(("code", "place"), [(2, 0), (0, 1), (1, 2), (3, 2), (-1, 3)])
def test_categories_are_one_hot_in_the_transforms_order(code: int, place: int) -> None:
    """School, car, rare or unseen, missing: exactly one of four is one."""
    expected = [0.0] * 4
    expected[place] = 1.0
    assert features(5.0, 0.0, code)[7:].tolist() == expected


def test_rows_are_encoded_one_by_one() -> None:
    """Blocks of rows give the same bytes as the whole table, whatever else is in it."""
    generator = np.random.default_rng(0)
    whole = table(
        generator.normal(20, 20, 50).tolist(),
        generator.integers(0, 2, 50).astype(float).tolist(),
        generator.integers(-1, 4, 50).tolist(),
    )
    encode = PiecewiseLinear(TRANSFORM).matrix
    blocks = [encode(whole.take(np.arange(start, start + 25))) for start in (0, 25)]
    assert np.concatenate(blocks).tobytes() == encode(whole).tobytes()


def test_many_edges_are_thinned_to_the_asked_pieces_and_stay_bounded() -> None:
    """254 edges give at most `pieces` ramps from the first edge to the last, all within 0 … 1."""
    column = NumberBins("income", tuple(float(i**2) for i in range(254)))
    encoder = PiecewiseLinear(Transform((column,)), pieces=16)
    assert encoder.width == 16 + 2
    rows = table([-1e9, 0.0, 32004.5, 64009.0, 1e300], [0.0] * 5, [0] * 5)
    matrix = encoder.matrix(rows)
    assert matrix.dtype == np.float32
    assert matrix.min() == 0.0
    assert matrix.max() == 1.0
    assert matrix[:, :16].sum(axis=1)[[0, 1, 3, 4]].tolist() == [0.0, 0.0, 16.0, 16.0]
    assert 0.0 < matrix[2, :16].sum() < 16.0


def test_no_pieces_is_our_own_fault() -> None:
    """Asking for zero pieces is refused."""
    with pytest.raises(InternalError, match="at least one piece"):
        PiecewiseLinear(TRANSFORM, pieces=0)
