"""Batches and answers of the stronger mode: one size, bound to all they are about, signed."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from borrowing_worlds import CLASSES, DAY, events_drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.borrowing.asked import MOST, own_counts
from shared.borrowing.batch import (
    BATCH,
    NUMBERS,
    Batch,
    check_answer,
    check_batch,
    made_answer,
    made_batch,
    read_answer,
    read_batch,
    rows_name,
)
from shared.borrowing.event_row import ROW, check_rows, events_of
from shared.borrowing.events import Events
from shared.errors import OperatorError, PeerError
from shared.secure_sum.encoding import text_of
from shared.training.asked_run import CLOSE, AskedRun, AskedTerms, terms_from
from tests.blacklist_members import member
from tests.identities import fixed_random

ASKER, COORDINATOR = member("L01"), member("C", "coordinator")
LENDERS = ("L01", "L02", "L03", "L04")


def batch_of(tokens: list[bytes], **changes: object) -> Batch:
    about = {"context": "Five lenders", "epoch": 1, "day": DAY} | changes
    return made_batch(**about, asker=ASKER, tokens=tokens, random=fixed_random("batch"))  # type: ignore[arg-type]


def terms_of(batch: Batch, **changes: object) -> AskedTerms:
    return replace(AskedTerms("one", "demo", 4, batch), **changes)  # type: ignore[arg-type]


@settings(max_examples=20, deadline=None)
@given(st.sets(st.binary(min_size=32, max_size=32), min_size=1, max_size=BATCH))
def test_a_batch_is_of_one_size_whoever_is_asked_about(tokens: set[bytes]) -> None:
    """One text length, tokens in order, and what was read is what was written."""
    batch = batch_of(sorted(tokens))
    assert tokens <= {*batch.tokens}
    assert list(batch.tokens) == sorted(batch.tokens)
    assert len(text_of(batch)) == len(text_of(batch_of([b"a" * 32])))
    assert read_batch(text_of(batch)) == batch
    check_batch(batch, ASKER.member)
    other = batch_of([b"b" * 32], day=DAY + 9, epoch=2)
    assert rows_name(batch.context) == rows_name(other.context)  # whatever is asked, when
    assert rows_name(batch.context) != rows_name(batch_of([b"b" * 32], context="Others").context)


def test_too_many_tokens_or_none_make_no_batch() -> None:
    """Control: as many as it holds do."""
    tokens = [bytes([at]) * 32 for at in range(BATCH + 1)]
    for wrong in (tokens, []):
        with pytest.raises(OperatorError):
            batch_of(wrong)
    assert batch_of(tokens[:-1]).tokens == tuple(tokens[:-1])


@pytest.mark.parametrize(
    "changes",
    [{"day": DAY + 1}, {"epoch": 2}, {"context": "Others"}, {"asker": "L02"}, {"tokens": ()}],
)
def test_a_batch_is_bound_to_all_it_is_about(changes: dict[str, object]) -> None:
    """Changed after it was signed, it has another name and is nobody's; control: unchanged."""
    batch = batch_of([b"a" * 32])
    check_batch(batch, ASKER.member)
    if "tokens" in changes:
        changes = {"tokens": tuple(sorted((*batch.tokens[1:], b"\xff" * 32)))}
    other = replace(batch, **changes)  # type: ignore[arg-type]
    assert other.digest != batch.digest
    assert terms_of(other).digest() != terms_of(batch).digest()
    with pytest.raises(PeerError):
        check_batch(other, ASKER.member)


def test_what_is_no_batch_or_answer_is_refused() -> None:
    """Sizes, order, numbers that cannot be, too few lenders, another batch's."""
    batch = batch_of([b"a" * 32])
    for changes in (
        {"tokens": batch.tokens[1:]}, {"tokens": batch.tokens[::-1]}, {"epoch": 0}, {"day": -1},
        {"asker": "../x"}, {"context": ""},
    ):  # fmt: skip
        with pytest.raises(PeerError):
            replace(batch, **changes)  # type: ignore[arg-type]
    total = np.full(NUMBERS, 4 * MOST)
    answer = made_answer(batch, LENDERS, total, COORDINATOR)
    assert np.array_equal(read_answer(text_of(answer)).numbers, total)
    check_answer(answer, COORDINATOR.member, batch.digest)
    with pytest.raises(PeerError, match="another batch"):
        check_answer(answer, COORDINATOR.member, b"x" * 32)
    with pytest.raises(PeerError):
        check_answer(
            replace(answer, lenders=(*LENDERS[1:], "L05")), COORDINATOR.member, batch.digest
        )
    for wrong in (total + 1, total[1:], -total):
        with pytest.raises(PeerError):
            made_answer(batch, LENDERS, wrong, COORDINATOR)
    with pytest.raises(PeerError, match="fewer than 4"):
        made_answer(batch, LENDERS[1:], total // 2, COORDINATOR)
    for text in (b"", b"{", b"x" * 100_000, text_of(batch)[:-1]):
        with pytest.raises(PeerError):
            read_batch(text)


def test_terms_are_read_as_written_and_never_of_fewer_than_four_lenders() -> None:
    """Their digest names the batch; production's floor is five."""
    terms = terms_of(batch_of([b"a" * 32]))
    assert terms_from(json.loads(json.dumps(terms.to_dict()))) == terms
    with pytest.raises(OperatorError):
        replace(terms, minimum_lenders=3)
    with pytest.raises(OperatorError):
        replace(terms, profile="production")
    good = terms.to_dict()
    for changes in ({"asked": "!"}, {"asked": 3}, {"anew": 1}, {"profile": "none"}, {"more": 1}):
        with pytest.raises(PeerError):
            terms_from(good | changes)


def test_lenders_are_told_nothing_of_a_total() -> None:
    """A copy that was told comes to the same state as one that absorbed the total."""
    terms = terms_of(batch_of([b"a" * 32]))
    here, there = AskedRun(terms), AskedRun(terms)
    total = np.arange(NUMBERS) % MOST
    here.absorb(total)
    there.absorb(here.told(total))
    assert here.digest == there.digest != AskedRun(terms).digest
    assert there.question().stage == CLOSE
    assert there.total is None
    assert np.array_equal(here.total, total)
    with pytest.raises(PeerError):
        AskedRun(terms).absorb(total[1:])


@settings(max_examples=15, deadline=None)
@given(events_drawn(), st.integers(0, len(CLASSES) - 1))
def test_rows_under_tokens_count_as_the_events_they_were(events: Events, lender: int) -> None:
    """Whatever their order, and given twice."""
    mine = events.take(events.lender == lender)
    rows = np.zeros(len(mine), ROW)
    for at, row in enumerate(rows):
        row["subject"] = np.frombuffer(int(mine.subject[at] + 1).to_bytes(32, "big"), np.uint8)
        row["reference"] = np.frombuffer(int(mine.reference[at]).to_bytes(16, "big"), np.uint8)
        for name in ("day", "kind", "id_kind", "bits", "band"):
            row[name] = getattr(mine, name)[at]
    twice = np.concatenate([rows[::-1], rows]).astype(ROW)
    again, subjects = events_of(twice)
    asked = np.array([2, 0, 1, 3])
    place = {token: at for at, token in enumerate(subjects)}
    found = np.array([place.get(int(one + 1).to_bytes(32, "big"), -1) for one in asked])
    wanted = np.where(np.isin(asked, mine.subject), asked, -1)
    assert np.array_equal(own_counts(again, found, DAY), own_counts(mine, wanted, DAY))


def test_rows_out_of_range_are_refused() -> None:
    """Control: one within it is not."""
    row = np.zeros(1, ROW)
    row["subject"], row["day"] = 1, DAY
    check_rows(row)
    row["kind"] = 9
    with pytest.raises(PeerError):
        check_rows(row)
