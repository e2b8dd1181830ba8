"""Real history as columns, and the stronger mode under real masks."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from client.table import read_raw
from server.simulation.book import Book, book_of
from server.simulation.borrowing.asked_round import BATCH, Asked, ask, differences
from server.simulation.borrowing.features import bands_of, with_columns
from server.simulation.borrowing.federation import Federation
from server.simulation.borrowing.history import History, read_history
from server.simulation.borrowing.reported import Scores, borrowing_figures, borrowing_over_seeds
from server.simulation.study import DataSource, Study, read_study
from shared.borrowing.asked import ASKED_CELLS
from shared.borrowing.columns import OF_LOANS, PREFIX
from shared.errors import InternalError, OperatorError
from shared.schema import check_frame
from shared.secure_sum.statements import MaskedInput
from shared.training.preparation import Preparation
from shared.training.roles import Roles
from tests.federation import table

ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def book() -> Book:
    source = DataSource(path=Path("applicants.csv"), label="defaulted", row_key="loan_id",
                        time="year", lender="lender")  # fmt: skip
    return book_of(table(), Study(data=source, title="test"))


@pytest.fixture(scope="module")
def written(book: Book, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Row 0 of each lender is one borrower; so are the next two of two lenders, on one day."""
    path = tmp_path_factory.mktemp("history") / "borrowers.csv"
    first = {code: np.flatnonzero(book.lender == code)[:2] for code in book.codes}
    rows = [(first[code][0], 7, f"2005-01-{10 + at}") for at, code in enumerate(book.codes)]
    rows += [(first[code][1], 8, "2005-03-01") for code in book.codes[:2]]
    frame = pd.DataFrame(
        [(book.table.row_key[row], who, day) for row, who, day in rows],
        columns=["loan_id", "borrower", "day"],
    )
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def history(book: Book, written: Path) -> History:
    return read_history(written, book)


def _value(joined: Book, cell: str, code: str, which: int) -> float:
    row = np.flatnonzero(joined.lender == code)[which]
    return float(joined.table.values[PREFIX + cell][row])


def test_a_row_knows_earlier_loans_elsewhere_and_no_later_ones(book: Book, history: History):
    """The third lender's borrower had loans at two others before, the first's at none."""
    joined = with_columns(book, bands_of(history))
    found = [_value(joined, "loan_orgnum_m3_all", code, 0) for code in joined.codes]
    assert np.isnan(found[0])
    assert found[1:] == [1, 2, 3, 3]  # bands: three and four lenders are one


def test_loans_of_one_day_do_not_know_of_each_other(book: Book, history: History):
    """Which came first is not in the file."""
    joined = with_columns(book, bands_of(history))
    for code in joined.codes[:2]:
        assert np.isnan(_value(joined, "loan_orgnum_m3_all", code, 1))


def test_lenders_read_the_columns_that_the_book_holds(book: Book, history: History):
    """A lender's file, checked against the schema, is the researcher's table; −1 is missing."""
    joined = with_columns(book, bands_of(history))
    rows = joined.frame.iloc[joined.position]
    schema = joined.table.schema
    checked = check_frame(rows[list(schema.required)], schema, source="own")
    for cell in OF_LOANS:
        name = PREFIX + cell
        assert (rows[name].to_numpy()[np.isnan(joined.table.values[name])] == "-1").all()
        assert np.array_equal(checked.table.values[name], joined.table.values[name], equal_nan=True)
    assert book.table.schema.names == joined.table.schema.names[: -len(OF_LOANS)]


def test_no_record_is_a_bin_of_its_own(book: Book, history: History):
    """The transform gives rows without a record a code that no band has, and a tree can tell it."""
    joined = with_columns(book, bands_of(history)).table
    rows = np.arange(joined.rows)
    prepared = Preparation(joined.schema)
    roles = Roles(rows, rows[:0], rows[:0])
    while not prepared.finished:
        prepared.absorb(prepared.answer(joined, roles))
    assert prepared.transform is not None
    codes = dict(zip(prepared.transform.names, prepared.transform.codes(joined), strict=True))
    for bins in prepared.transform.columns[-len(OF_LOANS) :]:
        missing = np.isnan(joined.values[bins.name])
        assert set(codes[bins.name][missing].tolist()) == {bins.size - 1}
        assert (codes[bins.name][~missing] < bins.size - 1).all()
        assert bins.labels()[-1] == "missing"


def test_the_sample_has_the_borrowers_that_its_readme_counts():
    """267 borrowers with several loans; 91 loans had an earlier one elsewhere within its term."""
    study = read_study(ROOT / "configs" / "demo.toml")
    raw = read_raw(study.data.path)
    demo = book_of(raw.frame, study, lines=raw.lines)
    assert study.data.borrowers is not None
    found = read_history(study.data.borrowers, demo)
    assert len(found.events) == 543
    assert len(np.unique(found.events.subject)) == 267
    assert (bands_of(found)[:, 0] != -1).sum() == 91
    at = found.subject >= 0
    held = pd.to_numeric(raw.frame["approval_month"].iloc[demo.position]).to_numpy()
    months = [date.fromordinal(day).month for day in found.day[at].tolist()]
    assert months == held[at].astype(int).tolist()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("loan_id,day\nA00001,2005-01-01\n", "no column 'borrower'"),
        ("loan_id,borrower,day\nA00001,1,2005-13-01\n", "no date"),
        ("loan_id,borrower,day\nA00001,1,2005-01-01\nA00001,2,2005-01-01\n", "twice"),
    ],
)
def test_a_wrong_file_is_refused_with_a_remedy(book: Book, tmp_path: Path, text: str, told: str):
    """And none at all."""
    path = tmp_path / "borrowers.csv"
    with pytest.raises(OperatorError, match="cannot be read"):
        read_history(path, book)
    path.write_text(text)
    with pytest.raises(OperatorError, match=told) as error:
        read_history(path, book)
    assert error.value.remedy


@pytest.fixture(scope="module")
def asked(history: History) -> tuple[Asked, list[MaskedInput]]:
    seen: list[MaskedInput] = []
    return ask(history, seed=3, seen=seen.append), seen


def test_the_masked_total_is_the_plain_count(history: History, asked: tuple[Asked, list]):
    """Every number of the batch, and what the asker makes of it."""
    found, _ = asked
    assert np.array_equal(found.total, found.plain)
    assert found.total.any()
    assert differences(history, found) == 0
    assert differences(history, replace(found, total=found.total + 1)) == len(found.total)


def test_no_members_counts_can_be_seen_in_what_the_coordinator_is_sent(
    asked: tuple[Asked, list[MaskedInput]],
):
    """Control: unmasked, a vector is mostly noughts and tells which tokens its lender knows."""
    found, seen = asked
    assert len(seen) == len(found.own) == 5
    for given in seen:
        own = found.own[given.member]
        masked = given.values.astype(np.int64)
        assert (own == 0).mean() > 0.9
        assert (own.reshape(BATCH, ASKED_CELLS)[:, -1] == 1).any()
        assert (masked == own).mean() < 0.01
        assert np.unique(masked).size > 0.99 * masked.size  # random: noughts look like all else
        assert abs(masked.mean() / 2**31 - 1) < 0.1
    together = np.sum([given.values for given in seen], axis=0, dtype=np.uint32)
    assert (together.astype(np.int64) == found.total).mean() < 0.01  # own masks are on, too


def test_a_batch_asked_otherwise_of_one_member_opens_nothing(history: History):
    """Two stories about what is asked: the members' masks do not cancel."""
    federation = Federation(history.codes, b"l" * 16)
    own = {code: np.zeros(ASKED_CELLS, dtype=np.int64) for code in history.codes}
    assert not federation.total(b"b" * 32, own).any()
    assert federation.bytes == 4 * ASKED_CELLS * len(history.codes)


def _scores(book: Book, order: np.ndarray) -> Scores:
    test = np.arange(0, book.table.rows, 2)
    return Scores(test, order[test], order[test])


def test_gains_are_with_less_without_on_the_same_rows(book: Book, history: History):
    """A score that knows the outcome against one that knows nothing, and seeds side by side."""
    bands = bands_of(history)
    knows = book.table.bad.astype(float)
    nothing = np.zeros(book.table.rows)
    runs = _scores(book, knows), _scores(book, nothing)
    found = borrowing_figures(book, history, bands, runs, 0)
    assert found["auc_shared"]["gain"] == pytest.approx(0.5)
    assert found["with_record"] == 4
    assert found["loans"] == 7
    assert found["asked"]["differences"] == 0
    bare = borrowing_figures(book, history, bands, runs[::-1], 0)
    over = borrowing_over_seeds([0, 1], [found, bare])["over_seeds"]
    assert over["personal"]["mean"] == pytest.approx(0)
    assert over["personal"]["sd"] == pytest.approx(0.5 * 2**0.5)
    other = Scores(runs[0].test[1:], runs[0].shared[1:], runs[0].personal[1:])
    with pytest.raises(InternalError):
        borrowing_figures(book, history, bands, (other, runs[1]), 0)
