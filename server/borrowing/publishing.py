"""Making a version of the table: what is told of each subject, to everybody and to each lender.

    events ──records_of──▶ records ──name, salt──▶ tag, key ──seal──▶ rows, sorted by tag

Invariants:
- Rows say nothing by order, size or name: tags are drawn anew with each version's salt, records
  have one size, and rows are filled up with random ones to a multiple of FILL.
- Nothing is told before `contributors` lenders have events in their term; then an empty table is
  published where there was one before.
- Rows are durable before their head is, and the head before anybody can have it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from server.borrowing.store import EVENT, Store
from shared.blacklist.checkpoint import BEGINNING
from shared.borrowing.answer import Answer
from shared.borrowing.events import Events
from shared.borrowing.records import Records, records_of
from shared.borrowing.rows import ROW_BYTES, keys_of, own_names, tags_of
from shared.borrowing.sealed import seal_answer
from shared.borrowing.table import SALT_BYTES, TableHead, rows_digest
from shared.borrowing.terms import LenderClass
from shared.identity.certificate import Identity
from shared.secure_sum.encoding import text_of

FILL = 256
Bytes = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Published:
    """What the store holds, as the counting wants it. `rows`: as in the file; `events`: the same
    rows, `subject` a place in `subjects` (s, 32), `lender` a place in the other three: lenders
    without an event are not there.
    """

    rows: NDArray[np.void]
    events: Events
    subjects: Bytes
    codes: tuple[str, ...]
    classes: NDArray[np.uint8]
    owns: tuple[bytes, ...]
    epochs: tuple[int, ...]

    @classmethod
    def read(cls, connection: sqlite3.Connection, of: Mapping[str, LenderClass]) -> Published:
        """All of it; `of`: the class of each lender. One that is not named any more is NBANK."""
        members = connection.execute(
            "SELECT number, code, own FROM members "
            "WHERE number IN (SELECT member FROM events) ORDER BY number"
        ).fetchall()
        names = "subject, member, reference, kind, day, id_kind, bits, band, epoch"
        found = connection.execute(f"SELECT {names} FROM events").fetchall()  # noqa: S608
        rows = np.empty(len(found), EVENT)
        for at, name in enumerate(EVENT.names or ()):
            column = [row[at] for row in found]
            if name in ("subject", "reference"):
                width = EVENT[name].shape[0]
                rows[name] = np.frombuffer(b"".join(column), np.uint8).reshape(-1, width)
            else:
                rows[name] = column
        subjects, subject = _numbered(rows["subject"])
        _, reference = _numbered(rows["reference"])
        numbers = np.array([number for number, *_ in members], np.int64)
        events = Events(
            subject=subject,
            kind=rows["kind"],
            day=rows["day"],
            lender=np.searchsorted(numbers, rows["member"]),
            id_kind=rows["id_kind"],
            bits=rows["bits"],
            band=rows["band"],
            reference=reference,
        )
        return cls(
            rows,
            events,
            subjects,
            tuple(code for _, code, _ in members),
            np.array([of.get(code, LenderClass.NBANK) for _, code, _ in members], np.uint8),
            tuple(own for *_, own in members),
            tuple(int(one) for one in np.unique(rows["epoch"])),
        )


def publish(
    store: Store,
    identity: Identity,
    last: TableHead | None,
    *,
    day: date,
    at: int,
    contributors: int,
    classes: Mapping[str, LenderClass],
    random: Callable[[int], bytes],
) -> TableHead | None:
    """Make the next version; None while too few have contributed and nothing was published yet.

    `day`: events before it are counted; `at`: seconds since 1970.
    """
    with store.transaction() as connection:
        there, log = Published.read(connection, classes), _log_head(connection)
    enough = len(np.unique(there.events.lender)) >= contributors
    if not enough and last is None:
        return None
    salt = random(SALT_BYTES)
    rows = _rows(there, day, salt, random) if enough else b""
    version = 1 if last is None else last.version + 1
    store.keep_table(version, rows)
    content = rows_digest(rows)
    head = TableHead(
        registry=identity.member.code,
        certificate=identity.member.certificate,
        version=version,
        before=BEGINNING if last is None else last.head,
        changes=content,
        content=content,
        rows=len(rows) // ROW_BYTES,
        epochs=there.epochs,
        at=at,
        log=log,
        day=day,
        salt=salt,
    ).signed(identity.private)
    with store.transaction() as connection:
        connection.execute("INSERT INTO heads VALUES (?, ?)", (version, text_of(head)))
    store.drop_tables(but=version)
    return head


def names_of(there: Published, records: Records) -> Bytes:
    """(r, 32): what each record is called; of a general one the subject's token itself."""
    names = there.subjects[records.subject].copy()
    for lender, code in enumerate(there.codes):
        own = records.lender == lender
        names[own] = own_names(there.owns[lender], code, names[own])
    return names


def _rows(there: Published, day: date, salt: bytes, random: Callable[[int], bytes]) -> bytes:
    records = records_of(there.events, day.toordinal(), there.classes)
    names = names_of(there, records)
    made = []
    for tag, key, bands in zip(
        tags_of(names, salt), keys_of(names, salt), records.bands, strict=True
    ):
        answer = Answer(day.toordinal(), tuple(bands.tolist()))
        made.append(tag.tobytes() + seal_answer(key.tobytes(), tag.tobytes(), answer, random))
    made += [random(ROW_BYTES) for _ in range(-len(made) % FILL)]
    return b"".join(sorted(made))


def _numbered(keys: Bytes) -> tuple[Bytes, NDArray[np.int64]]:
    """Distinct keys (s, w), ascending, and the place of each of (n, w) among them."""
    width = keys.shape[1]
    packed = np.ascontiguousarray(keys).view(f"V{width}").reshape(-1)
    if not len(packed):
        return keys, np.zeros(0, np.int64)
    distinct, place = np.unique(packed, return_inverse=True)
    return distinct.view(np.uint8).reshape(-1, width), place.reshape(-1)


def _log_head(connection: sqlite3.Connection) -> bytes:
    row = connection.execute("SELECT head FROM pages ORDER BY seq DESC LIMIT 1").fetchone()
    return BEGINNING if row is None else bytes(row[0])
