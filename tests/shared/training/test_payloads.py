"""What each stage carries, and that no lender's numbers outgrow its share of the ring."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from server.simulation.partition import partition
from shared.errors import OperatorError, PeerError
from shared.secure_sum.fixed_point import from_ring, lender_bits, to_ring
from shared.training.agreement import Agreement, Family
from shared.training.boosting import BoostingRows
from shared.training.question import fraction_bits
from shared.training.rows import LenderRows
from shared.training.run import Run
from tests.shared.training.synthetic_book import SCHEMA, Vector, answer, make_book, spread

BOOK = make_book(400)
TERMS = Agreement("payloads", SCHEMA, seed=3)
FAMILIES: tuple[Family, ...] = ("boosted", "network", "blend")
KINDS = {
    "census": ("counts", 1.0),
    "refine": ("counts", 1.0),
    "bins": ("counts", 1.0),
    "trees": ("gradients", 1.0),
    "network": ("weights", 16.0),
    "blend": ("losses", 16.0),
    "mixture": ("losses", 16.0),
    "evaluation": ("counts", 1.0),
    "close": ("counts", 1.0),
}


def stages(terms: Agreement, lenders: list[LenderRows]) -> Iterator[tuple[Run, list[Vector]]]:
    """Before every total: the run, and all lenders' own answers."""
    run = Run(terms)
    while not run.finished:
        answers = [answer(run, rows) for rows in lenders]
        yield run, answers
        run.absorb(np.sum(answers, axis=0))


def dealt(terms: Agreement, lenders: int = 3) -> list[LenderRows]:
    return spread(BOOK, np.arange(BOOK.rows) % lenders, lenders, terms)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_stage_says_what_its_numbers_are(family: Family) -> None:
    """Kind and clip of each; the last one carries nothing at all."""
    terms = replace(TERMS, family=family, rounds=5)
    for run, answers in stages(terms, dealt(terms)):
        question = run.question()
        assert (question.kind, question.clip) == KINDS[question.stage.split("/")[0]]
        if question.stage == "close":
            assert question.length == 0
            assert all(vector.size == 0 for vector in answers)


@pytest.mark.parametrize("family", FAMILIES)
def test_training_stages_carry_nothing_of_rows_that_do_not_train(family: Family) -> None:
    """With all test and validation labels turned, gradients and weights are the same bytes.

    The evaluation, the control, is not.
    """
    terms = replace(TERMS, family=family, rounds=5)
    lenders = dealt(terms)
    for run, answers in stages(terms, lenders):
        kind = run.question().kind
        turned = [answer(run, flipped(rows)) for rows in lenders]
        same = all(a.tobytes() == b.tobytes() for a, b in zip(answers, turned, strict=True))
        if kind in ("gradients", "weights"):
            assert same
        if run.question().stage == "evaluation":
            assert not same


def flipped(rows: LenderRows) -> LenderRows:
    bad = rows.bad.copy()
    for role in (rows.roles.test, rows.roles.validation):
        bad[role] = 1 - bad[role]
    return LenderRows(replace(rows.table, bad=bad), rows.roles, rows.secret)


@pytest.mark.parametrize("family", FAMILIES)
def test_training_stages_hold_leaf_sums_or_weights_and_no_more(family: Family) -> None:
    """2 · trees · leaves; three numbers a weight, two masses, the rows."""
    terms = replace(TERMS, family=family, rounds=5)
    lengths: dict[str, set[int]] = {}
    for run, _ in stages(terms, dealt(terms)):
        question = run.question()
        lengths.setdefault(question.stage.split("/")[0], set()).add(question.length)
    if family != "network":
        assert lengths["trees"] == {2 * 20 * 2**4}
    if family != "boosted":
        (length,) = lengths["network"]
        (part,) = (p for p in run.model().parts if p.kind == "network")
        assert length == 3 * sum(p.numel() for p in part.module.parameters()) + 3


owners_of_rows = st.integers(1, 6).flatmap(
    lambda n: st.tuples(
        st.just(n), st.lists(st.integers(0, n - 1), min_size=400, max_size=400).map(np.array)
    )
)


def assert_within_their_share(terms: Agreement, lenders: list[LenderRows]) -> None:
    """Every answer fits `lender_bits`, and the ring's total is the plain one."""
    bits = lender_bits(len(lenders))
    for run, answers in stages(terms, lenders):
        total = np.zeros(run.question().length, dtype=np.uint32)
        for vector in answers:
            total += to_ring(vector, bits)
        np.testing.assert_array_equal(from_ring(total), np.sum(answers, axis=0))


@settings(max_examples=8, deadline=None)
@given(owners_of_rows)
def test_any_lenders_answers_fit_its_share_of_the_ring(
    dealt_out: tuple[int, NDArray[np.int64]],
) -> None:
    """In every stage, however rows are spread."""
    lenders, owners = dealt_out
    terms = replace(TERMS, rounds=2)
    assert_within_their_share(terms, spread(BOOK, owners, lenders, terms))


@pytest.mark.parametrize("family", FAMILIES)
def test_one_large_lender_among_many_empty_ones_fits(family: Family) -> None:
    """All rows at one of forty lenders, in every stage of every family."""
    terms = replace(TERMS, family=family, rounds=2)
    assert_within_their_share(terms, spread(BOOK, np.zeros(BOOK.rows, dtype=int), 40, terms))


def worst_leaf(rows: int, bits: int) -> int:
    """The largest gradient sum so many rows can have: all bad, all thought good, in one leaf."""
    terms = replace(TERMS, rounds=1)
    run = Run(terms)
    for _ in range(3):
        run.absorb(np.sum([answer(run, r) for r in dealt(terms)], axis=0))
    boosting = run.family._boosting
    codes = np.zeros((len(SCHEMA.columns), rows), dtype=np.uint8)
    state = BoostingRows(codes, np.full(rows, -40.0))
    vector = boosting.answer(state, np.ones(rows, dtype=np.int8), np.arange(rows), bits)
    return int(np.abs(vector).max())


@pytest.mark.parametrize("lenders", [3, 2**9, 2**13])
def test_the_worst_rows_of_the_largest_lender_fit_and_could_not_with_one_bit_more(
    lenders: int,
) -> None:
    """Where bits are scarce; where the usual twelve fit, there is room to spare."""
    room, largest = 2 ** (lender_bits(lenders) - 1), 2**12 - 1
    bits = fraction_bits(largest, lenders)
    worst = worst_leaf(largest, bits)
    assert worst == largest * 2**bits
    assert worst < room
    assert (2 * (worst + 2**bits) > room) == (lenders > 3)


def test_a_total_that_no_ring_can_carry_is_refused_before_training() -> None:
    """A census of too many rows a lender; such a table, at its lender, is too."""
    terms = replace(TERMS, rounds=1)
    run, lenders = Run(terms), dealt(terms)
    total = np.sum([answer(run, rows) for rows in lenders], axis=0)
    head = total[:37]
    head[5:] = 0
    head[5 + 29] = 3
    head[0] = 3 * 2**28
    with pytest.raises(PeerError, match="32-bit"):
        run.absorb(total)
    with pytest.raises(OperatorError, match="bits"):
        to_ring(np.array([2**28]), lender_bits(12))


def test_uneven_spreads_train_the_same_model_with_the_same_bits() -> None:
    """Three lenders or nine, even or not: the fraction bits of every stage agree."""
    seen = set()
    for lenders in (3, 9):
        owners = partition("dirichlet", BOOK.rows, lenders, seed=1, label=BOOK.bad, alpha=0.3)
        terms = replace(TERMS, rounds=1)
        run_stages = stages(terms, spread(BOOK, owners, lenders, terms))
        seen.add(tuple(run.question().fraction_bits for run, _ in run_stages))
    assert seen == {(0, 0, 0, 12, 8, 0, 0)}
