"""What a lender keeps for batches: events under tokens, its word on who may ask, its numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from client.borrowing.asked_book import AskedBook
from client.borrowing.asked_settings import Willing, willing_of
from client.borrowing.kept_events import KeptEvents
from shared.borrowing.asked import ASKED_CELLS, ASKED_NAMES
from shared.borrowing.batch import NUMBERS, Batch, made_batch
from shared.borrowing.event_row import ROW
from shared.borrowing.terms import TTL_DAYS
from shared.errors import OperatorError
from shared.secure_sum.floors import RefusedError
from tests.blacklist_members import member
from tests.identities import fixed_random

DAY, TOKEN = 740_000, b"\x01" * 32


def row(reference: int, day: int = DAY - 1) -> np.ndarray:
    made = np.zeros(1, ROW)
    made["subject"], made["reference"], made["day"] = 1, reference, day
    return made


def batch_of(asker: str = "L01", epoch: int = 1) -> Batch:
    return made_batch("Five", epoch, DAY, member(asker), [TOKEN], fixed_random(asker))


def test_events_are_kept_once_and_taken_back_and_end_with_their_term(tmp_path: Path) -> None:
    """Before anything is kept there is no epoch."""
    kept = KeptEvents(tmp_path / "kept")
    assert kept.newest() == 0
    assert kept.change(1, row(1), DAY) == 1
    assert kept.change(1, np.concatenate([row(1), row(2)]).astype(ROW), DAY) == 2
    counts = kept.counts(1, [TOKEN, b"\x02" * 32], DAY).reshape(-1, ASKED_CELLS)
    place = ASKED_NAMES.index("app_allnum_d7_all")
    assert counts[:, place].tolist() == [2, 0]
    assert kept.change(1, row(2), DAY, retract=True) == 1
    assert kept.change(1, row(3, DAY + TTL_DAYS), DAY + TTL_DAYS + 1) == 1  # the first is over
    assert kept.newest() == 1


def test_a_new_key_epoch_ends_the_file_of_the_one_before(tmp_path: Path) -> None:
    """Until it is kept under (the control) the old one's is there."""
    kept = KeptEvents(tmp_path)
    kept.change(1, row(1), DAY)
    assert (kept.newest(), len(kept.rows(1))) == (1, 1)
    kept.change(2, row(2), DAY)
    assert (kept.newest(), len(kept.rows(1)), len(kept.rows(2))) == (2, 0, 1)


def test_a_damaged_file_is_an_error_and_never_no_events(tmp_path: Path) -> None:
    """Control: whole, it is read."""
    kept = KeptEvents(tmp_path)
    kept.change(1, row(1), DAY)
    path = tmp_path / "epoch-1.rows"
    whole = path.read_bytes()
    assert path.stat().st_mode & 0o077 == 0
    assert len(kept.rows(1)) == 1
    for broken in (whole[:-1], whole[:-1] + b"\x07", b""):
        path.write_bytes(broken)
        with pytest.raises(OperatorError, match="changed or cut short"):
            kept.rows(1)


@pytest.mark.parametrize(
    "section",
    [
        {}, {"askers": "all"}, {"askers": ["../x"]}, {"askers": "members", "daily": 0},
        {"askers": "members", "lenders": 3}, {"askers": "members", "more": 1}, {"": 3},
    ],
)  # fmt: skip
def test_what_is_misspelt_or_below_four_lenders_is_refused(section: dict[str, object]) -> None:
    """Control: what is right is taken."""
    with pytest.raises(OperatorError, match=r"\[asked\]"):
        willing_of(Path("client.toml"), section)
    right = willing_of(Path("client.toml"), {"askers": ["L02"], "daily": 2, "lenders": 6})
    assert right == Willing(frozenset({"L02"}), 2, 6)
    assert right.answers("L02")
    assert not right.answers("L01")


def test_each_asker_has_its_own_number_a_day(tmp_path: Path) -> None:
    """The same batch counts once; the next day begins anew."""
    book, willing = AskedBook(tmp_path), Willing(None, daily=1)
    for _ in range(2):
        book.take(batch_of(), willing, DAY)
    with pytest.raises(RefusedError, match="1 a day"):
        book.take(batch_of(epoch=2), willing, DAY)
    book.take(batch_of("L02"), willing, DAY)
    book.take(batch_of(epoch=2), willing, DAY + 1)


@pytest.mark.parametrize("step", [1, -1])
def test_a_clock_that_goes_back_begins_no_day_anew(step: int, tmp_path: Path) -> None:
    """Over midnight and back, five times: each day's number is given once. The control is the next
    day after all of them, which begins anew.
    """
    book, willing, taken = AskedBook(tmp_path), Willing(None, daily=2), 0
    for at in range(20):
        try:
            book.take(batch_of(epoch=at + 1), willing, DAY + step * (at // 4 % 2))
            taken += 1
        except RefusedError:
            continue
    assert taken == (4 if step == 1 else 2)
    book.take(batch_of(epoch=30), willing, DAY + 2)


def test_numbers_of_others_batches_are_forgotten_with_the_end(tmp_path: Path) -> None:
    """The asker's stay, for the answer; a batch that is over is taken no more."""
    book, numbers = AskedBook(tmp_path), np.arange(NUMBERS)
    mine, theirs = batch_of(), batch_of("L02")
    for batch in (mine, theirs):
        assert book.numbers(batch) is None
        book.keep(batch, numbers)
        assert np.array_equal(book.numbers(batch), numbers)
    book.close(mine, "aa", own=True)
    book.close(theirs, "bb", own=False)
    assert book.numbers(theirs) is None
    assert np.array_equal(book.numbers(mine), numbers)
    assert (book.is_closed("aa"), book.is_closed("cc")) == (True, False)
    assert book.heard_under(mine) == "aa"
    with pytest.raises(RefusedError, match="one that is over"):
        book.take(theirs, Willing(None), DAY)


def test_a_damaged_count_is_an_error_and_no_new_day(tmp_path: Path) -> None:
    """Otherwise whoever damages it asks on; control: before that it is read."""
    book = AskedBook(tmp_path)
    book.take(batch_of(), Willing(None), DAY)
    for broken in (b"{", b"[]", b""):
        (tmp_path / "today.json").write_bytes(broken)
        with pytest.raises(OperatorError, match="changed or cut short"):
            book.take(batch_of(epoch=2), Willing(None), DAY)
