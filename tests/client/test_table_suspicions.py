"""Warnings about a lender's own rows: traces of the outcome and odd bad rates."""

import numpy as np
import pytest

from client.check import suspicions
from shared.schema import Column, LabelContract, Schema, Table


def table(n=4000, *, rate=0.2, low=0.0, high=1.0, **columns):
    """Random labels with the given number columns; `leak` may use them."""
    random = np.random.default_rng(7)
    bad = (random.random(n) < rate).astype(np.int8)
    values = {name: make(bad, random) for name, make in columns.items()}
    kinds = {"int16": "category", "float64": "number"}
    declared = tuple(
        Column(
            name,
            kinds[str(array.dtype)],
            levels=tuple(map(str, range(50))) if array.dtype == np.int16 else (),
        )
        for name, array in values.items()
    )
    label = LabelContract("y", ("1",), ("0",), bad_rate_low=low, bad_rate_high=high)
    schema = Schema(1, declared, label, "id")
    return Table(schema, values, bad, np.arange(n).astype(str))


def noise(bad, random):
    return random.normal(size=len(bad))


def level_noise(bad, random):
    return random.integers(-1, 51, len(bad)).astype(np.int16)


@pytest.mark.parametrize("n", [300, 4000])
def test_noise_is_not_suspicious(n):
    """Fifty levels on three hundred rows have a large raw information value, all of it noise."""
    assert suspicions(table(n, a=noise, b=level_noise)) == ()


@pytest.mark.parametrize("sign", [1, -1])
def test_a_number_that_gives_the_outcome_away_is_named(sign):
    """In either direction."""
    (found,) = suspicions(table(a=noise, leak=lambda b, r: sign * (b + r.normal(0, 0.2, len(b)))))
    assert found.column == "leak"
    assert "AUC 0.9" in found.what or "AUC 1.0" in found.what


def test_auc_is_that_of_all_pairs():
    """The binned AUC is within a thousandth of the count over all pairs of rows."""
    data = table(a=lambda b, r: 3 * b + r.normal(size=len(b)))
    (found,) = suspicions(data)
    value, bad = data.values["a"], data.bad == 1
    exact = (value[bad][:, None] > value[~bad][None, :]).mean()
    assert float(found.what.split("AUC ")[1].split(",")[0]) == pytest.approx(exact, abs=2e-3)


def test_a_leak_by_missingness_is_named():
    """A value that is only there for charged-off loans."""
    (found,) = suspicions(table(leak=lambda b, r: np.where(b == 1, r.normal(size=len(b)), np.nan)))
    assert "leak" in found.what
    assert "information value" in found.what


def test_a_category_that_gives_the_outcome_away_is_named():
    """One finding lists all columns over the information value, strongest first."""
    (found,) = suspicions(
        table(
            weak=lambda b, r: np.where(r.random(len(b)) < 0.6, b, 1 - b).astype(np.int16),
            mid=lambda b, r: np.where(r.random(len(b)) < 0.8, b, 1 - b).astype(np.int16),
            leak=lambda b, r: b.astype(np.int16),
        )
    )
    assert "leak" in found.what
    assert found.what.index("leak") < found.what.index("mid")
    assert "weak" not in found.what


def test_a_bad_rate_outside_the_band_is_told():
    """The band is the label contract's."""
    (found,) = suspicions(table(low=0.01, high=0.1, a=noise))
    assert found.column == "y"
    assert "1.00% … 10.00%" in found.what
    assert suspicions(table(low=0.1, high=0.3, a=noise)) == ()


def test_too_few_of_a_class_say_nothing():
    """With thirty bad rows any measure is noise."""
    assert suspicions(table(1000, rate=0.03, leak=lambda b, r: b.astype(float))) == ()


def test_unlabelled_rows_say_nothing():
    """Applicants have no outcome to leak."""
    labelled = table(a=noise)
    assert suspicions(Table(labelled.schema, labelled.values, None, labelled.row_key)) == ()
