"""What a report says about multi-lender borrowing, parsed from its key `borrowing`.

A gain is AUC with the columns less AUC without them (0.01 = one point). None means "could not be
measured".
"""

from __future__ import annotations

from dataclasses import dataclass

from server.report.fields import Fields


@dataclass(frozen=True)
class BorrowingGain:
    """One model's AUC with and without the columns, its gain with 95 % interval; over seeds the
    mean and standard deviation of the gain. `ceiling`: AUC without columns if every row with a
    record stood where its outcome belongs.
    """

    name: str
    joined: float | None
    bare: float | None
    ceiling: float | None
    gain: float | None
    low: float | None
    high: float | None
    mean: float | None
    sd: float | None


@dataclass(frozen=True)
class BorrowingBand:
    """Rows in one band of a column, and how many of them went bad."""

    label: str
    rows: int | None
    bad: int | None


@dataclass(frozen=True)
class BorrowingColumn:
    """A column that was added."""

    name: str
    bands: tuple[BorrowingBand, ...]


@dataclass(frozen=True)
class BorrowingLender:
    """One lender: applicants with a record elsewhere, AUC of its own model with and without."""

    code: str
    with_record: int | None
    joined: float | None
    bare: float | None


@dataclass(frozen=True)
class BorrowingAsked:
    """One batch of the stronger mode. `differences`: cells that a plain count finds otherwise."""

    tokens: int | None
    lenders: int | None
    numbers: int | None
    known: int | None
    differences: int | None
    bytes: int | None
    cpu: float | None


@dataclass(frozen=True)
class BorrowingFigures:
    """Everything about multi-lender borrowing; rates lie in 0..1."""

    borrowers: int | None
    loans: int | None
    rows: int | None
    with_record: int | None
    test_rows: int | None
    test_with_record: int | None
    bad_rate: float | None
    bad_rate_with_record: float | None
    gains: tuple[BorrowingGain, ...]
    columns: tuple[BorrowingColumn, ...]
    lenders: tuple[BorrowingLender, ...]
    asked: BorrowingAsked | None
    seeds: tuple[str, ...]


def parse_borrowing(node: Fields) -> BorrowingFigures:
    """OperatorError naming the key that has the wrong kind of value."""
    seeds = node.child("over_seeds")
    return BorrowingFigures(
        borrowers=node.whole("borrowers"),
        loans=node.whole("loans"),
        rows=node.whole("rows"),
        with_record=node.whole("with_record"),
        test_rows=node.whole("test_rows"),
        test_with_record=node.whole("test_with_record"),
        bad_rate=node.number("bad_rate"),
        bad_rate_with_record=node.number("bad_rate_with_record"),
        gains=tuple(
            _gain(name, node.child(f"auc_{name}"), seeds.child(name))
            for name in ("shared", "personal")
        ),
        columns=tuple(_column(one) for one in node.children("columns")),
        lenders=tuple(
            BorrowingLender(
                one.text("code"),
                one.whole("with_record"),
                one.number("auc_with"),
                one.number("auc_without"),
            )
            for one in node.children("lenders")
        ),
        asked=_asked(node.child("asked")) if node.has("asked") else None,
        seeds=seeds.texts("seeds"),
    )


def _gain(name: str, node: Fields, seeds: Fields) -> BorrowingGain:
    return BorrowingGain(
        name,
        node.number("with"),
        node.number("without"),
        node.number("ceiling"),
        node.number("gain"),
        node.number("low"),
        node.number("high"),
        seeds.number("mean"),
        seeds.number("sd"),
    )


def _column(node: Fields) -> BorrowingColumn:
    bands = tuple(
        BorrowingBand(one.text("band"), one.whole("rows"), one.whole("bad"))
        for one in node.children("bands")
    )
    return BorrowingColumn(node.text("name"), bands)


def _asked(node: Fields) -> BorrowingAsked:
    return BorrowingAsked(
        node.whole("tokens"),
        node.whole("lenders"),
        node.whole("numbers"),
        node.whole("known"),
        node.whole("differences"),
        node.whole("bytes"),
        node.child("measured").number("cpu"),
    )
