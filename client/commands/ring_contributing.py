"""`ring contribute` and `ring retract`: what this lender says to the case desk, and takes back."""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from client.commands.printing import ATTENTION, DONE, bars, document, line, note
from client.commands.words import counted
from shared.errors import OperatorError

if TYPE_CHECKING:
    from client.exchange.parties import Progress
    from client.rings.outcomes import Contribution, Kept
    from client.rings.taken_back import Counted

_SHOWN = 20
Bar = Callable[[str, int | None], Callable[[int], None]]


def named(bar: Bar) -> Callable[[str], Progress]:
    """Bars of the desk: a name, then how many."""
    return lambda name: lambda total: bar(name, total)


def contribute(arguments: argparse.Namespace) -> int:
    """Keep a file, wait for the drawn moment, do what the week asks for."""
    from client.exchange.kept import goes_on
    from client.rings.opening import open_ring_desk

    again = goes_on("what is kept here is sent then, and nothing twice")
    kept = None
    with open_ring_desk(arguments.folder) as desk, bars() as bar, again:
        if arguments.edges is None:
            desk.chosen(arguments.case)
        else:
            bad_too = arguments.without_bad_rows
            kept = desk.keep(arguments.case, arguments.edges, without_bad=bad_too, bars=named(bar))
            _check_not_empty(kept, arguments.edges)
    _tell_bad(kept)
    if not arguments.now:
        _wait(arguments.folder)
    again = goes_on("what is kept here is sent then, and nothing twice")
    with open_ring_desk(arguments.folder) as desk, bars() as bar, again:
        done = desk.send(arguments.case, kept, bars=named(bar))
    if arguments.json:
        document(_contributed(done))
    else:
        for told in _contribution_lines(done):
            line(told)
    bad = done.found is not None and done.found.bad
    return ATTENTION if bad or done.sent.late or _all_left_out(done) else DONE


def _check_not_empty(kept: Kept, path: Path) -> None:
    """A failed export must not use up the week's pages, which leave once."""
    found = kept.found
    if not (found.rows or found.outside or found.empty or found.bad):
        raise OperatorError(
            f"{path.name}: the file has no rows; nothing was sent",
            remedy="export it again; without a file only what is kept here leaves",
        )


def _wait(folder: Path) -> None:
    from client.rings.moment import drawn_moment, wait_until, window_of
    from client.rings.opening import SECTION

    now = datetime.now(UTC)
    moment = drawn_moment(now, window_of(folder, SECTION), secrets.token_bytes)
    if moment > now:
        note(
            f"pages leave at {moment.astimezone():%Y-%m-%d %H:%M %Z}, a moment drawn here "
            "(--now: at once); if this is stopped before, give the command again: all is kept"
        )
    wait_until(moment, lambda: datetime.now(UTC))


def retract(arguments: argparse.Namespace) -> int:
    """Count what would be taken back; with --yes take it back."""
    from client.rings.opening import open_ring_desk

    if arguments.edges is None and not arguments.ref:
        raise OperatorError(
            "nothing was named that is to be taken back",
            remedy="give the file that was contributed, or --ref REF of a customer",
        )
    with open_ring_desk(arguments.folder) as desk, bars() as bar:
        case, found = desk.take_back(
            arguments.case,
            arguments.edges,
            arguments.ref,
            really=arguments.yes,
            bars=named(bar),
        )
    if arguments.json:
        document(
            {
                "case": case.name,
                "never_sent": found.here,
                "sent": found.sent,
                "people": found.people,
                "taken_back_before": found.before,
                "unknown": found.unknown,
                "done": bool(arguments.yes),
            }
        )
    else:
        for told in _retract_lines(found, done=arguments.yes):
            line(told)
    return ATTENTION if found.unknown or not arguments.yes else DONE


def _retract_lines(found: Counted, *, done: bool) -> list[str]:
    all_of_it = counted(found.here + found.sent, "observation")
    people = counted(found.people, "person", "people")
    verb = "taken back" if done else "would be taken back"
    lines = [f"{all_of_it} of {people} {verb}"]
    if found.here:
        gone = "forgotten here" if done else "to be forgotten here"
        lines.append(f"{found.here:,} of them never left: {gone}")
    if found.sent:
        lines.append(
            f"{found.sent:,} of them are with the desk, or may be: they are erased there when the "
            "week's pages that take them back are in (ring contribute)"
        )
    if found.before:
        lines.append(f"{counted(found.before, 'observation')} taken back already")
    if found.unknown:
        unknown = counted(found.unknown, "row or reference", "rows or references")
        lines.append(f"{unknown} that stand for nothing kept here (any more)")
    if not (found.here or found.sent):
        lines.append("nothing was done: is it the right file, folder and case?")
    elif not done:
        lines.append("nothing was done: give it again with --yes")
    return lines


def _tell_bad(kept: Kept | None) -> None:
    bad = () if kept is None else kept.found.bad
    for one in bad[:_SHOWN]:
        note(f"left out: line {one.line}: {one.what}")
    if len(bad) > _SHOWN:
        note(f"… and {len(bad) - _SHOWN:,} more")


def _all_left_out(done: Contribution) -> bool:
    """Whether a file was given and no row of it was anything to contribute."""
    return done.found is not None and not done.found.rows


def _contributed(done: Contribution) -> dict[str, object]:
    found, sent = done.found, done.sent
    return {
        "case": done.case.name,
        "observations": 0 if found is None else len(found.rows),
        "new": done.new,
        "bad_rows": 0 if found is None else len(found.bad),
        "outside_the_case": 0 if found is None else found.outside,
        "without_value": 0 if found is None else found.empty,
        "week": done.case.monday(sent.week).isoformat(),
        "stage": sent.stage,
        "pages_sent": sent.pages,
        "on_pages": sent.items,
        "waiting": sent.waiting,
        "shared_attributes": sent.shared,
        "late_rounds": sent.late,
    }


def _contribution_lines(done: Contribution) -> list[str]:
    found, sent, lines = done.found, done.sent, []
    if found is not None:
        lines.append(
            f"{counted(len(found.rows), 'observation')} of "
            f"{counted(len(found.people), 'person', 'people')}, {done.new:,} of them new"
        )
        if found.outside:
            first, last = done.case.first_monday, done.case.monday(done.case.weeks)
            lines.append(
                f"{counted(found.outside, 'row')} not of the case's weeks or kinds: the case takes "
                f"{first} to {last - timedelta(days=1)}"
            )
        if found.empty:
            lines.append(f"{counted(found.empty, 'row')} without a value")
    week = f"week of {done.case.monday(sent.week)}"
    if sent.late:
        lines.append(
            f"{counted(sent.late, 'round')} closed before all pages were answered: what was on "
            "them goes on the next pages"
        )
    if sent.stage is None:
        lines.append(f"{week}: the case desk collects nothing now; give the command again later")
        return lines
    what = "pairs to be counted" if sent.stage == "count" else "observations of what is shared"
    if sent.items:
        lines.append(f"{week}: {sent.items:,} {what} on its pages, the rest filled up")
    pages = counted(sent.pages, "page") + " sent and receipted"
    lines.append(f"{week}: {pages if sent.pages else 'all pages were sent before'}")
    if sent.waiting:
        lines.append(f"{sent.waiting:,} {what} wait for the next week's pages")
    if sent.shared:
        lines.append(
            f"{counted(sent.shared, 'attribute')} known to be shared by two people or more"
        )
    return lines
