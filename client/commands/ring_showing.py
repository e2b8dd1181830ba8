"""`ring show`, `ring decide`, `ring confirm`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from client.commands.identifiers import given
from client.commands.names import today
from client.commands.printing import ATTENTION, DONE, bars, document, line
from client.commands.ring_lines import (
    before_document,
    before_lines,
    picture_document,
    picture_lines,
)
from client.commands.words import counted, refusal_words, remedy_lines
from shared.errors import OperatorError

if TYPE_CHECKING:
    from client.exchange.filing_terms import FilingTerms
    from client.rings.deciding import Confirmed

_TERMS = (
    *("severity", "confidence", "event_date", "event_end", "product", "outcome", "amount"),
    *("basis", "notice"),
)


def show(arguments: argparse.Namespace) -> int:
    """A ring, as text, JSON or a page; ATTENTION, as it is to be looked at."""
    from client.exchange.subjects import read_subject
    from client.rings.deciding import RingOffice
    from client.rings.opening import open_ring_desk

    pairs = given(arguments)
    if bool(arguments.ring) == bool(pairs):
        raise OperatorError(
            "ring show takes a ring, or an applicant",
            remedy="e.g. ring show 3fa8c1, or ring show --resident-id -; `ring own` names them",
        )
    with open_ring_desk(arguments.folder) as desk:
        office = RingOffice(desk)
        if pairs:
            opened = office.rings.of(read_subject(pairs, today()).identifiers)
        else:
            opened = office.rings.named(arguments.ring)
        picture = office.picture(opened, reveal=arguments.reveal)
    if arguments.html is not None:
        from client.rings.page import write_page

        write_page(picture, arguments.html)
    if arguments.json:
        document(picture_document(picture))
    elif arguments.html is None:
        for told in picture_lines(picture):
            line(told)
    else:
        members = counted(len(picture.members), "member")
        line(f"ring {picture.ring.hex()}, {members}: {arguments.html}")
    return ATTENTION


def decide(arguments: argparse.Namespace) -> int:
    """One person's verdict; ATTENTION, as it waits for another."""
    from client.rings.deciding import RingOffice
    from client.rings.decisions import Verdict
    from client.rings.opening import open_ring_desk

    verdict = Verdict(arguments.verdict)
    terms = _terms(arguments, verdict is Verdict.FRAUD)
    with open_ring_desk(arguments.folder) as desk:
        office = RingOffice(desk)
        opened = office.rings.named(arguments.ring)
        replaced = office.decisions.waiting(opened.ring)
        made = office.decide(
            opened,
            verdict,
            arguments.operator,
            left_out=arguments.left_out,
            also=arguments.also,
            terms=terms,
        )
        would = office.listed_by(opened, made.left_out) if terms else []
        alone = office.by_own_word(opened) if terms else []
        people = office.labels(opened, would)
        before = office.filed_before(opened, made.left_out, terms) if terms else []
        out = office.labels(opened, [one for one in alone if one not in would])
    others = replaced is not None and replaced.person != made.person
    if arguments.json:
        document(
            {
                "ring": made.ring.hex(),
                "verdict": made.verdict.value,
                "step": made.step.value,
                "members_to_list": len(people),
                "would_list": people,
                "own_observations_only": out,
                **before_document(before),
                "replaces": replaced.verdict.value if replaced and others else None,
            }
        )
        return ATTENTION
    line(f"{verdict.value} proposed for ring {made.ring.hex()}")
    if replaced and others:
        line(
            f"it replaces {replaced.verdict.value}, proposed by another person on "
            f"{replaced.at[:10]} and not confirmed"
        )
    if terms:
        line(f"would list {counted(len(people), 'own member')}: {', '.join(people)}")
    for told in before_lines(before):
        line(told)
    if out:
        line(f"left out, tied by own observations alone (--also REF): {', '.join(out)}")
    line("next: another person looks and confirms (lianfang-client ring confirm RING)")
    return ATTENTION


def confirm(arguments: argparse.Namespace) -> int:
    """Another person's word; ATTENTION where filings wait or were refused."""
    from client.rings.deciding import RingOffice
    from client.rings.opening import open_ring_desk

    with open_ring_desk(arguments.folder) as desk, bars() as bar:
        office = RingOffice(desk)
        opened = office.rings.named(arguments.ring)
        done = office.confirm(opened, arguments.operator, lambda total: bar("entries", total))
    return _said(arguments, done)


def _said(arguments: argparse.Namespace, done: Confirmed) -> int:
    refused = [one for _, one in done.filed if one.refusal is not None]
    told = zip(done.filed, done.members, strict=True)
    taken = {name.hex(): ref for (name, one), ref in told if one.refusal is None}
    stand = [name.hex() for name in done.stand]
    status = ATTENTION if refused or taken or stand else DONE
    if arguments.json:
        document(
            {
                "ring": done.decision.ring.hex(),
                "verdict": done.decision.verdict.value,
                "step": done.decision.step.value,
                "entries": [*taken],
                "members": [*taken.values()],
                **before_document(done.before),
                "entries_that_stand": stand,
                "refused": [one.refusal for one in refused],
                "remedies": [one.remedy for one in refused],
            }
        )
        return status
    line(f"{done.decision.verdict.value} confirmed for ring {done.decision.ring.hex()}")
    for name, ref in taken.items():
        line(f"entry {name} filed: {ref}")
    for one in refused:
        line(f"refused by the registry: {refusal_words(one.refusal or '')}")
    for remedy in remedy_lines(one.remedy for one in refused):
        line(remedy)
    for said in before_lines(done.before):
        line(said)
    if stand:
        line(f"{counted(len(stand), 'own member')} of this ring on the shared list still, or filed")
        line(
            f"if this verdict takes that back: lianfang-client list withdraw {' '.join(stand)} "
            "--cause mistake --operator NAME --checker NAME"
        )
    if taken:
        line(
            "next: another person approves these entries (lianfang-client list approve "
            "--operator NAME)"
        )
    return status


def _terms(arguments: argparse.Namespace, fraud: bool) -> FilingTerms | None:
    """What a filing would say; OperatorError for terms that are missing, or given in vain."""
    from pathlib import Path

    from client.exchange.filing_terms import read_terms
    from client.rings.deciding import REASON

    words = {name.replace("_", "-"): getattr(arguments, name) or "" for name in _TERMS}
    if fraud:
        return read_terms({**words, "reason": REASON.value}, arguments.evidence, Path())
    if any(words.values()) or arguments.evidence:
        raise OperatorError(
            f"a verdict of {arguments.verdict} files nothing: what was said of a filing is in vain",
            remedy="leave it out, or give --verdict fraud",
        )
    return None
