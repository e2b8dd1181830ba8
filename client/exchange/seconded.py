"""Other lenders' entries that this lender approved as second institution, and whom they are about.

    own/filed/seconded.db   one sealed record an entry: its subject's identifiers, the hash of this
                            lender's own evidence, what was approved

Invariants:
- A record is on the disk before the approval is sent: it is what re-filed tokens are compared with.
- It is forgotten 60 days after none of the tokens approved was on the list any more, as what it
  stands for is over then. Identifiers are sealed, and never sent, logged or shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from client.exchange.sealed_database import SealedDatabase
from client.exchange.secret import Secret
from shared.tokens.identifiers import Canonical

FILE = "seconded.db"
_GONE = timedelta(days=60)
_FORM = 1
_TABLES = ("seconded (entry_id blob primary key, seen text not null, sealed blob not null)",)


@dataclass(frozen=True)
class SecondedEntry:
    """What this lender stands for. `evidence`: hash of its own; `approved`: key epoch → tags of 32
    bytes; `seen`: the day it was approved, or later on which a tag of it was on the list.
    """

    entry_id: bytes
    reason_code: str
    severity: int
    identifiers: tuple[Canonical, ...] = field(repr=False)
    evidence: bytes
    approved: Mapping[int, tuple[bytes, ...]]
    seen: date


class Seconded:
    """The records in `folder`. Every method raises OperatorError when the disk does not do its
    part.
    """

    def __init__(self, folder: Path, secret: Secret, random: Callable[[int], bytes]) -> None:
        key = secret.derived(b"seconded")
        self._database = SealedDatabase(folder / FILE, _TABLES, _FORM, key, random)

    def close(self) -> None:
        """Let the file go."""
        self._database.close()

    def keep(self, record: SecondedEntry) -> None:
        """Durably, in place of what was kept of the entry before."""
        content = {
            "reason": record.reason_code,
            "severity": record.severity,
            "identifiers": [[one.kind, one.value] for one in record.identifiers],
            "evidence": record.evidence.hex(),
            "approved": [
                [epoch, *(tag.hex() for tag in tags)] for epoch, tags in record.approved.items()
            ],
        }
        sealed = self._database.sealed(record.entry_id, content)
        row = (record.entry_id, record.seen.isoformat(), sealed)
        self._database.change(("insert or replace into seconded values (?, ?, ?)", [row]))

    def entry(self, entry_id: bytes) -> SecondedEntry | None:
        """What was kept of an entry; None: nothing."""
        return next(self._found("where entry_id = ?", (entry_id,)), None)

    def entries(self) -> list[SecondedEntry]:
        """All of them."""
        return [*self._found("order by entry_id")]

    def forget(self, entry_id: bytes) -> None:
        """This lender does not stand for it (any more)."""
        self._database.change(("delete from seconded where entry_id = ?", [(entry_id,)]))

    def prune(self, is_listed: Callable[[Sequence[bytes]], bool], today: date) -> int:
        """Forget what is over; how many. `is_listed`: whether one of some tags is on the list."""
        over = []
        for record in self.entries():
            if is_listed([tag for tags in record.approved.values() for tag in tags]):
                row = (today.isoformat(), record.entry_id)
                self._database.change(("update seconded set seen = ? where entry_id = ?", [row]))
            elif today - record.seen > _GONE:
                over.append(record.entry_id)
        for entry_id in over:
            self.forget(entry_id)
        return len(over)

    def _found(self, where: str, values: Sequence[object] = ()) -> Iterator[SecondedEntry]:
        query = f"select entry_id, seen, sealed from seconded {where}"  # noqa: S608 - own words
        for entry_id, seen, sealed in self._database.rows(query, values):
            content = self._database.opened(entry_id, sealed)
            yield SecondedEntry(
                entry_id=entry_id,
                reason_code=content["reason"],
                severity=content["severity"],
                identifiers=tuple(Canonical(*one) for one in content["identifiers"]),
                evidence=bytes.fromhex(content["evidence"]),
                approved={
                    epoch: tuple(map(bytes.fromhex, tags)) for epoch, *tags in content["approved"]
                },
                seen=date.fromisoformat(seen),
            )
