"""Deciding: the commands of `lianfang-client list` that send signed events about what is filed."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from client.commands.filing import file
from client.commands.identifiers import given
from client.commands.list_words import Handler
from client.commands.names import entry_name, row_name, today
from client.commands.own_entries import own_line, own_rows
from client.commands.printing import ATTENTION, DONE, bars, document, line
from client.commands.waits import second_needed
from client.commands.words import counted, refusal_words, remedy_lines
from shared.errors import OperatorError

if TYPE_CHECKING:
    from client.exchange.desk import Desk
    from client.exchange.submissions import Settled


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
    rows: list[dict[str, Any]] = []
    second: list[tuple[str, int]] = []
    with open_desk(arguments.folder) as desk, bars() as bar:
        if pairs:
            from client.exchange.subjects import canonical_all

            evidence = file_digest(arguments.evidence_file)
            subject = canonical_all(pairs, today())
            answers = [desk.second(names[0], subject, evidence, arguments.operator)]
            said = "approved as second institution"
        else:
            approved = desk.approve(names, arguments.operator, lambda total: bar("entries", total))
            answers = [answer for _, answer in approved]
            done = frozenset(name for name, answer in approved if answer.receipt is not None)
            said, (rows, second) = "approved", _approved(desk, done)
    taken = sum(answer.receipt is not None for answer in answers)
    status = _settled(
        arguments,
        answers,
        f"{counted(taken, 'entry', 'entries')} {said}",
        nothing="nothing waits for a checker",
        more={"second_needed": [entry for entry, _ in second], "entries": rows},
    )
    if not arguments.json:
        for row in rows:
            line(own_line(row))
        _say_next(second, taken)
    return status


def _approved(
    desk: Desk, done: Collection[bytes]
) -> tuple[list[dict[str, Any]], list[tuple[str, int]]]:
    """The own entries that were approved, and of those that still do not answer the severity."""
    if not done:
        return [], []
    entries = [entry for entry in desk.own() if entry.entry_id in done]
    rows = own_rows(entries, desk.filed.entry, max(desk.known_epochs(), default=0))
    second = [(one.entry_id.hex(), one.severity) for one in entries if second_needed(one)]
    return rows, second


def _say_next(second: Sequence[tuple[str, int]], taken: int) -> None:
    for entry, severity in second:
        why = "severity 3" if severity == 3 else "it takes an own entry off the list"
        line(
            f"entry {entry} does not answer yet ({why}): a second institution must approve it "
            "too, which sees it with `list waiting`"
        )
    if taken > len(second):
        line(
            "it answers with the next batch, which `list sync` fetches: daily once enough lenders "
            "have something in it, at the latest after 7 days"
        )


def _dispute(arguments: argparse.Namespace) -> int:
    from client.exchange.filing_terms import file_digest
    from client.exchange.opening import open_desk
    from shared.blacklist.events import Grounds

    evidence, row = file_digest(arguments.evidence_file), row_name(arguments.row)
    with open_desk(arguments.folder) as desk:
        event = desk.decisions.dispute(
            row, Grounds(arguments.grounds), evidence, arguments.operator, arguments.checker
        )
        answer = desk.decide(event)
    return _settled(arguments, [answer], "disputed: answers say so with the next version")


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
    withdrawn = f"{counted(len(names), 'entry', 'entries')} withdrawn"
    said = "proposed: a second institution must consent (list waiting)" if still else withdrawn
    return _settled(arguments, [answer], said)


def _consent(arguments: argparse.Namespace) -> int:
    from client.exchange.opening import open_desk

    name = entry_name(arguments.proposal)
    with open_desk(arguments.folder) as desk:
        answer = desk.consent(name, arguments.operator, arguments.checker)
    said = "consented: it takes effect with the next version (list sync)"
    return _settled(arguments, [answer], said)


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
    from client.exchange.kept import goes_on
    from client.exchange.opening import open_desk

    again = goes_on("it goes on where it was")
    with open_desk(arguments.folder) as desk, bars() as bar, again:
        done = desk.refile(
            arguments.operator,
            arguments.checker,
            progress=lambda total: bar("tokens", total),
            sending=lambda total: bar("entries", total),
        )
    unknown = [name.hex() for name in done.unknown]
    if arguments.json:
        document(
            {
                "covered": done.covered,
                "seconded": done.seconded,
                "unknown": unknown,
                "refused": list(done.refused),
                "remedies": list(done.remedies),
            }
        )
    else:
        has = "has" if done.covered == 1 else "have"
        line(
            f"{counted(done.covered, 'own entry', 'own entries')} {has} tokens of the newest epoch"
        )
        if done.seconded:
            others = counted(done.seconded, "entry of another lender", "entries of other lenders")
            line(f"{others}, for which this one stands, approved again for the newest epoch")
        for name in unknown:
            line(f"entry {name}: its identifiers are not known here any more: withdraw it")
        for reason in done.refused:
            line(f"refused: {refusal_words(reason)}")
        for remedy in remedy_lines(done.remedies):
            line(remedy)
    return ATTENTION if unknown or done.refused else DONE


def _settled(
    arguments: argparse.Namespace,
    answers: Sequence[Settled],
    done: str,
    *,
    nothing: str = "",
    more: dict[str, object] | None = None,
) -> int:
    """Say how the registry answered; `more`: for scripts only."""
    refusals = [answer for answer in answers if answer.refusal is not None]
    refused = [answer.refusal or "" for answer in refusals]
    remedies = [answer.remedy for answer in refusals]
    taken = len(answers) - len(refused)
    if arguments.json:
        events = [answer.event_id.hex() for answer in answers]
        told = {"done": taken, "refused": refused, "remedies": remedies, "events": events}
        document(told | (more or {}))
        return ATTENTION if refused else DONE
    if taken:
        line(done)
    elif not refused:
        line(nothing)
    for reason in refused:
        line(f"refused by the registry: {refusal_words(reason)}")
    for remedy in remedy_lines(remedies):
        line(remedy)
    return ATTENTION if refused else DONE


DECIDING: dict[str, Handler] = {
    "file": file,
    "approve": _approve,
    "dispute": _dispute,
    "resolve": _resolve,
    "withdraw": _withdraw,
    "consent": _consent,
    "open-epoch": _open_epoch,
    "retire-epoch": _retire_epoch,
    "refile": _refile,
}
