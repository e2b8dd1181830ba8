"""A file of borrowing events: one application, loan opened or loan closed a row.

    event          application, loan_opened or loan_closed
    day            2026-01-31, or with the time of day, 2026-01-31 23:15, for applications
    reference      the lender's own number of the application or loan; a closing has its opening's
    amount         of a loan, in the consortium's currency; optional
    resident_id, phone, device …    as in a book

Invariants:
- One row that cannot be read, and nothing of the file is told; all of them are named at once.
- An amount becomes a band, and a time of day one bit, before anything is made of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import Path

from client.exchange.bad_rows import BadRow, refuse
from client.exchange.subjects import Subject, read_subjects
from shared.borrowing.terms import (
    LONGEST_OPEN,
    NIGHT,
    TTL_DAYS,
    WEEKEND,
    IdKind,
    Kind,
    amount_band,
)
from shared.errors import OperatorError
from shared.schema.finding import masked
from shared.tokens.identifiers import Canonical

ENTRIES = ("event", "day", "reference", "amount")
EVENTS: Mapping[str, Kind] = {
    "application": Kind.APPLICATION,
    "loan_opened": Kind.OPENED,
    "loan_closed": Kind.CLOSED,
}
_PEOPLE = ("resident_id", "passport", "permit", "uscc", "tax_id", "national_id")
_LONGEST = 100
_NIGHT_FROM, _NIGHT_TO = time(22), time(6)
_NOTHING = "nothing was contributed"


@dataclass(frozen=True)
class Told:
    """An event as it is in the file. `identifiers`: of its subject, with their kinds."""

    line: int
    identifiers: tuple[tuple[IdKind, Canonical], ...] = field(repr=False)
    kind: Kind
    day: date
    reference: str = field(repr=False)
    bits: int
    band: int


def id_kind_of(kind: str) -> IdKind | None:
    """What borrowing is counted by; None: not by such identifiers."""
    if kind == "phone":
        return IdKind.PHONE
    if kind == "device":
        return IdKind.DEVICE
    return IdKind.ID if kind.partition(":")[0] in _PEOPLE else None


def known(identifiers: tuple[Canonical, ...]) -> tuple[tuple[IdKind, Canonical], ...]:
    """Those that borrowing is counted by, with their kinds."""
    found = ((id_kind_of(one.kind), one) for one in identifiers)
    return tuple((kind, one) for kind, one in found if kind is not None)


def read_events(
    path: Path, *, today: date, columns: Mapping[str, str]
) -> tuple[list[Told], tuple[int, ...]]:
    """The events of a CSV or Parquet file, and the lines of those left out as they are out of their
    term. OperatorError, which names all rows that are wrong, or says that there is none.
    """
    subjects = read_subjects(path, today=today, columns=columns, entries=ENTRIES, nothing=_NOTHING)
    if not subjects:
        raise OperatorError(
            f"{path.name} has no rows; {_NOTHING}", remedy="give a file with an event a row"
        )
    events, bad = [], []
    for subject in subjects:
        try:
            events.append(_told(subject, today))
        except OperatorError as error:
            bad.append(BadRow(subject.line, f"{error.what}; {error.remedy}"))
    refuse(bad, path.name, f"mend them; {_NOTHING}")
    there = _in_term(events, today)
    stay = {one.line for one in there}
    return there, tuple(one.line for one in events if one.line not in stay)


def _told(subject: Subject, today: date) -> Told:
    words, identifiers = subject.words, known(subject.identifiers)
    if not identifiers:
        raise OperatorError(
            "no identifier that borrowing is counted by",
            remedy="give a resident_id (or passport …), phone or device",
        )
    kind = EVENTS.get(words.get("event", "").lower().replace(" ", "_").replace("-", "_"))
    if kind is None:
        raise OperatorError(
            f"event {masked(words.get('event', ''))!r}", remedy=f"it is {', '.join(EVENTS)}"
        )
    moment = _moment(words.get("day", ""), today)
    return Told(
        subject.line,
        identifiers,
        kind,
        moment.date(),
        _reference(words.get("reference", "")),
        _bits(moment) if kind is Kind.APPLICATION else 0,
        _band(words.get("amount", "")) if kind is Kind.OPENED else 0,
    )


def _moment(text: str, today: date) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise OperatorError(
            f"day {masked(text)!r} is no day", remedy="write it as 2026-01-31 or 2026-01-31 23:15"
        ) from None
    if moment.date() > today:
        raise OperatorError(f"day {moment.date()} is still to come", remedy="check it")
    return moment


def _reference(text: str) -> str:
    if not 1 <= len(text) <= _LONGEST:
        raise OperatorError(
            "no reference" if not text else "a reference that is too long",
            remedy="give your own number of the application or loan, up to 100 characters; it "
            "does not leave this machine, and tells two events apart",
        )
    return text


def _bits(moment: datetime) -> int:
    at = moment.time()
    told = at != time(0)  # midnight is how a day without a time reads
    night = told and (at >= _NIGHT_FROM or at < _NIGHT_TO)
    return (NIGHT if night else 0) | (WEEKEND if moment.weekday() >= 5 else 0)


def _band(text: str) -> int:
    if not text:
        return 0
    try:
        amount = float(text.replace(",", ""))
        if not 0 <= amount < 1e12:
            raise ValueError
    except ValueError:
        raise OperatorError(
            f"amount {masked(text)!r} is no amount", remedy="write it as 20000 or 20000.00"
        ) from None
    return int(amount_band([amount])[0])


def _in_term(events: Sequence[Told], today: date) -> list[Told]:
    """Without what the desk would erase. An old closing stays where its loan is not in the file:
    the desk may hold that, and take it for open.
    """
    ended = {one.reference: one.day for one in events if one.kind is Kind.CLOSED}
    opened = {one.reference for one in events if one.kind is Kind.OPENED}

    def is_there(one: Told) -> bool:
        if one.kind is Kind.APPLICATION:
            return (today - one.day).days <= TTL_DAYS
        over = (today - ended.get(one.reference, today)).days > TTL_DAYS
        if one.kind is Kind.CLOSED:
            return not over or one.reference not in opened
        return not over and (one.reference in ended or (today - one.day).days <= LONGEST_OPEN)

    return [one for one in events if is_there(one)]
