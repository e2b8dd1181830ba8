"""Multi-lender borrowing in a simulation: what knowing of loans elsewhere adds to the model.

The sentence gives the interval with the gain, so that a gain of nothing reads as nothing.
"""

from __future__ import annotations

from server.report.borrowing_figures import (
    BorrowingAsked,
    BorrowingColumn,
    BorrowingFigures,
    BorrowingGain,
)
from server.report.content import Report
from server.report.parts import Section, Table
from server.report.wording import count, duration, interval, measure, percent, plural, points, size

_PREFIX = "multi_lender_"
_NO_RECORD = "no record"
_COLUMNS = {
    "loan_orgnum_m3_all": "lenders in 3 months",
    "loan_orgnum_m12_all": "lenders in 12 months",
    "open_orgnum_all": "lenders, open loans",
    "loan_days_since": "days since the last",
}
_MODELS = {"shared": "shared", "personal": "shared + personal"}
_TERMS = (
    (
        "Record",
        "Another lender told of something within its term: an application of the last 180 days, "
        "a loan that is open or has been over for at most 180 days. No record is a bin of its own.",
    ),
    (
        "Band",
        "Counts are told as 0, 1, 2, 3–4, 5–7, 8 and more, never by which lender; what the "
        "asking lender told itself does not count.",
    ),
    (
        "Ceiling",
        "AUC without the columns if every applicant with a record were placed as the outcome then "
        "proved right: the most that columns about records can add.",
    ),
    (
        "Stronger mode",
        "All lenders answer under the secure sum, so that whoever adds up sees totals only.",
    ),
)


def borrowing_section(report: Report) -> Section | None:
    """AUC with and without, what the columns hold, the stronger mode; absent without columns."""
    found = report.borrowing
    if found is None:
        return None
    return Section(
        slug="borrowing",
        title="Borrowing at several lenders",
        sentence=borrowing_sentence(found),
        tables=(_gains(found), _bands(found)),
        folded_tables=(_lenders(found),),
        bullets=_bullets(found),
        terms=_TERMS,
    )


def borrowing_sentence(found: BorrowingFigures) -> str:
    """The one sentence that screen and page share."""
    known = (
        f"Other lenders' loans are on record for {count(found.with_record)} of "
        f"{count(found.rows)} applicants; {percent(found.bad_rate_with_record, 0)} of those "
        f"went bad, {percent(found.bad_rate, 0)} of all."
    )
    personal = found.gains[-1]
    if personal.gain is None:
        return f"{known} What columns about them add could not be measured."
    return f"{known} {_added(personal, len(found.seeds))}"


def borrowing_line(found: BorrowingFigures) -> str:
    """The same on the screen."""
    return f"borrowing at several lenders: {borrowing_sentence(found)}"


def _added(gain: BorrowingGain, seeds: int) -> str:
    spread = ""
    if gain.mean is not None:
        mean, sd = points(gain.mean, 2), _unsigned(gain.sd)
        spread = f"; over {plural(seeds, 'seed')} {mean} ± {sd}"
    verdict = "" if _clear(gain) else ": no gain that can be told from none"
    return (
        f"Columns about them change the model's AUC by {points(gain.gain, 2)} points "
        f"(95 % interval {interval(gain.low, gain.high, 2)}{spread}){verdict}."
    )


def _clear(gain: BorrowingGain) -> bool:
    return gain.low is not None and gain.high is not None and not gain.low <= 0 <= gain.high


def _gains(found: BorrowingFigures) -> Table:
    rows = tuple(
        (
            _MODELS[one.name],
            measure(one.bare, 4),
            measure(one.joined, 4),
            points(one.gain, 2),
            interval(one.low, one.high, 2),
            measure(one.ceiling, 4),
            *((points(one.mean, 2), _unsigned(one.sd)) if found.seeds else ()),
        )
        for one in found.gains
    )
    over = (f"Mean, {plural(len(found.seeds), 'seed')}", "sd") if found.seeds else ()
    head = ("Model", "AUC without", "AUC with", "Gain, points", "95 % interval", "Ceiling", *over)
    return Table("What the columns add", head, rows)


def _bands(found: BorrowingFigures) -> Table:
    """Every column says the same of rows without a record: told once."""
    each = [
        (f"{_plain(column)}: {band.label}", band)
        for column in found.columns
        for band in column.bands
        if band.label != _NO_RECORD
    ]
    none = [band for column in found.columns[:1] for band in column.bands]
    each = [(_NO_RECORD, band) for band in none if band.label == _NO_RECORD] + each
    rows = tuple(
        (told, count(band.rows), percent(_share(band.bad, band.rows))) for told, band in each
    )
    return Table(
        "What the columns hold: other lenders' loans, all rows",
        ("Column: band", "Rows", "Bad"),
        rows,
    )


def _lenders(found: BorrowingFigures) -> Table:
    rows = tuple(
        (one.code, count(one.with_record), measure(one.bare), measure(one.joined))
        for one in found.lenders
    )
    head = ("Lender", "Rows with a record", "AUC without", "AUC with")
    return Table("By lender, shared + personal", head, rows)


def _bullets(found: BorrowingFigures) -> tuple[str, ...]:
    of_tests = (
        f"{count(found.test_with_record)} of {count(found.test_rows)} test rows have a record. A "
        "column tells those rows apart from each other and from the rest, and nothing else: the "
        "ceiling says how much that can be worth. Gains of either sign within the interval are the "
        "chance of other random trees."
    )
    real = (
        f"The history is real: {count(found.loans)} loans of {count(found.borrowers)} borrowers "
        "with two loans or more in the table, each known to others from the day after it was made. "
        "Loans that the table does not hold are not seen, and where rows were sampled by their "
        "outcome, whose other loan is seen depends on how that one ended: the bad rate above is "
        "then too high."
    )
    return (of_tests, real, *(() if found.asked is None else (_asked(found.asked),)))


def _asked(asked: BorrowingAsked) -> str:
    return (
        f"Stronger mode: {plural(asked.lenders or 0, 'lender')} answered a batch of "
        f"{plural(asked.tokens or 0, 'token')} under masks, {count(asked.numbers)} counts each "
        f"({size(asked.bytes)} in all, {duration(asked.cpu)} of processor time); differences from "
        f"a plain count: {count(asked.differences)}. A simulation protects nobody: one process "
        "plays all parts."
    )


def _plain(column: BorrowingColumn) -> str:
    cell = column.name.removeprefix(_PREFIX)
    return _COLUMNS.get(cell, cell)


def _share(part: int | None, whole: int | None) -> float | None:
    return part / whole if part is not None and whole else None


def _unsigned(value: float | None) -> str:
    return points(value, 2).lstrip("+")
