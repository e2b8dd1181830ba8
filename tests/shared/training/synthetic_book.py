"""A small book of loans, spread over lenders in any way, and a run over it without a network.

The label follows income, a crossing of two columns, and the region; there are missing values, a
level nobody declared and a rare level, as in any lender's table.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.schema import Column, LabelContract, Schema, Table
from shared.training.agreement import Agreement
from shared.training.roles import roles_of
from shared.training.rows import LenderRows
from shared.training.run import Run

SCHEMA = Schema(
    version=1,
    columns=(
        Column("income", "number"),
        Column("age", "number"),
        Column("region", "category", levels=("north", "east", "south", "west")),
        Column("purpose", "category", levels=("car", "house", "boat", "harvest")),
    ),
    label=LabelContract("bad_flag", bad=("1",), good=("0",)),
    row_key="loan_id",
    time="year",
)
UNSEEN_REGION = 4
RARE_PURPOSE = 2

Vector = NDArray[np.int64]


def make_book(rows: int, seed: int = 1) -> Table:
    """A labelled table of `rows` loans with keys of their own."""
    rng = np.random.default_rng(seed)
    income, age = np.exp(rng.normal(8.0, 0.7, rows)), rng.integers(20, 70, rows).astype(float)
    region, purpose = rng.integers(0, 4, rows), rng.choice([0, 1, 3], rows)
    logit = 3.0 * (8.0 - np.log(income)) * np.where(age > 40, 1.0, -0.5) - 2.0 * (region == 2)
    bad = (rng.random(rows) < 1 / (1 + np.exp(-logit))).astype(np.int8)
    purpose[:2] = RARE_PURPOSE
    region[rng.random(rows) < 0.02] = UNSEEN_REGION
    values = {
        "income": np.where(rng.random(rows) < 0.05, np.nan, income.round(2)),
        "age": age,
        "region": np.where(rng.random(rows) < 0.05, -1, region).astype(np.int16),
        "purpose": purpose.astype(np.int16),
    }
    keys = np.array([f"{seed}-{i:05d}" for i in range(rows)])
    return Table(SCHEMA, values, bad, keys, 2000.0 + np.arange(rows) % 10)


def lender(table: Table, agreement: Agreement, secret: int = 0) -> LenderRows:
    """The table with its roles."""
    return LenderRows(table, roles_of(table, agreement), secret)


def spread(
    book: Table, owners: NDArray[np.int64], lenders: int, agreement: Agreement
) -> list[LenderRows]:
    """The book's rows dealt out; a lender without rows is there all the same."""
    return [
        lender(book.take(np.flatnonzero(owners == i)), agreement, secret=i) for i in range(lenders)
    ]


@dataclass
class Conducted:
    """A run to its end: every released total in order, and the lenders' own rows."""

    run: Run
    totals: list[Vector]
    lenders: list[LenderRows]

    def logits(self) -> dict[str, float]:
        """Final shared logit by row key."""
        return {
            str(key): float(value)
            for rows in self.lenders
            for key, value in zip(rows.table.row_key, self.run.logit(rows), strict=True)
        }


def answer(run: Run, rows: LenderRows) -> Vector:
    """What a lender with no personal layer answers to the question at hand."""
    if run.evaluation is not None:
        return np.empty(0, dtype=np.int64)
    if not run.trained:
        return run.answer(rows)
    if run.mixture is None:
        return np.zeros(run.question().length, dtype=np.int64)
    return run.evaluate(rows, run.logit(rows)[rows.roles.test])


def total_of(run: Run, lenders: list[LenderRows]) -> Vector:
    """The sum of all lenders' answers, as released."""
    question = run.question()
    return sum((question.check(answer(run, rows)) for rows in lenders), np.zeros(1, dtype=np.int64))


def conduct(agreement: Agreement, lenders: list[LenderRows]) -> Conducted:
    """Ask, add up, absorb, until the run is over."""
    run, totals = Run(agreement), []
    while not run.finished:
        totals.append(total_of(run, lenders))
        run.absorb(totals[-1])
    return Conducted(run, totals, lenders)
