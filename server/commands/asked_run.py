"""What `run start` looks at before and tells after: the run's name, what it is about, and how long
it may take.
"""

from __future__ import annotations

import argparse
from contextlib import suppress
from pathlib import Path
from statistics import median

from server.commands.serving import now
from server.keys import AUTHORITY, read_certificate
from server.revoked import read_revoked
from shared.borrowing.batch import MOST_TEXT, Batch, check_batch, read_batch
from shared.errors import OperatorError, PeerError
from shared.identity.certificate import read_member
from shared.training.agreement import Agreement
from shared.training.asked_run import AskedTerms, asked_terms
from shared.training.consortium import Consortium

MANY_ROUNDS, USUAL_SECONDS = 500, 2.0
"""From how many rounds on the time is told; of one where no run has been yet: measured with three
lenders on one machine (docs/deployment.md), so rather too little.
"""


def check_name(folder: Path, name: str) -> None:
    """OperatorError for a run's name that differs from another's by capitals only: people, and some
    file systems, take the two for one.
    """
    from server.deployment.runs import names_of

    for other in names_of(folder):
        if other != name and other.casefold() == name.casefold():
            raise OperatorError(
                f"run {name} differs from {other} by capitals only", remedy="choose another name"
            )


def terms_asked(arguments: argparse.Namespace, consortium: Consortium) -> Agreement | AskedTerms:
    """What lenders are to agree on: a model's training, or with --asked a lender's batch."""
    changes = {
        name: value
        for name in ("family", "rounds")
        if (value := getattr(arguments, name)) is not None
    }
    title = f"{consortium.name}: {arguments.name}"
    if arguments.asked is None:
        if arguments.anew:
            raise OperatorError("--anew is for a batch", remedy="name one with --asked")
        return consortium.agreement(seed=arguments.seed, name=title, **changes)
    if changes or arguments.seed:
        raise OperatorError(
            "--family, --rounds and --seed are of a model, and --asked is a batch",
            remedy="leave them out",
        )
    batch = checked_batch(arguments.folder, arguments.asked)
    return asked_terms(consortium, batch, title, anew=arguments.anew)


def checked_batch(folder: Path, path: Path) -> Batch:
    """A batch that a lender of this consortium signed: OperatorError for another, so that no
    lender is troubled with it.
    """
    try:
        with path.open("rb") as file:
            batch = read_batch(file.read(MOST_TEXT + 1).strip())
        authority = read_certificate(folder / AUTHORITY)
        asker = read_member(batch.certificate, authority, now())
        check_batch(batch, asker)
    except OSError as error:
        raise OperatorError(
            f"{path} cannot be read: {error.strerror}", remedy="name the file the lender made"
        ) from error
    except PeerError as error:
        raise OperatorError(
            f"{path}: {error.what}", remedy="ask the lender for it again: borrowing ask"
        ) from error
    if asker.role != "lender" or asker.code in read_revoked(folder):
        raise OperatorError(
            f"{path}: its asker {asker.code} is revoked, or no lender",
            remedy="nobody answers it",
        )
    return batch


def length_of(folder: Path, rounds: int | None) -> str:
    """About how long many rounds take, in a sentence: whoever gave a digit too many hears it at
    once. Empty for few.
    """
    if rounds is None or rounds < MANY_ROUNDS:
        return ""
    took = _took(folder)
    each, known = (median(took), "as before here") if took else (USUAL_SECONDS, "or more")
    hours = rounds * each / 3600
    return f"{rounds:,} rounds take about {hours:,.1f} hours, at {each:.1f} s each {known}"


def _took(folder: Path) -> list[float]:
    """Seconds of all stages of earlier runs."""
    from server.coordinator.checkpoint import records_in
    from server.coordinator.places import STAGES
    from server.deployment.runs import RUNS, names_of

    found: list[float] = []
    for name in names_of(folder):
        with suppress(OperatorError):  # a damaged run tells nothing here
            found += [record.seconds for record in records_in(folder / RUNS / name / STAGES)]
    return found
