"""Filing: `lianfang-client list file`, one subject or a file of them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from client.commands.identifiers import given, note_odd
from client.commands.names import entry_name, today
from client.commands.printing import ATTENTION, DONE, bars, document, line
from client.commands.words import counted, refusal_words, remedy_lines
from shared.errors import OperatorError

if TYPE_CHECKING:
    from client.exchange.filing_terms import FilingTerms
    from client.exchange.subjects import Subject

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


def file(arguments: argparse.Namespace) -> int:
    """List subjects; another person approves them."""
    from client.exchange.opening import open_desk

    supersedes = entry_name(arguments.supersedes) if arguments.supersedes else None
    with open_desk(arguments.folder) as desk:
        subjects, terms = _subjects(arguments)
        note_odd([cell for subject in subjects for cell in subject.warnings], "filed as it is")
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
        {
            "line": subject.line,
            "entry": name.hex(),
            "refused": answer.refusal,
            "remedy": answer.remedy,
            "warnings": [cell._asdict() for cell in subject.warnings],
        }
        for subject, (name, answer) in zip(subjects, filed, strict=True)
    ]
    refused = [row for row in rows if row["refused"]]
    if arguments.json:
        document(rows)
        return ATTENTION if refused else DONE
    for row in rows:
        where = f"line {row['line']}: " if row["line"] else ""
        fate = f"refused: {refusal_words(str(row['refused']))}" if row["refused"] else "filed"
        line(f"{where}entry {row['entry']} {fate}")
    for remedy in remedy_lines(str(row["remedy"]) for row in refused):
        line(remedy)
    if len(refused) < len(rows):
        if len(rows) > 1:
            line(f"{counted(len(rows) - len(refused), 'entry', 'entries')} filed")
        line(
            "next: another person approves (lianfang-client list approve --operator NAME); after "
            "that `list sync` fetches the version it answers with"
        )
    return ATTENTION if refused else DONE


def _subjects(arguments: argparse.Namespace) -> tuple[list[Subject], list[FilingTerms]]:
    """Subjects and each one's terms, from the options and the file's own columns."""
    from client.exchange.subjects import read_subject, read_subjects

    words = {name.replace("_", "-"): getattr(arguments, name) or "" for name in _TERMS}
    words["class"] = arguments.list_class or ""
    one_by_one = given(arguments)
    if arguments.subjects is None:
        found = [read_subject(one_by_one, today())]
    elif one_by_one:
        raise OperatorError(
            "a file of subjects and a single one are given", remedy="give one of the two"
        )
    else:
        columns = columns_named(arguments.column)
        found = read_subjects(arguments.subjects, today=today(), columns=columns)
    return found, _terms(arguments, words, found)


def _terms(
    arguments: argparse.Namespace, words: dict[str, str], subjects: Sequence[Subject]
) -> list[FilingTerms]:
    """Each subject's; OperatorError names every line whose terms are wrong."""
    from client.exchange.bad_rows import BadRow, refuse
    from client.exchange.filing_terms import read_terms

    terms, bad = [], []
    for subject in subjects:
        own = dict(subject.words)
        beside = own.pop("evidence", "")
        evidence = beside.split(";") if beside else arguments.evidence
        folder = arguments.subjects.parent if beside else Path()
        try:
            terms.append(read_terms({**words, **own}, evidence, folder))
        except OperatorError as error:
            if not subject.line:
                raise
            bad.append(BadRow(subject.line, f"{error.what}; {error.remedy}"))
    if bad:
        refuse(bad, arguments.subjects.name, "mend them; nothing was filed")
    return terms


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
