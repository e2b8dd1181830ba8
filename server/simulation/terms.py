"""What a researcher's study and command line come to: the terms that lenders agree on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from server.simulation.asked import Asked
from server.simulation.book import Book
from server.simulation.study import Study, read_study
from shared.errors import OperatorError
from shared.training.agreement import Agreement


def study_of(asked: Asked) -> Study:
    """The study with what the command line changes in it; OperatorError."""
    study = read_study(Path(asked.config))
    changes: dict[str, Any] = {}
    if asked.family is not None:
        changes["family"] = asked.family
    if asked.rounds is not None:
        changes["rounds"] = asked.rounds
    if not asked.references:
        none = replace(study.references, pooled=False, local=False, fedavg_mlp=False)
        changes["references"] = none
    return replace(study, **changes)


def agreement_of(study: Study, book: Book, asked: Asked) -> Agreement:
    """The terms of the run; OperatorError when there are too few lenders."""
    if len(book.codes) < study.minimum_lenders:
        raise OperatorError(
            f"the table has {len(book.codes)} lenders, {study.minimum_lenders} are needed",
            remedy="take more lenders: --lenders, or the lender column",
        )
    return Agreement(
        name=study.title,
        schema=book.table.schema,
        family=study.family,
        seed=study.seed,
        test_share=study.test_share,
        validation_share=study.validation_share,
        rounds=study.rounds,
        minimum_lenders=study.minimum_lenders,
        profile=study.profile,
        minimum_cell=study.minimum_cell,
        sums="plain" if asked.plain else "secure",
    )


def later_terms(study: Study, agreement: Agreement, book: Book) -> Agreement | None:
    """The terms of the second, timed run; OperatorError when it has nothing to test or train on."""
    if study.out_of_time is None:
        return None
    later = agreement.out_of_time(study.out_of_time)
    assert book.table.time is not None  # an agreement with a cutoff has seen to it
    after = book.table.time > study.out_of_time
    if after.all() or not after.any():
        raise OperatorError(
            f"out_of_time {study.out_of_time:g}: {int(after.sum())} of {len(after)} rows are later",
            remedy="choose a time that some rows lie after and some before, or --no-out-of-time",
        )
    return later
