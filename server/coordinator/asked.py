"""A batch about borrowing at the coordinator: its answer in the run's folder, and who is in it.

    RUN/answer.json    the signed total, for the asker: `shared.borrowing.batch.BatchAnswer`
    RUN/given-up       it never gets one: somebody here gave it up, and it holds up no other batch

Invariants:
- An answer is written once all lenders that are in it have heard the batch's end, and never of a
  batch that was given up.
- Batches of one consortium, of whatever key epoch, are over the same lenders (those of the last
  answer there is), unless the terms say `anew`; lenders insist on it by themselves.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from server.coordinator.checkpoint import SUFFIX, StageRecord, unwritable, write_durably
from server.coordinator.places import AGREEMENT, ANSWER, GIVEN_UP, STAGES
from shared.borrowing.batch import MOST_TEXT, BatchAnswer, made_answer, read_answer
from shared.errors import InternalError, LianfangError, OperatorError, PeerError
from shared.identity.certificate import Identity
from shared.secure_sum.encoding import text_of
from shared.training.asked_run import AskedRun, AskedTerms, terms_from


def write_answer(
    folder: Path, run: AskedRun, records: Sequence[StageRecord], identity: Identity
) -> None:
    """Sign the total of a batch that is over and keep it; OperatorError for a full disk, or where
    the batch was given up.
    """
    if not run.finished or run.total is None:
        raise InternalError("an answer is written before the batch is over")
    check_not_given_up(folder)
    answer = made_answer(run.agreement.batch, records[0].members, run.total, identity)
    try:
        write_durably(folder / ANSWER, text_of(answer))
    except OSError as error:
        raise unwritable(folder, error) from error


def check_not_given_up(run: Path) -> None:
    """OperatorError where somebody gave up the batch of this folder. It stays true while the
    folder's lock is held.
    """
    if (run / GIVEN_UP).exists():
        raise OperatorError(
            f"batch {run.name} was given up here", remedy="let its asker make another one"
        )


def kept_answer(folder: Path) -> BatchAnswer:
    """The answer in a run's folder; OperatorError when there is none."""
    try:
        with (folder / ANSWER).open("rb") as file:
            return read_answer(file.read(MOST_TEXT + 1))
    except (OSError, PeerError) as error:
        raise OperatorError(
            f"{folder} holds no answer to a batch", remedy="let the run finish"
        ) from error


def unfinished_of(runs: Path, context: str, besides: str = "") -> str:
    """A run of a batch of this consortium, by its folder's name, whose total was opened, and whose
    end was not heard by all; empty where there is none but `besides`, and those given up.
    """
    for path in sorted(runs.glob(f"*/{AGREEMENT}")):
        run = path.parent
        if run.name != besides and is_stuck(run) and _context_of(run) == context:
            return run.name
    return ""


def is_stuck(run: Path) -> bool:
    """Whether a total was opened in a run's folder, and no answer or word of giving up is there."""
    ended = (run / ANSWER).exists() or (run / GIVEN_UP).exists()
    return not ended and any((run / STAGES).glob(f"*{SUFFIX}"))


def counted_before(folder: Path, run: AskedRun) -> tuple[str, ...]:
    """The lenders of the last answer to a batch of the same consortium in the runs beside `folder`;
    none where there is none, or the terms ask for others.
    """
    if run.agreement.anew:
        return ()
    beside = folder.resolve().parent.glob(f"*/{ANSWER}")
    for path in sorted(beside, key=lambda one: one.stat().st_mtime_ns, reverse=True):
        if _context_of(path.parent) == run.agreement.batch.context:
            return kept_answer(path.parent).lenders
    return ()


def batch_of(run: Path) -> AskedTerms | None:
    """The terms of the batch that a run's folder is of; None where it is of none, or cannot be
    read.
    """
    try:
        terms = terms_from(json.loads((run / AGREEMENT).read_text(encoding="utf-8")))
    except (OSError, ValueError, LianfangError):
        return None
    return terms if isinstance(terms, AskedTerms) else None


def _context_of(run: Path) -> str:
    """The consortium of the batch of a run; empty where it is of none, or cannot be read."""
    terms = batch_of(run)
    return terms.batch.context if terms else ""
