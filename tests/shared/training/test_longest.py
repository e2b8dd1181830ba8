"""The longest answer is known before a run, and one that no message carries is refused there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from shared.errors import OperatorError
from shared.schema import Column, Schema
from shared.training.longest import check_longest, longest_stage
from shared.wire.arrays import pack_words
from shared.wire.bounds import MOST_BYTES, MOST_REPLY, MOST_VALUES
from tests.shared.training.test_payloads import FAMILIES, TERMS, Family, dealt, stages

GROWING = ("census", "refine", "bins", "trees", "network")
"""Stages whose length follows from the schema."""


@pytest.mark.parametrize("family", FAMILIES)
def test_no_stage_is_longer_than_was_known_before(family: Family) -> None:
    """Of a whole run of each family; and the bound is no more than ten times what it asks."""
    terms = replace(TERMS, family=family, rounds=5)
    lengths = {
        run.question().stage.split("/")[0]: run.question().length
        for run, _ in stages(terms, dealt(terms))
    }
    stage, most = longest_stage(terms)
    assert max(lengths[one] for one in GROWING if one in lengths) <= most <= 10 * lengths[stage]


def wide(columns: int) -> Schema:
    numbers = [Column(f"n{number:05d}", "number") for number in range(columns)]
    levels = tuple(f"l{number:02d}" for number in range(99))
    return replace(
        TERMS.schema, columns=(*numbers, Column("c", "category", levels=levels)), time=None
    )


def test_a_run_whose_answers_no_message_carries_is_refused() -> None:
    """With what makes it too long; trees over the same schema are fine, and the network over a
    smaller one: the controls.
    """
    terms = replace(TERMS, schema=wide(1000), family="network")
    with pytest.raises(OperatorError, match="stage network may have") as told:
        check_longest(terms, MOST_VALUES)
    assert "boosted" in told.value.remedy
    check_longest(replace(terms, schema=wide(500)), MOST_VALUES)
    check_longest(replace(terms, family="boosted"), MOST_VALUES)
    with pytest.raises(OperatorError, match="stage census may have"):
        check_longest(replace(terms, family="boosted", schema=wide(1500)), MOST_VALUES)


def test_the_longest_answer_fits_what_is_taken() -> None:
    """With its header in the bound of a vector, and that with the rest in the bound of a reply."""
    data = len(pack_words(np.zeros(1000, dtype=np.uint32))["values"].data)
    assert data - 4000 + 4 * MOST_VALUES <= MOST_BYTES < MOST_REPLY
