"""Filing and deciding: the commands of `lianfang-client list` that send signed events."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from client.commands.identifiers import given
from client.commands.list_words import Handler
from client.commands.printing import ATTENTION, DONE, bars, document, line
from shared.errors import OperatorError

if TYPE_CHECKING:
    from client.exchange.filing_terms import FilingTerms
    from client.exchange.subjects import Subject
    from client.exchange.submissions import Settled

_ENTRY_BYTES = 16
_TERMS = (
    "reason",
    "severity",
    "confidence",
    "event_date",
    "event_end",
    "product",
    "outcome",
    "amount",
    "basis",
    "role",
    "notice",
)


def _file(arguments: argparse.Namespace) -> int:
    from client.exchange.opening import open_desk

    supersedes = entry_name(arguments.supersedes) if arguments.supersedes else None
    with open_desk(arguments.folder) as desk:
        subjects, terms = _subjects(arguments)
        with bars() as bar:
            filed = desk.file(
                subjects,
                terms,
                arguments.operator,
                supersedes=supersedes,
                progress=lambda total: bar("tokens", total),
                sending=lambda total: bar("entries", total),
            )
    rows = [
        {"line": subject.line, "entry": name.hex(), "refused": answer.refusal}
        for subject, (name, answer) in zip(subjects, filed, strict=True)
    ]
    refused = [row for row in rows if row["refused"]]
    if arguments.json:
        document(rows)
        return ATTENTION if refused else DONE
    for row in rows:
        where = f"line {row['line']}: " if row["line"] else ""
        fate = f"refused: {row['refused']}" if row["refused"] else "filed"
        line(f"{where}entry {row['entry']} {fate}")
    if len(refused) < len(rows):
        line("next: another person approves: lianfang-client list approve --operator NAME")
    return ATTENTION if refused else DONE


def _subjects(arguments: argparse.Namespace) -> tuple[list[Subject], list[FilingTerms]]:
    """Subjects and each one's terms, from the options and the file's own columns."""
    from client.exchange.filing_terms import read_terms
    from client.exchange.subjects import Subject, canonical_all, read_subjects

    words = {name.replace("_", "-"): getattr(arguments, name) or "" for name in _TERMS}
    words["class"] = arguments.list_class or ""
    one_by_one = given(arguments)
    if arguments.subjects is None:
        found = [Subject(canonical_all(one_by_one, today()))]
    elif one_by_one:
        raise OperatorError(
            "a file of subjects and a single one are given", remedy="give one of the two"
        )
    else:
        columns = columns_named(arguments.column)
        found = read_subjects(arguments.subjects, today=today(), columns=columns)
    terms = []
    for subject in found:
        own = dict(subject.words)
        beside = own.pop("evidence", "")
        evidence = beside.split(";") if beside else arguments.evidence
        folder = arguments.subjects.parent if beside else Path()
        try:
            terms.append(read_terms({**words, **own}, evidence, folder))
        except OperatorError as error:
            where = f"line {subject.line}: " if subject.line else ""
            raise OperatorError(where + error.what, remedy=error.remedy) from error
    return found, terms


def columns_named(options: Sequence[str]) -> dict[str, str]:
    """Kind → header, from KIND=HEADER each."""
    columns = {}
    for option in options:
        kind, mark, header = option.partition("=")
        if not mark or not header:
            raise OperatorError(
                f"--column {option!r} is not KIND=HEADER", remedy="e.g. resident_id=证件号"
            )
        columns[kind.replace("-", "_")] = header
    return columns


def _approve(arguments: argparse.Namespace) -> int:
    from client.exchange.filing_terms import file_digest
    from client.exchange.opening import open_desk

    names = [entry_name(text) for text in arguments.entries]
    pairs = given(arguments)
    if bool(pairs) != (arguments.evidence_file is not None) or (pairs and len(names) != 1):
        raise OperatorError(
            "a second institution names one entry, evidence of its own and the subject",
            remedy="give ENTRY, --evidence-file and e.g. --resident-id -; own entries need none "
            "of them",
        )
    with open_desk(arguments.folder) as desk, bars() as bar:
        if pairs:
            from client.exchange.subjects import canonical_all

            evidence = file_digest(arguments.evidence_file)
            subject = canonical_all(pairs, today())
            answers = [desk.second(names[0], subject, evidence, arguments.operator)]
        else:
            answers = desk.approve(names, arguments.operator, lambda total: bar("entries", total))
    return _settled(arguments, answers, "approved", nothing="nothing waits for a checker")


def _dispute(arguments: argparse.Namespace) -> int:
    from client.exchange.filing_terms import file_digest
    from client.exchange.opening import open_desk
    from shared.blacklist.events import Grounds

    evidence, name = file_digest(arguments.evidence_file), entry_name(arguments.entry)
    with open_desk(arguments.folder) as desk:
        event = desk.decisions.dispute(
            name, Grounds(arguments.grounds), evidence, arguments.operator, arguments.checker
        )
        answer = desk.decide(event)
    return _settled(arguments, [answer], "disputed: answers about it say so with the next version")


def _resolve(arguments: argparse.Namespace) -> int:
    from client.exchange.filing_terms import file_digest
    from client.exchange.opening import open_desk
    from shared.blacklist.events import Outcome

    statement, name = file_digest(arguments.statement), entry_name(arguments.entry)
    with open_desk(arguments.folder) as desk:
        event = desk.decisions.resolve(
            name, Outcome(arguments.outcome), statement, arguments.operator, arguments.checker
        )
        answer = desk.decide(event)
    return _settled(arguments, [answer], f"resolved: {arguments.outcome}")


def _withdraw(arguments: argparse.Namespace) -> int:
    from client.exchange.opening import open_desk
    from shared.blacklist.events import Cause

    names = [entry_name(text) for text in arguments.entries]
    with open_desk(arguments.folder) as desk:
        event = desk.decisions.withdraw(
            names, Cause(arguments.cause), arguments.operator, arguments.checker
        )
        answer = desk.decide(event)
        still = {entry.entry_id for entry in desk.own()} & {*names}
    said = "proposed: a second institution must consent" if still else "withdrawn"
    return _settled(arguments, [answer], said)


def _consent(arguments: argparse.Namespace) -> int:
    from client.exchange.opening import open_desk

    name = entry_name(arguments.proposal)
    with open_desk(arguments.folder) as desk:
        answer = desk.consent(name, arguments.operator, arguments.checker)
    return _settled(arguments, [answer], "consented")


def _open_epoch(arguments: argparse.Namespace) -> int:
    from client.exchange.opening import open_desk

    with open_desk(arguments.folder) as desk:
        number, answer = desk.open_epoch(arguments.epoch, arguments.operator, arguments.checker)
    said = f"epoch {number} proposed: a second institution must consent (list waiting)"
    return _settled(arguments, [answer], said)


def _retire_epoch(arguments: argparse.Namespace) -> int:
    from client.exchange.opening import open_desk

    with open_desk(arguments.folder) as desk:
        answer = desk.decide(
            desk.decisions.retire_epoch(arguments.epoch, arguments.operator, arguments.checker)
        )
    said = f"end of epoch {arguments.epoch} proposed: a second institution must consent"
    return _settled(arguments, [answer], said)


def _refile(arguments: argparse.Namespace) -> int:
    from client.exchange.opening import open_desk

    with open_desk(arguments.folder) as desk, bars() as bar:
        done = desk.refile(
            arguments.operator,
            arguments.checker,
            progress=lambda total: bar("tokens", total),
            sending=lambda total: bar("entries", total),
        )
    unknown = [name.hex() for name in done.unknown]
    if arguments.json:
        document({"covered": done.covered, "unknown": unknown, "refused": list(done.refused)})
    else:
        line(f"{done.covered:,} entries have tokens of the newest epoch")
        for name in unknown:
            line(f"entry {name}: its identifiers are not known here any more: withdraw it")
        for reason in done.refused:
            line(f"refused: {reason}")
    return ATTENTION if unknown or done.refused else DONE


def _settled(
    arguments: argparse.Namespace, answers: Sequence[Settled], done: str, *, nothing: str = ""
) -> int:
    refused = [answer.refusal for answer in answers if answer.refusal is not None]
    taken = len(answers) - len(refused)
    if arguments.json:
        events = [answer.event_id.hex() for answer in answers]
        document({"done": taken, "refused": refused, "events": events})
        return ATTENTION if refused else DONE
    if taken:
        line(f"{taken} {done}" if taken > 1 else done)
    elif not refused:
        line(nothing)
    for reason in refused:
        line(f"refused by the registry: {reason}")
    return ATTENTION if refused else DONE


def entry_name(text: str) -> bytes:
    """16 bytes from hex; OperatorError."""
    try:
        name = bytes.fromhex(text)
        if len(name) != _ENTRY_BYTES:
            raise ValueError
    except ValueError:
        raise OperatorError(
            f"{text[:40]!r} is not the name of an entry",
            remedy="it has 32 letters and digits: see `list own`, `list waiting` or "
            "`list check --json`",
        ) from None
    return name


def today() -> date:
    """By this machine's clock, UTC."""
    return datetime.now(UTC).date()


DECIDING: dict[str, Handler] = {
    "file": _file,
    "approve": _approve,
    "dispute": _dispute,
    "resolve": _resolve,
    "withdraw": _withdraw,
    "consent": _consent,
    "open-epoch": _open_epoch,
    "retire-epoch": _retire_epoch,
    "refile": _refile,
}
