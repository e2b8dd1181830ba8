"""What an answer tells, to whom, and what it keeps to itself."""

import itertools
from hashlib import shake_256

import numpy as np
import pytest
from borrowing_worlds import DAY
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.borrowing.answer import (
    PACKED_BYTES,
    TRIGGERS,
    Answer,
    answers,
    parse_answer,
    triggers,
)
from shared.borrowing.cells import CELLS, PLACE, label
from shared.borrowing.events import Events
from shared.borrowing.sealed import (
    SEALED_BYTES,
    UnopenableAnswerError,
    open_answer,
    seal_answer,
)
from shared.borrowing.tally import NOBODY
from shared.borrowing.terms import CLASSES, LEAST_OF_CLASS, UNTOLD, LenderClass, amount_band
from shared.borrowing.tokens import subject_tokens
from shared.borrowing.told import told_classes
from shared.errors import InternalError, PeerError

ROSTERS = st.lists(st.integers(0, 5), min_size=1, max_size=14)


def _of(name: str) -> set[int]:
    if name == "all":
        return set(range(6))
    if name == "nbank":
        return set(range(1, 6))
    return {int(LenderClass[name.upper()])}


def _smallest_named(classes: list[int], reader: int, told: tuple[str, ...]) -> int:
    """Lenders in the smallest set, not empty, that adding and subtracting told classes isolates.

    Brute force: sets of classes are told as sums; whatever whole combination of them is the sum of
    some classes, those lenders' events are known.
    """
    others = np.bincount(classes[:reader] + classes[reader + 1 :], minlength=6)
    indicators = np.array([[of in _of(name) for of in range(6)] for name in told], dtype=int)
    sums = np.array(list(itertools.product((-1, 0, 1), repeat=len(told)))) @ indicators
    sizes = sums[((sums == 0) | (sums == 1)).all(axis=1)] @ others
    return int(sizes[sizes > 0].min())


@settings(max_examples=40, deadline=None)
@given(ROSTERS)
def test_no_told_class_and_no_difference_of_told_classes_names_a_lender(classes: list[int]) -> None:
    """For whoever reads, everything that follows from told counts is of three lenders or more."""
    roster = np.array(classes, dtype=np.uint8)
    for reader in {classes.index(of) for of in classes}:
        for told in (told_classes(roster, reader), told_classes(roster, NOBODY)):
            if told:
                assert _smallest_named(classes, reader, told) >= LEAST_OF_CLASS


def test_a_class_of_one_lender_is_not_told_and_would_have_named_it() -> None:
    """Control: the count of guarantors in the tally is that one lender's."""
    roster = np.array([0, 0, 0, 0, 3, 3, 3, 3, 5], dtype=np.uint8)
    events = Events.of([(0, 0, DAY - 2, 8, 0, 0, 0, 1)])
    told = answers(events, [0], DAY, 0, roster)[0]
    assert told[PLACE["app_orgnum_d7_guar"]] == UNTOLD
    assert told[PLACE["app_orgnum_d7_nbank"]] == 1
    assert told[PLACE["app_orgnum_d7_micro"]] == UNTOLD  # or nbank less micro would be that lender
    assert told_classes(np.array([0] * 4 + [3] * 4 + [5] * 4, np.uint8), 0) == (
        "all", "bank", "nbank", "cons", "micro", "auto", "guar",
    )  # fmt: skip


def test_a_consortium_of_three_tells_nothing() -> None:
    """Two others are too few for any count."""
    roster = np.zeros(3, dtype=np.uint8)
    events = Events.of([(0, 0, DAY - 2, 1, 0, 0, 0, 1)])
    assert (answers(events, [0], DAY, 0, roster) == UNTOLD).all()


def test_triggers_follow_from_bands_alone() -> None:
    """Three lenders in 7 days, five in 30, eight in 90: each at its number and not below it."""
    roster = np.zeros(12, dtype=np.uint8)
    for place, (window, least, _) in enumerate(TRIGGERS):
        age = {"d7": 7, "m1": 30, "m3": 90}[window]
        for lenders in (least - 1, least):
            rows = [(0, 0, DAY - age, lender, 0, 0, 0, 1) for lender in range(1, lenders + 1)]
            bands = answers(Events.of(rows), [0], DAY, 0, roster)
            assert triggers(bands)[0, place] == (lenders == least)
            told = Answer(DAY, tuple(bands[0].tolist()))
            assert (window in told.triggered) == (lenders == least)


def test_an_answer_goes_stale_after_its_term() -> None:
    """180 days after it was made."""
    answer = Answer(DAY, (0,) * len(CELLS))
    assert not answer.stale(DAY + 180)
    assert answer.stale(DAY + 181)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(-2, 5), min_size=len(CELLS), max_size=len(CELLS)))
def test_packing_is_undone_by_parsing(cells: list[int]) -> None:
    """Every answer that can be made can be read."""
    answer = Answer(DAY, tuple(cells))
    assert parse_answer(answer.pack()) == answer
    assert len(answer.words()) == len(CELLS)


def test_what_pack_does_not_make_is_refused() -> None:
    """Other lengths, versions and bands."""
    packed = Answer(DAY, (0,) * len(CELLS)).pack()
    assert len(packed) == PACKED_BYTES
    for wrong in (b"", packed[:-1], packed + b"\0", b"\2" + packed[1:], packed[:-1] + b"\6",
                  packed[:-1] + b"\xfd"):  # fmt: skip
        with pytest.raises(PeerError):
            parse_answer(wrong)


def test_a_sealed_answer_opens_with_its_own_key_and_tag_only() -> None:
    """And says nothing by its size."""
    key, tag, other = b"k" * 32, b"t" * 32, b"o" * 32
    answer = Answer(DAY, (3,) * len(CELLS))
    sealed = seal_answer(key, tag, answer, lambda size: shake_256(b"n").digest(size))
    assert len(sealed) == SEALED_BYTES
    assert open_answer(key, tag, sealed) == answer
    bent = bytes([sealed[0] ^ 1]) + sealed[1:]
    for wrong in ((other, tag, sealed), (key, other, sealed), (key, tag, sealed[:-1]),
                  (key, tag, bent)):  # fmt: skip
        with pytest.raises(UnopenableAnswerError):
            open_answer(*wrong)
    with pytest.raises(InternalError):
        seal_answer(b"short", tag, answer, lambda size: bytes(size))


def test_tokens_of_two_ledgers_have_nothing_in_common() -> None:
    """And there are none of other shapes."""
    outputs = np.frombuffer(shake_256(b"T").digest(3 * 64), np.uint8).reshape(3, 64)
    made = [
        one.tobytes()
        for ledger in (b"a" * 16, b"b" * 16)
        for one in subject_tokens(ledger, outputs)
    ]
    assert len(set(made)) == 6
    assert {len(one) for one in made} == {32}
    with pytest.raises(InternalError):
        subject_tokens(b"short", outputs)
    with pytest.raises(InternalError):
        subject_tokens(b"a" * 16, outputs[:, :63])


def test_amounts_become_bands_before_they_leave() -> None:
    """Edges belong to the band above; nothing and less is no amount."""
    amounts = [0, -5, 1, 4_999, 5_000, 19_999, 20_000, 100_000, 499_999, 500_000, 9e9]
    assert amount_band(amounts).tolist() == [0, 0, 1, 1, 2, 2, 3, 4, 4, 5, 5]


def test_words_tell_bands_nothing_and_silence_apart() -> None:
    """As a person reads them."""
    cell = CELLS[PLACE["app_orgnum_d7_all"]]
    assert [label(cell, band) for band in (-2, -1, 0, 3, 5)] == [
        "withheld", "no record", "0", "3–4", "8+",
    ]  # fmt: skip
    assert set(CLASSES) == {cell.of for cell in CELLS if cell.of}
