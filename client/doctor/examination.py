"""All checks in order, from the machine to the coordinator.

Invariants:
- Every check is made, whatever the others find; what one raises is a line like any other. Where
  nothing has joined that alone is told.
- Nothing is changed, nothing is sent but what a node asks anyway, and no row's value is shown.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from client.doctor import asked, gate, identity, machine, rows
from client.doctor.advice import Advice, wrong
from client.renewal import Membership, membership
from client.terms import read_consortium
from shared.errors import LianfangError
from shared.schema import Schema
from shared.training.consortium import FILE as CONSORTIUM


def _now() -> datetime:
    return datetime.now(UTC)


def examine(
    folder: Path, *, network: bool = True, clock: Callable[[], datetime] = _now
) -> Iterator[Advice]:
    """A line for each thing looked at, as soon as it is known."""
    yield from _told("versions", machine.versions)
    strange = machine.folder(folder)
    if folder.is_dir():
        yield from _told("disk", lambda: [machine.disk(folder)])
        yield from _told("locks", lambda: [machine.locks(folder)])
    if strange is not None:
        yield strange
        return
    yield from _told("privacy", lambda: [machine.privacy(folder)])
    yield from _told("settings", lambda: identity.settings(folder))
    found: list[Membership] = []
    yield from _told("settings", lambda: found.append(membership(folder)))
    if found:
        member = found[0]
        yield from _told("certificates", lambda: identity.certificates(member, clock()))
        yield from _told("members", lambda: identity.members(member))
    yield from _told("table", lambda: rows.rows(folder, _schema(folder)))
    if found:
        yield from _told(
            "asked", lambda: asked.asked(folder, found[0].code, clock, network=network)
        )
    if found and network:
        yield from _told("gate", lambda: gate.gate(found[0], clock))


def _schema(folder: Path) -> Schema:
    return read_consortium(folder / CONSORTIUM).schema


def _told(subject: str, check: Callable[[], Iterable[Advice] | None]) -> Iterator[Advice]:
    try:
        yield from check() or ()
    except LianfangError as error:
        yield wrong(subject, error.what, error.remedy or "see docs/institution.md")
    except Exception as error:  # noqa: BLE001 - its text may quote rows: only kind and place are told
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}:{place.lineno}"
        yield wrong(subject, f"{type(error).__name__} at {where}", "report it with this line")
