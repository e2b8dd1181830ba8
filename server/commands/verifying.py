"""`lianfang-server verify`: what a run ended with, folded once more from its released totals."""

from __future__ import annotations

import argparse
import json
import sys
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from server.commands.serving import now
from shared.errors import PeerError

if TYPE_CHECKING:
    from server.coordinator.checkpoint import StageRecord
    from shared.borrowing.batch import BatchAnswer
    from shared.training.agreement import Agreement
    from shared.training.asked_run import AskedRun, AskedTerms

SAME, DIFFERENT = 0, 1


def verify(arguments: argparse.Namespace) -> int:
    """Exit status 0: the same model, or the right answer; 1: another, or there is none, yet or for
    good: a batch that was given up.
    """
    from server.coordinator.rounds import read_terms
    from shared.training.agreement import Agreement

    terms = read_terms(arguments.run)
    if isinstance(terms, Agreement):
        return _model(arguments, terms)
    return _answer(arguments, terms)


def _model(arguments: argparse.Namespace, terms: Agreement) -> int:
    from server.coordinator.checkpoint import Checkpoints
    from server.coordinator.rounds import STAGES, read_model
    from shared.model.saved import digest_of
    from shared.training.run import Run

    run = Run(terms)
    Checkpoints(arguments.run / STAGES).replay(run)
    if not run.finished:
        _line(f"not finished: the next stage is {run.question().stage}")
        return DIFFERENT
    folded, saved = digest_of(run.model()), digest_of(read_model(arguments.run))
    same = folded == saved
    if arguments.json:
        _line(json.dumps({"verified": same, "folded": folded, "saved": saved}))
    else:
        _line(f"{'verified' if same else 'NOT the same model'}: folded {folded}, saved {saved}")
    return SAME if same else DIFFERENT


def _answer(arguments: argparse.Namespace, terms: AskedTerms) -> int:
    """A batch has no model: its answer is compared with the total that its lenders opened."""
    from server.coordinator.asked import kept_answer
    from server.coordinator.checkpoint import Checkpoints
    from server.coordinator.places import GIVEN_UP, STAGES
    from shared.training.asked_run import AskedRun

    run = AskedRun(terms)
    _, records = Checkpoints(arguments.run / STAGES).replay(run)
    if (arguments.run / GIVEN_UP).exists():
        why = "given up: a batch without an answer"
        _line(json.dumps({"verified": False, "why": why}) if arguments.json else why)
        return DIFFERENT
    if not run.finished:
        _line(f"not finished: the next stage is {run.question().stage}")
        return DIFFERENT
    answer = kept_answer(arguments.run)
    wrong = _difference(arguments.run, run, records, answer)
    if arguments.json:
        about = {"batch": terms.batch.digest.hex(), "asker": terms.batch.asker}
        told = {"lenders": list(records[0].members), "folded": _digest(run)}
        saved = {"saved": sha256(answer.numbers.astype("<i8").tobytes()).hexdigest()}
        _line(json.dumps({"verified": not wrong} | about | told | saved | {"why": wrong}))
    elif wrong:
        _line(f"NOT the answer to this batch: {wrong}")
    else:
        _line(
            f"verified: the signed answer to {terms.batch.asker}'s batch "
            f"{terms.batch.digest.hex()[:16]} holds the total {_digest(run)[:16]} that "
            f"{len(records[0].members)} lenders opened and ended"
        )
    return DIFFERENT if wrong else SAME


def _difference(
    folder: Path, run: AskedRun, records: list[StageRecord], answer: BatchAnswer
) -> str:
    """What in an answer is not what the run's stages say, in a sentence; empty where all is."""
    from server.keys import AUTHORITY, COORDINATOR, read_certificate
    from shared.borrowing.batch import check_answer
    from shared.identity.certificate import read_member

    try:
        holder = read_member(
            read_certificate(folder / COORDINATOR), read_certificate(folder / AUTHORITY), now()
        )
        check_answer(answer, holder, run.agreement.batch.digest)
    except PeerError as error:
        return error.what
    if list(answer.lenders) != sorted(records[0].members):
        return "it names other lenders than those of the sum"
    if run.total is None or (answer.numbers != run.total).any():
        return "it holds another total than the one that was opened"
    return ""


def _digest(run: AskedRun) -> str:
    """Of the total, hex: numbers about people are not printed."""
    return "" if run.total is None else sha256(run.total.astype("<i8").tobytes()).hexdigest()


def _line(text: str) -> None:
    sys.stdout.write(text + "\n")
