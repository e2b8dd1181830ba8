"""A small consortium's trees are cut where summed validation losses say so, and nowhere else."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from shared.errors import InternalError
from shared.model.saved import from_files, to_files
from shared.training.agreement import Agreement
from shared.training.blended import BlendFamily
from shared.training.boosted import SMALL_ROWS, BoostedFamily
from shared.training.census import Census
from shared.training.cut import EVERY, cut_from, cut_points
from shared.training.preparation import MOST_LOSS
from shared.training.run import Run
from tests.shared.training.synthetic_book import (
    SCHEMA,
    Conducted,
    conduct,
    lender,
    make_book,
    spread,
    total_of,
)

BOOK = make_book(400)
TERMS = Agreement("cut", SCHEMA, seed=3)
PREPARED = 3
"""Totals before the first tree."""
CENSUS = Census(rows=SMALL_ROWS, bad=900, validation=900, test=900, test_bad=90, lenders=5,
                largest=8191)  # fmt: skip


@lru_cache(maxsize=1)
def conducted() -> Conducted:
    """Three lenders by the recipe, to the end."""
    return conduct(TERMS, spread(BOOK, np.arange(BOOK.rows) % 3, 3, TERMS))


@lru_cache(maxsize=1)
def place_of_the_cut() -> int:
    """How many totals come before it."""
    run = Run(TERMS)
    for before, total in enumerate(conducted().totals):
        if run.question().stage == "cut":
            return before
        run.absorb(total)
    raise AssertionError("the cut was not asked for")


def cut_at(total: NDArray[np.int64]) -> Run:
    """A copy that was told this total of losses."""
    run = Run(TERMS)
    for absorbed in conducted().totals[: place_of_the_cut()]:
        run.absorb(absorbed)
    run.absorb(total)
    return run


def never_longer(rounds: int) -> Run:
    """A run whose agreement has so many rounds: the same trees, and none of the later ones."""
    run = Run(replace(TERMS, rounds=rounds))
    for total in conducted().totals[: PREPARED + rounds]:
        run.absorb(total)
    return run


def losses(run: Run) -> float:
    """Summed log loss of all validation rows, each cut off at 16."""
    rows = lender(BOOK, TERMS)
    chosen = rows.roles.validation
    sign = np.where(rows.bad[chosen] == 1, -1.0, 1.0)
    return float(np.minimum(np.logaddexp(0.0, sign * run.logit(rows)[chosen]), MOST_LOSS).sum())


def kept(run: Run) -> int:
    """Rounds of trees in the model."""
    assert isinstance(run.family, BoostedFamily)
    return run.family.points[-1]


def test_the_cut_is_asked_once_after_the_last_tree() -> None:
    """As losses, of one number for each place to cut."""
    run = Run(TERMS)
    for total in conducted().totals[: place_of_the_cut()]:
        run.absorb(total)
    question = run.question()
    assert not run.trained
    assert (question.kind, question.clip, question.length) == ("losses", 16.0, 21)
    assert place_of_the_cut() == PREPARED + cut_points(120)[-1]
    assert conducted().run.steps == len(conducted().totals)


def test_its_total_is_the_loss_of_every_shorter_model() -> None:
    """As if each model had been trained with so many rounds from the start."""
    total = conducted().totals[place_of_the_cut()]
    scale = 2.0 ** (12 - 4)
    for number in (0, 7, 20):
        naive = losses(never_longer(cut_points(120)[number]))
        assert total[number] / scale == pytest.approx(naive, abs=3 * 0.5 / scale)


def test_the_model_is_the_one_of_least_loss_and_no_trace_of_later_trees() -> None:
    """Logits are those of a run that never had the later rounds, bit for bit."""
    ours = conducted()
    total = ours.totals[place_of_the_cut()]
    rounds = cut_points(120)[int(np.argmin(total))]
    assert kept(ours.run) == rounds < 120
    rows = lender(BOOK, TERMS)
    expected = never_longer(rounds).logit(rows).tobytes()
    assert ours.run.logit(lender(BOOK, TERMS)).tobytes() == expected
    assert ours.run.model().parameters == 20 * rounds * 2**4


@pytest.mark.parametrize("number", [0, 19, 20])
def test_a_lender_that_trained_on_later_trees_forgets_them(number: int) -> None:
    """Its rows hold logits of all trees but the last round's; what it scores is the cut model."""
    losses_told = np.full(21, 900, dtype=np.int64)
    losses_told[number] = 100
    run, rows = Run(TERMS), lender(BOOK, TERMS)
    for total in conducted().totals[: place_of_the_cut()]:
        run.answer(rows)
        run.absorb(total)
    run.answer(rows)
    assert rows.boosting is not None
    assert rows.boosting.trees == 2380
    run.absorb(losses_told)
    assert kept(run) == cut_points(120)[number]
    expected = cut_at(losses_told).logit(lender(BOOK, TERMS))
    assert run.logit(rows).tobytes() == expected.tobytes()
    assert rows.boosting.trees == 20 * cut_points(120)[number]


def test_a_cut_model_is_saved_and_read_back_as_it_is() -> None:
    """Shapes follow the trees that were kept."""
    model = cut_at(np.arange(900, 921, dtype=np.int64)).model()
    again = from_files(to_files(model))
    assert again.parameters == model.parameters == 20 * 40 * 2**4
    assert again.logit(BOOK).tobytes() == model.logit(BOOK).tobytes()


def test_the_learning_curve_ends_where_the_model_does() -> None:
    """Its last point is the finished model's counts."""
    found = conducted().run.evaluation
    assert found is not None
    assert found.learning[-1].round == kept(conducted().run)
    np.testing.assert_array_equal(found.learning[-1].histogram, found.shared)


def test_without_validation_rows_half_the_rounds_are_kept() -> None:
    """No loss speaks for or against any tree."""
    terms = replace(TERMS, validation_share=0.0)
    run, lenders = Run(terms), [lender(BOOK, terms)]
    while not run.trained:
        run.absorb(total_of(run, lenders))
    assert kept(run) == 60


def test_agreed_rounds_are_kept_and_not_asked_about() -> None:
    """Whoever sets the rounds gets them."""
    run = never_longer(6)
    assert run.trained
    assert run.question().stage == "mixture"
    assert kept(run) == 6


@pytest.mark.parametrize("rows", [SMALL_ROWS, SMALL_ROWS + 1])
def test_larger_consortia_are_not_asked(rows: int) -> None:
    """Their recipe is the demo's: eighty rounds, all kept."""
    transform = conducted().run.preparation.transform
    assert transform is not None
    family = BoostedFamily(transform, replace(CENSUS, rows=rows), seed=1)
    assert (family.steps, family.points[-1]) == (80, 80)
    small = BoostedFamily(transform, replace(CENSUS, rows=SMALL_ROWS - 1), seed=1)
    assert (small.steps, small.points[-1]) == (121, 120)


def test_a_blend_cuts_its_trees_before_the_network_begins() -> None:
    """So the mixture weighs the trees as they will be."""
    transform = conducted().run.preparation.transform
    assert transform is not None
    family = BlendFamily(transform, replace(CENSUS, rows=300, bad=100), seed=1)
    asked = [family.question()]
    while not asked[-1].stage.startswith("network/"):
        family.absorb(np.zeros(asked[-1].length, dtype=np.int64))
        asked.append(family.question())
    assert [question.stage for question in asked[-3:]] == ["trees/119", "cut", "network/0"]


@given(st.integers(1, 10_000))
def test_places_to_cut_begin_at_a_third_and_end_at_the_end(rounds: int) -> None:
    """Ascending, none more than four rounds after the one before."""
    points = cut_points(rounds)
    assert rounds / 3 <= points[0] < rounds / 3 + 1
    assert points[-1] == rounds
    steps = np.diff(points)
    assert ((steps > 0) & (steps <= EVERY)).all()


@given(st.lists(st.integers(0, 5), min_size=21, max_size=21))
def test_the_fewest_rounds_of_least_loss_are_kept(told: list[int]) -> None:
    """Half where all losses are nought: then there are no validation rows."""
    total = np.array(told, dtype=np.int64)
    rounds = cut_from(total, 120)
    if total.any():
        assert rounds == min(p for p, loss in zip(cut_points(120), told, strict=True)
                             if loss == min(told))  # fmt: skip
    else:
        assert rounds == 60


def test_trees_are_not_cut_while_they_grow() -> None:
    """Nor to none, nor to more than there are."""
    run = never_longer(5)
    assert isinstance(run.family, BoostedFamily)
    boosting = run.family._boosting
    for rounds in (0, 6):
        with pytest.raises(InternalError, match="cannot cut"):
            boosting.cut(rounds)
    growing = BoostedFamily(run.model().transform, CENSUS, seed=1)._boosting
    with pytest.raises(InternalError, match="cannot cut"):
        growing.cut(1)


def test_the_first_trees_are_a_model_of_their_own() -> None:
    """They score as the whole does up to there, and changing them leaves the whole alone."""
    run = never_longer(5)
    (part,) = run.model().parts
    few = part.module.first(40)
    codes = torch.from_numpy(run.model().transform.codes(BOOK))
    np.testing.assert_array_equal(few(codes).numpy(), never_longer(2).logit(lender(BOOK, TERMS)))
    before = part.module(codes).clone()
    few.leaf[:] = 9.0
    torch.testing.assert_close(part.module(codes), before, rtol=0, atol=0)
