"""The stronger mode's numbers: they add up, and leave the asker's own out at home."""

import numpy as np
import pytest
from borrowing_worlds import CLASSES, DAY, events_drawn, events_of
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.borrowing.answer import answers
from shared.borrowing.asked import (
    ASKED_CELLS,
    ASKED_NAMES,
    MOST,
    UNKNOWN,
    asked_bands,
    batch_digest,
    own_counts,
)
from shared.borrowing.cells import PLACE
from shared.borrowing.events import Events
from shared.errors import InternalError, PeerError

SUBJECTS = np.array([2, UNKNOWN, 0, 1, 3])


def _own(events: Events, lender: int) -> np.ndarray:
    return own_counts(events.take(events.lender == lender), SUBJECTS, DAY)


@settings(max_examples=15, deadline=None)
@given(events_drawn(), st.integers(0, len(CLASSES) - 1))
def test_the_total_less_the_askers_part_is_the_plain_answer(events: Events, asker: int) -> None:
    """Every count of all lenders together, in bands, and no record where others have none."""
    own = [_own(events, lender) for lender in range(len(CLASSES))]
    found = asked_bands(np.sum(own, axis=0), own[asker])
    wanted = answers(events, SUBJECTS, DAY, asker, CLASSES)
    assert np.array_equal(found, wanted[:, [PLACE[name] for name in ASKED_NAMES[:-1]]])


def test_two_askers_of_one_token_cannot_be_subtracted_from_each_other() -> None:
    """Control: had askers added zeros, two totals less each other are one lender's own counts."""
    events = events_of(4, 400, 4)
    own = [_own(events, lender) for lender in range(len(CLASSES))]
    first, second = (
        sum(part for lender, part in enumerate(own) if lender != asker) for asker in (2, 5)
    )
    assert np.array_equal(first + own[2] - second, own[5])
    assert own[5].any()
    totals = [np.sum(own, axis=0) for _ in (2, 5)]
    assert not (totals[0] - totals[1]).any()


def test_a_count_is_cut_where_a_band_has_long_ended() -> None:
    """So no total of any number of lenders overflows."""
    rows = [(0, 0, DAY - 1, 0, 0, 0, 0, number) for number in range(300)]
    own = own_counts(Events.of(rows), np.array([0]), DAY)
    assert own.max() == MOST
    assert len(own) == ASKED_CELLS


def test_a_member_answers_from_its_own_events_only() -> None:
    """Somebody else's in hand is our own fault, and told."""
    with pytest.raises(InternalError):
        own_counts(events_of(1, 50, 3), SUBJECTS, DAY)
    assert not own_counts(Events.of([]), SUBJECTS, DAY).any()


def test_totals_that_cannot_be_are_refused() -> None:
    """Too short, or less than the own part in it."""
    own = np.ones(ASKED_CELLS, dtype=np.int64)
    for total in (own[:-1], own - 1):
        with pytest.raises(PeerError):
            asked_bands(total, own)


def test_a_batch_is_named_by_all_it_asks() -> None:
    """Ledger, tokens, their order and the day; a token twice is refused."""
    tokens = [bytes([at]) * 32 for at in range(3)]
    named = {
        batch_digest(b"l" * 16, tokens, DAY),
        batch_digest(b"m" * 16, tokens, DAY),
        batch_digest(b"l" * 16, tokens, DAY + 1),
        batch_digest(b"l" * 16, tokens[::-1], DAY),
    }
    assert len(named) == 4
    for wrong in (tokens + tokens[:1], [b"short"]):
        with pytest.raises(PeerError):
            batch_digest(b"l" * 16, wrong, DAY)
