"""Counts against plain loops, and what they must not depend on."""

import numpy as np
import pytest
from borrowing_worlds import CLASSES, DAY, events_drawn, events_of
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_borrowing import naive_band, naive_tally

from shared.borrowing.answer import answers, no_record
from shared.borrowing.cells import CELL_NAMES, CELLS, PLACE, banded
from shared.borrowing.events import Events, kept
from shared.borrowing.records import records_of
from shared.borrowing.tally import NOBODY, Asked, Told, tally
from shared.borrowing.terms import NO_RECORD, IdKind, Kind
from shared.errors import PeerError

ASKERS = st.integers(-1, len(CLASSES) - 1)


def _tally(events: Events, subject: list[int], asker: int, day: int = DAY) -> np.ndarray:
    who = np.array(subject)
    return tally(
        Told.of(events), Asked(who, np.full(len(who), day), np.full(len(who), asker)), CLASSES
    )


def _agrees(events: Events, subjects: list[int], asker: int) -> None:
    found = _tally(events, subjects, asker)
    for row, subject in zip(found, subjects, strict=True):
        naive = naive_tally(events, subject, DAY, asker, CLASSES)
        wanted = dict.fromkeys(CELL_NAMES, NO_RECORD) if naive is None else naive
        assert dict(zip(CELL_NAMES, row.tolist(), strict=True)) == wanted


@settings(max_examples=40, deadline=None)
@given(events_drawn(), ASKERS)
def test_columns_and_plain_loops_count_alike(events: Events, asker: int) -> None:
    """Every cell of every subject is what loops over rows find, at each edge of each window."""
    _agrees(events, [0, 1, 2, 3], asker)


def test_a_larger_world_counts_alike() -> None:
    """The same where windows hold many applications of one subject."""
    _agrees(events_of(1, 3000, 12), list(range(12)), 3)


@settings(max_examples=15, deadline=None)
@given(events_drawn(), ASKERS, st.randoms(use_true_random=False))
def test_order_and_repetition_of_rows_do_not_matter(
    events: Events, asker: int, shuffled: object
) -> None:
    """Rows shuffled and told twice give the same answers."""
    order = list(range(len(events))) * 2
    shuffled.shuffle(order)  # type: ignore[attr-defined]
    again = events.take(np.array(order, dtype=np.int64))
    first = answers(events, [0, 1, 2, 3], DAY, asker, CLASSES)
    assert np.array_equal(answers(again, [0, 1, 2, 3], DAY, asker, CLASSES), first)


@settings(max_examples=15, deadline=None)
@given(events_drawn(), st.integers(0, len(CLASSES) - 1))
def test_the_askers_own_events_do_not_count(events: Events, asker: int) -> None:
    """An answer is the same as if the asker had contributed nothing."""
    without = events.take(events.lender != asker)
    found = answers(events, [0, 1, 2, 3], DAY, asker, CLASSES)
    assert np.array_equal(found, answers(without, [0, 1, 2, 3], DAY, asker, CLASSES))


@settings(max_examples=15, deadline=None)
@given(events_drawn(), ASKERS, st.integers(0, 400))
def test_deleting_what_is_out_of_term_changes_no_answer(
    events: Events, asker: int, later: int
) -> None:
    """What `kept` gives up counts neither today nor on any later day."""
    left = events.take(kept(events, DAY))
    for day in (DAY, DAY + later):
        found = _tally(events, [0, 1, 2, 3], asker, day)
        assert np.array_equal(_tally(left, [0, 1, 2, 3], asker, day), found)


def test_an_own_enquiry_alone_is_no_record() -> None:
    """Control: for another lender the very same application is a record."""
    events = Events.of([(0, Kind.APPLICATION, DAY - 3, 4, IdKind.ID, 0, 0, 7)])
    assert no_record(answers(events, [0], DAY, 4, CLASSES)).all()
    other = answers(events, [0], DAY, 5, CLASSES)[0]
    assert not no_record(other[None]).any()
    assert other[PLACE["app_orgnum_d7_all"]] == 1


def test_an_application_has_its_term_and_a_loan_counts_its_from_its_end() -> None:
    """180 days: told on the last, gone on the next; a loan opened a year ago still counts."""
    one = Events.of([(0, Kind.APPLICATION, DAY - 180, 0, 0, 0, 0, 1)])
    assert not no_record(answers(one, [0], DAY, NOBODY, CLASSES)).any()
    assert no_record(answers(one, [0], DAY + 1, NOBODY, CLASSES)).all()
    loan = [(0, Kind.OPENED, DAY - 360, 0, 0, 0, 2, 9), (0, Kind.CLOSED, DAY - 180, 0, 0, 0, 0, 9)]
    found = answers(Events.of(loan), [0], DAY, NOBODY, CLASSES)[0]
    assert found[PLACE["loan_orgnum_m12_all"]] == 1
    assert found[PLACE["open_allnum_all"]] == 0
    assert no_record(answers(Events.of(loan), [0], DAY + 1, NOBODY, CLASSES)).all()
    assert not kept(Events.of(loan), DAY + 1).any()


def test_what_happened_today_counts_tomorrow() -> None:
    """Training by days sees no more than service does."""
    event = Events.of([(0, Kind.APPLICATION, DAY, 0, 0, 0, 0, 1)])
    assert no_record(answers(event, [0], DAY, NOBODY, CLASSES)).all()
    assert not no_record(answers(event, [0], DAY + 1, NOBODY, CLASSES)).any()


def test_bands_are_those_of_the_domain_reference() -> None:
    """0, 1, 2, 3–4, 5–7, 8 and more, and the same idea for days and shares."""
    values = np.tile(np.arange(-1, 1001)[:, None], len(CELLS))
    found = banded(values)
    for name in ("app_orgnum_d7_all", "app_days_since", "app_nonbank_share_m3", "loan_amount_m12"):
        scale = CELLS[PLACE[name]].scale
        most = 7 if scale == "amount" else len(values)
        wanted = [naive_band(scale, value) for value in values[:most, 0].tolist()]
        assert found[:most, PLACE[name]].tolist() == wanted
        same = [at for at, cell in enumerate(CELLS) if cell.scale == scale]
        assert (found[:, same] == found[:, [PLACE[name]]]).all()


def test_every_pair_of_subject_and_lender_gets_the_others_events() -> None:
    """Records are general for others and without its own for each contributor."""
    events = events_of(2, 300, 9)
    found = records_of(events, DAY, CLASSES)
    there = events.take(kept(events, DAY))
    pairs = {(int(s), int(w)) for s, w in zip(there.subject, there.lender, strict=True)}
    told = list(zip(found.subject.tolist(), found.lender.tolist(), strict=True))
    assert sorted(told) == sorted(pairs | {(s, NOBODY) for s, _ in pairs})
    for (subject, lender), bands in zip(told, found.bands, strict=True):
        others = there.take(there.lender != lender)
        assert np.array_equal(bands, answers(others, [subject], DAY, lender, CLASSES)[0])


@pytest.mark.parametrize(
    "row",
    [
        (-1, 0, DAY, 0, 0, 0, 0, 0), (0, 3, DAY, 0, 0, 0, 0, 0), (0, 0, DAY, -1, 0, 0, 0, 0),
        (0, 0, DAY, 0, 3, 0, 0, 0), (0, 0, DAY, 0, 0, 4, 0, 0), (0, 0, DAY, 0, 0, 0, 6, 0),
    ],
)  # fmt: skip
def test_a_column_outside_its_range_is_refused(row: tuple[int, ...]) -> None:
    """Nothing is repaired silently."""
    with pytest.raises(PeerError, match="outside"):
        Events.of([row])
