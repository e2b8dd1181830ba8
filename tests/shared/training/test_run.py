"""A run is a pure fold: equal totals, equal copies; anything that is no total changes nothing."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import InternalError, PeerError
from shared.model.structure import Structure, draw
from shared.training import boosting
from shared.training.agreement import Agreement, Family
from shared.training.run import Run
from tests.shared.training.synthetic_book import (
    SCHEMA,
    Conducted,
    Vector,
    answer,
    conduct,
    lender,
    make_book,
    spread,
)

BOOK = make_book(300)
TERMS = Agreement("run", SCHEMA, rounds=2, seed=3)
FAMILIES: tuple[Family, ...] = ("boosted", "network", "blend")


@lru_cache(maxsize=3)
def conducted(family: Family) -> Conducted:
    """Three lenders, to the end."""
    rounds = 2 if family == "boosted" else 1
    terms = replace(TERMS, family=family, rounds=rounds)
    return conduct(terms, spread(BOOK, np.arange(BOOK.rows) % 3, 3, terms))


def replayed(family: Family, totals: list[Vector]) -> Run:
    run = Run(conducted(family).run.agreement)
    for total in totals:
        run.absorb(total)
    return run


def observed(run: Run) -> tuple[object, ...]:
    """Everything a refused total must leave as it was."""
    question = None if run.finished else run.question()
    state = (run.preparation.census, run.preparation.transform, run.mixture, run.evaluation)
    return run.digest, run.absorbed, question, run.finished, run.trained, *state


@pytest.mark.parametrize("family", FAMILIES)
def test_copies_that_fold_the_same_totals_are_equal(family: Family) -> None:
    """Digest, number of totals, logits and evaluation; a lender's answers need not be asked."""
    ours = conducted(family)
    copy = replayed(family, ours.totals)
    assert (copy.digest, copy.absorbed) == (ours.run.digest, len(ours.totals))
    assert copy.finished
    fresh = lender(BOOK, copy.agreement)
    logit = ours.logits()
    expected = np.array([logit[str(key)] for key in BOOK.row_key])
    np.testing.assert_allclose(copy.logit(fresh), expected, rtol=0, atol=1e-5)
    if family == "boosted":
        assert copy.logit(fresh).tobytes() == expected.tobytes()
    assert copy.evaluation is not None
    assert ours.run.evaluation is not None
    np.testing.assert_array_equal(copy.evaluation.shared, ours.run.evaluation.shared)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_run_asks_as_many_questions_as_it_said(family: Family) -> None:
    """`steps` is known after the preparation and counts all stages, each of another name."""
    totals, stages = conducted(family).totals, []
    run = Run(conducted(family).run.agreement)
    for total in totals:
        stages.append(run.question().stage)
        run.absorb(total)
    assert stages[:3] == ["census", "refine", "bins"]
    assert stages[-3:] == ["mixture", "evaluation", "close"]
    assert run.steps == len(totals) == len(set(stages))
    with pytest.raises(InternalError, match="over"):
        run.question()
    with pytest.raises(InternalError, match="over"):
        run.absorb(totals[-1])


@settings(max_examples=40)
@given(st.data())
def test_any_changed_value_of_a_total_changes_the_digest(data: st.DataObject) -> None:
    """One more or less at any place of any total, and no later total can hide it."""
    totals = conducted("boosted").totals
    stage = data.draw(st.integers(0, len(totals) - 2))
    place = data.draw(st.integers(0, len(totals[stage]) - 1))
    bent = totals[stage].copy()
    bent[place] += 1
    ours, theirs = replayed("boosted", totals[:stage]), replayed("boosted", totals[:stage])
    ours.absorb(totals[stage])
    try:
        theirs.absorb(bent)
    except PeerError:
        assert stage == 0  # a census that so many lenders cannot have
        return
    assert ours.digest != theirs.digest
    # What follows is chained to it, as long as the bent copy still asks for the same lengths.
    for total in totals[stage + 1 :]:
        if theirs.question().length != len(total):
            break
        ours.absorb(total)
        theirs.absorb(total)
        assert ours.digest != theirs.digest


def test_the_digest_follows_the_agreement_before_any_total() -> None:
    """Runs under other terms never share a digest."""
    variants = [TERMS, replace(TERMS, seed=4), replace(TERMS, name="other"), TERMS]
    digests = [Run(terms).digest for terms in variants]
    assert digests[0] == digests[3]
    assert len(set(digests)) == 3


def test_the_order_of_totals_counts() -> None:
    """Two rounds' totals of equal length, swapped, give another digest."""
    totals = conducted("boosted").totals
    run, swapped = replayed("boosted", totals[:3]), replayed("boosted", totals[:3])
    for total in totals[3:5]:
        run.absorb(total)
    for total in (totals[4], totals[3]):
        swapped.absorb(total)
    assert run.digest != swapped.digest


def test_a_copy_that_draws_other_trees_from_the_same_totals_is_told_apart() -> None:
    """Steering is floating point: should a machine round it otherwise, the digest shows it."""
    totals = conducted("boosted").totals[:4]

    def bent_draw(*given: Any) -> Structure:
        structure = draw(*given)
        structure.threshold[-1, -1] ^= 1
        return structure

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(boosting, "draw", bent_draw)
        bent = replayed("boosted", totals)
    assert bent.absorbed == replayed("boosted", totals).absorbed
    assert bent.digest != replayed("boosted", totals).digest


WRONG: dict[str, Callable[[Vector], np.ndarray]] = {
    "short": lambda total: total[:-1],
    "long": lambda total: np.append(total, 0),
    "float": lambda total: total.astype(np.float64),
    "matrix": lambda total: total[None, :],
    "bool": lambda total: total.astype(bool),
    "over the ring": lambda total: np.where(np.arange(len(total)) == 0, 2**31, total),
    "under the ring": lambda total: np.where(np.arange(len(total)) == 0, -(2**31), total),
    "smallest": lambda total: np.where(np.arange(len(total)) == 0, -(2**63), total),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_no_total_is_refused_and_changes_nothing(family: Family, wrong: str) -> None:
    """At every stage: PeerError, all state as before, and the right total still fits."""
    totals = conducted(family).totals
    run = Run(conducted(family).run.agreement)
    for total in totals:
        if len(total):
            before = observed(run)
            with pytest.raises(PeerError):
                run.absorb(WRONG[wrong](total))
            assert observed(run) == before
        run.absorb(total)
    assert run.digest == conducted(family).run.digest


def test_a_total_that_a_stage_itself_refuses_changes_nothing_either() -> None:
    """One class in the census; a network total without rows, or with a negative root."""
    for family, stage, place, value in (
        ("boosted", 0, 1, 0),
        ("boosted", 1, 0, -1),
        ("network", 3, -1, 0),
        ("network", 3, -1, -5),
        ("network", 3, -2, -5),
    ):
        totals = conducted(family).totals
        run = replayed(family, totals[:stage])
        before = observed(run)
        wrong = totals[stage].copy()
        wrong[place] = value
        with pytest.raises(PeerError):
            run.absorb(wrong)
        assert observed(run) == before
        run.absorb(totals[stage])
        assert run.absorbed == stage + 1


def test_nothing_is_handed_out_before_its_time() -> None:
    """No logit before training, no model before its end, no steps before the census."""
    run = Run(TERMS)
    rows = lender(BOOK, TERMS)
    assert run.steps is None
    for hand_out in (lambda: run.logit(rows), run.model):
        with pytest.raises(InternalError, match="before"):
            hand_out()
    started = replayed("boosted", conducted("boosted").totals[:4])
    assert not started.trained
    with pytest.raises(InternalError, match="before"):
        started.model()


def test_answering_changes_no_copy() -> None:
    """Questions may be answered any number of times between two totals."""
    totals = conducted("boosted").totals
    run = Run(TERMS)
    rows = lender(BOOK, TERMS)
    for total in totals:
        before = observed(run)
        first, again = answer(run, rows), answer(run, rows)
        assert first.tobytes() == again.tobytes()
        assert observed(run) == before
        run.absorb(total)
