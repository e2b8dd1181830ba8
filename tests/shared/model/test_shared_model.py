"""The shared model as one thing that scores: schema by digest, blocks, PD without overflow."""

import numpy as np
import pandas as pd
import pytest

from shared.errors import OperatorError
from shared.model import shared_model
from shared.model.features import PiecewiseLinear
from shared.model.network import Network
from shared.model.part import Part
from shared.model.shared_model import SharedModel, pd_of
from shared.schema import Column, LabelContract, Schema, Table
from tests.shared.model.planted_trees import TRANSFORM, planted

SCHEMA = Schema(
    version=1,
    columns=(
        Column("income", "number"),
        Column("region", "category", levels=("a", "b", "c", "d")),
        Column("age", "number", low=18, high=99),
        Column("purpose", "category", levels=("x", "y")),
    ),
    label=LabelContract("bad", bad=("1",), good=("0",)),
    row_key="row",
)
FRAME = pd.DataFrame(
    {
        "row": ["1", "2", "3", "4"],
        "income": ["1.5", "", "0.5", "9"],
        "region": ["a", "b", "", "elsewhere"],
        "age": ["25", "35", "45", "55"],
        "purpose": ["x", "y", "x", "y"],
    }
)


def trees() -> SharedModel:
    return SharedModel(SCHEMA, TRANSFORM, (Part(planted(5, 3)),))


def blend() -> SharedModel:
    network = Network(PiecewiseLinear(TRANSFORM, 4).width, seed=1, width=8, members=2)
    return SharedModel(SCHEMA, TRANSFORM, (Part(planted(5, 3), 0.4), Part(network, 0.6, 4)))


def some_rows(rows: int, schema: Schema = SCHEMA) -> Table:
    rng = np.random.default_rng(3)
    values = {
        "income": np.where(rng.random(rows) < 0.1, np.nan, rng.uniform(0, 4, rows)),
        "region": rng.integers(-1, 5, rows).astype(np.int16),
        "age": rng.uniform(15, 70, rows),
        "purpose": rng.integers(-1, 3, rows).astype(np.int16),
    }
    return Table(schema, values, None, np.arange(rows))


def test_a_table_of_another_schema_is_not_scored() -> None:
    """Even one level more is another schema."""
    other = Schema(2, SCHEMA.columns, SCHEMA.label, SCHEMA.row_key)
    with pytest.raises(OperatorError, match="schema"):
        trees().logit(some_rows(5, other))


def test_scoring_in_blocks_changes_no_score_and_reports_every_row() -> None:
    """Trees to the bit; the network, whose matrix products round by block, to 1e-5."""
    rows, told = some_rows(101), []
    whole = [model.logit(rows) for model in (trees(), blend())]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shared_model, "BLOCK_ROWS", 10)
        assert trees().logit(rows, told.append).tobytes() == whole[0].tobytes()
        np.testing.assert_allclose(blend().logit(rows), whole[1], rtol=0, atol=1e-5)
    assert (sum(told), len(told)) == (101, 11)


def test_an_applicants_file_is_checked_and_scored() -> None:
    """PD from raw texts; missing cells and undeclared levels have codes of their own."""
    pd_values = trees().score(FRAME)
    table = Table(
        SCHEMA,
        {
            "income": np.array([1.5, np.nan, 0.5, 9.0]),
            "region": np.array([0, 1, -1, 4], dtype=np.int16),
            "age": np.array([25.0, 35, 45, 55]),
            "purpose": np.array([0, 1, 0, 1], dtype=np.int16),
        },
        None,
        np.arange(4),
    )
    np.testing.assert_array_equal(pd_values, pd_of(trees().logit(table)))


def test_an_applicants_file_with_an_impossible_age_is_refused() -> None:
    """All findings are named before anything is scored."""
    with pytest.raises(OperatorError, match="age"):
        trees().score(FRAME.assign(age=["25", "35", "1e9", "55"]))


def test_pd_is_the_logistic_function_and_never_overflows() -> None:
    """From minus to plus infinity, without a warning."""
    logit = np.array([-np.inf, -800.0, -2.0, 0.0, 3.0, 800.0, np.inf])
    np.testing.assert_allclose(pd_of(logit)[2:5], 1 / (1 + np.exp(-logit[2:5])), rtol=1e-12)
    assert pd_of(logit)[[0, 1, 5, 6]].tolist() == [0.0, 0.0, 1.0, 1.0]


def test_parameters_are_the_learned_numbers_of_all_parts() -> None:
    """Leaves of every tree and weights of the network."""
    (network,) = (part.module for part in blend().parts if part.kind == "network")
    assert trees().parameters == 5 * 8
    assert blend().parameters == 5 * 8 + sum(p.numel() for p in network.parameters())
