"""Models of finished runs, proposed by one operator and promoted by another.

    models/N/          the model's files, digest, run, proposed_by
    models/promotions.jsonl
    models/current     the number of the model in use: what the last promotion says

Invariants:
- A model that is proposed or promoted is the fold of the run's released totals, computed again
  here: a file that was changed after the run is found.
- A model's folder appears whole and is not written again.
- `current` follows from promotions.jsonl; where they differ, the signed lines are right.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from shutil import rmtree

from server.coordinator.checkpoint import Checkpoints
from server.coordinator.rounds import MODEL, STAGES, read_agreement, read_model
from server.deployment.promotions import (
    FIRST,
    Promotion,
    append,
    check_two,
    read_operator,
    read_promotions,
    signed,
)
from server.deployment.runs import run_folder
from server.files import write_durably
from server.keys import AUTHORITY, read_certificate
from server.revoked import read_revoked
from shared.errors import OperatorError, PeerError
from shared.identity.certificate import Identity
from shared.model.saved import digest_of, from_files
from shared.training.run import Run

MODELS, CURRENT = "models", "current"


@dataclass(frozen=True)
class Listed:
    """A model. `promoted`: when last, empty if never; `current`: the one in use."""

    number: int
    run: str
    digest: str
    proposed_by: str
    proposed: str
    promoted_by: str = ""
    promoted: str = ""
    current: bool = False


def propose(folder: Path, run: str, operator: Path, now: datetime) -> Listed:
    """Put a finished run's model forward; OperatorError when it is not the run's own."""
    authority, identity = _operator(folder, operator, now)
    place, models = run_folder(folder, run), folder / MODELS
    digest = folded_digest(place)
    before = read_promotions(models, authority)
    for one in before:
        if one.act == "propose" and (one.run, one.digest) == (run, digest):
            raise OperatorError(
                f"the model of {run} was proposed already, as {one.model}",
                remedy=f"another operator: lianfang-server model promote {folder} {one.model}",
            )
    number = 1 + max((one.model for one in before), default=0)
    _keep(models, number, place, digest, run, identity.member.code)
    line = _line("propose", number, digest, run, before, now)
    append(models, signed(line, identity), authority)
    return listed(folder)[-1]


def promote(folder: Path, number: int, operator: Path, now: datetime) -> Listed:
    """Put a proposed model to use; OperatorError when the same operator proposed it, or the model
    is not the run's any more.
    """
    authority, identity = _operator(folder, operator, now)
    models = folder / MODELS
    before = read_promotions(models, authority)
    proposals = [one for one in before if one.act == "propose" and one.model == number]
    if not proposals:
        known = ", ".join(str(one.model) for one in before if one.act == "propose") or "none"
        raise OperatorError(f"no model {number} was proposed", remedy=f"proposed are: {known}")
    proposal = proposals[0]
    if _current(before) == number:
        raise OperatorError(f"model {number} is in use already", remedy="nothing is to be done")
    line = _line("promote", number, proposal.digest, proposal.run, before, now)
    promotion = signed(line, identity)
    try:
        check_two(proposal, promotion, authority)
    except PeerError as error:
        raise OperatorError(
            f"{error.what} (proposed by {proposal.operator})",
            remedy=f"let another operator than {proposal.operator} promote it",
        ) from error
    _check_kept(models / str(number), proposal.digest)
    if folded_digest(run_folder(folder, proposal.run)) != proposal.digest:
        raise OperatorError(
            f"the totals of {proposal.run} fold to another model than was proposed",
            remedy="do not use it: find out who changed the run's folder",
        )
    append(models, promotion, authority)
    write_durably(models / CURRENT, f"{number}\n".encode())
    return next(one for one in listed(folder) if one.number == number)


def listed(folder: Path) -> list[Listed]:
    """All models, the first proposed first; OperatorError for a journal that was changed."""
    models = folder / MODELS
    lines = read_promotions(models, read_certificate(folder / AUTHORITY))
    current = _current(lines)
    found = []
    for one in lines:
        if one.act == "propose":
            acts = [p for p in lines if p.act == "promote" and p.model == one.model]
            by, when = (acts[-1].operator, acts[-1].at) if acts else ("", "")
            in_use = one.model == current
            found.append(
                Listed(one.model, one.run, one.digest, one.operator, one.at, by, when, in_use)
            )
    if current and _written(models) != current:  # a crash came between line and file
        write_durably(models / CURRENT, f"{current}\n".encode())
    return found


def folded_digest(place: Path) -> str:
    """The digest of a finished run's model: of its file and of its totals, which must agree."""
    run = Run(read_agreement(place))
    Checkpoints(place / STAGES).replay(run)
    if not run.finished:
        raise OperatorError(
            f"run {place.name} is not finished: next is {run.question().stage}",
            remedy="wait for its end",
        )
    folded, saved = digest_of(run.model()), digest_of(read_model(place))
    if folded != saved:
        raise OperatorError(
            f"{place / MODEL} is not the model that the run's totals fold to",
            remedy="do not use it: somebody changed it; lianfang-server verify shows both digests",
        )
    return folded


def _operator(folder: Path, operator: Path, now: datetime) -> tuple[bytes, Identity]:
    authority = read_certificate(folder / AUTHORITY)
    identity = read_operator(operator, authority, now)
    if identity.member.code in read_revoked(folder):
        raise OperatorError(
            f"operator {identity.member.code} is revoked", remedy="let another one do it"
        )
    return authority, identity


def _keep(models: Path, number: int, place: Path, digest: str, run: str, operator: str) -> None:
    partial = models / f".{number}.new"
    rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o700, parents=True)
    for path in (place / MODEL).iterdir():
        write_durably(partial / path.name, path.read_bytes())
    about = (("digest", digest), ("run", run), ("proposed_by", operator))
    for name, text in about:
        write_durably(partial / name, f"{text}\n".encode())
    rmtree(models / str(number), ignore_errors=True)  # of a proposal that was never acknowledged
    partial.rename(models / str(number))
    _check_kept(models / str(number), digest)


def _check_kept(model: Path, digest: str) -> None:
    about = ("digest", "run", "proposed_by")
    try:
        files = {p.name: p.read_bytes() for p in model.iterdir() if p.name not in about}
    except OSError as error:
        raise OperatorError(
            f"{model} cannot be read: {error.strerror}", remedy="restore it, or propose anew"
        ) from error
    if digest_of(from_files(files)) != digest:
        raise OperatorError(
            f"{model} is not the model that was proposed",
            remedy="do not use it: restore the folder from a copy, or propose the run anew",
        )


def _line(
    act: str, number: int, digest: str, run: str, before: list[Promotion], now: datetime
) -> Promotion:
    link, at = (before[-1].link() if before else FIRST), now.isoformat(timespec="seconds")
    return Promotion(act, number, digest, run, "", at, link, "")  # type: ignore[arg-type]


def _current(lines: list[Promotion]) -> int:
    promoted = [one.model for one in lines if one.act == "promote"]
    return promoted[-1] if promoted else 0


def _written(models: Path) -> int:
    try:
        return int((models / CURRENT).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0
