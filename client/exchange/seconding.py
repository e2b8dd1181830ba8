"""Standing for another lender's entry: as second institution, and again when it is re-filed.

    shown by the registry ─► tags are this lender's own? records say the same? ─► keep ─► Approve

Invariants:
- Only an entry that is about subjects this lender can identify itself is approved, every token of
  it, on evidence of its own.
- The sealed records are opened before: whoever will be answered from them reads the severity and
  the reason class that were approved.
- What was approved is kept, so that tokens under a new key are approved again only if they are of
  the same subject. What differs is told, and not approved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from client.exchange.decisions import Decisions
from client.exchange.own_tokens import OwnTokens
from client.exchange.parties import Progress, TheRegistry, no_progress
from client.exchange.seconded import Seconded, SecondedEntry
from client.exchange.submissions import Settled
from shared.blacklist.reasons import REASONS, ReasonCode
from shared.blacklist.record import Record, read_record
from shared.blacklist.waiting import WaitingEntry
from shared.errors import LianfangError, OperatorError, PeerError
from shared.tokens.identifiers import Canonical
from shared.tokens.tags import open_sealed, seal_key, tags_of

Outputs = Mapping[bytes, NDArray[np.uint8]]
"""Tag → the key's output (64,)."""


@dataclass(frozen=True)
class Again:
    """`approved`: how many re-filed entries; `refused`: why others were not; `remedies`: what to do
    about each of those, perhaps nothing.
    """

    approved: int
    refused: tuple[str, ...]
    remedies: tuple[str, ...] = ()


@dataclass(frozen=True)
class Seconding:
    """Approvals of other lenders' entries, sent to `registry` and remembered in `kept`."""

    tokens: OwnTokens
    decisions: Decisions
    kept: Seconded
    registry: TheRegistry

    def approve(
        self,
        waiting: WaitingEntry,
        identifiers: Sequence[Canonical],
        evidence: bytes,
        checker: str,
        today: date,
    ) -> Settled:
        """Approve what waits. OperatorError unless it is only about the identifiers given;
        PeerError unless its records say what is shown. Then nothing was sent.
        """
        held = self._outputs(identifiers, waiting.epoch, "filing")
        others = len({*waiting.tags} - held.keys())
        if others:  # one identifier that fits must not carry a stranger's along
            fits = f"{others} of its {len(waiting.tags)} identifiers are not among those given"
            raise OperatorError(
                f"entry {waiting.name.hex()} is not only about the subject given: {fits}",
                remedy="give every identifier of your own case; approve only what it is about. "
                "Nothing was sent",
            )
        check_records(waiting, held)
        record = SecondedEntry(
            entry_id=waiting.name,
            reason_code=waiting.reason_code,
            severity=waiting.severity,
            identifiers=tuple(identifiers),
            evidence=evidence,
            approved={},
            seen=today,
        )
        return self._sent(waiting, record, checker, today)

    def approve_again(
        self,
        epochs: Sequence[int],
        checker: str,
        today: date,
        progress: Progress = no_progress,
    ) -> Again:
        """Approve what waits of entries this lender stands for already, in these key epochs."""
        if not self.kept.entries():
            return Again(0, ())
        waiting = [one for one in self.registry.waiting() if isinstance(one, WaitingEntry)]
        records = [(one, self.kept.entry(one.name)) for one in waiting if one.epoch in epochs]
        mine = [(one, record) for one, record in records if record is not None]
        for epoch in sorted({one.epoch for one, _ in mine}):  # all of them at once, and kept
            everybody = [
                held for one, record in mine if one.epoch == epoch for held in record.identifiers
            ]
            self.tokens.outputs(everybody, epoch, "rotation", progress)
        approved = 0
        refused: list[tuple[str, str]] = []
        for one, record in mine:
            try:
                self._check_same(one, record)
            except PeerError as error:
                refused.append((error.what, error.remedy))
                continue
            settled = self._sent(one, record, checker, today)
            approved += settled.receipt is not None
            if settled.refusal is not None:
                refused.append((settled.refusal, settled.remedy))
        reasons, remedies = tuple(one for one, _ in refused), tuple(one for _, one in refused)
        return Again(approved, reasons, remedies)

    def _check_same(self, waiting: WaitingEntry, record: SecondedEntry) -> None:
        held = self._outputs(record.identifiers, waiting.epoch, "rotation")
        about = f"entry {waiting.name.hex()}, which this lender approved, was re-filed"
        if not {*waiting.tags} <= held.keys():
            raise PeerError(f"{about} about somebody else: not approved again; dispute it")
        if (waiting.reason_code, waiting.severity) != (record.reason_code, record.severity):
            raise PeerError(f"{about} with another reason or severity: not approved again")
        check_records(waiting, held)

    def _sent(
        self, waiting: WaitingEntry, record: SecondedEntry, checker: str, today: date
    ) -> Settled:
        """Keep, then send; what the registry refuses was not approved."""
        before = self.kept.entry(waiting.name)
        known = {} if before is None else before.approved
        approved = {**known, waiting.epoch: waiting.tags}
        event = self.decisions.seconded(waiting, checker, record.evidence)
        self.kept.keep(replace(record, approved=approved, seen=today))
        (settled,) = self.registry.submit([event])
        if settled.receipt is None and before is None:
            self.kept.forget(waiting.name)
        elif settled.receipt is None and before is not None:
            self.kept.keep(before)
        return settled

    def _outputs(self, identifiers: Sequence[Canonical], epoch: int, purpose: str) -> Outputs:
        outputs = self.tokens.outputs(identifiers, epoch, purpose)
        pairs = zip(tags_of(outputs, epoch), outputs, strict=True)
        return {tag.tobytes(): output for tag, output in pairs}


def check_records(waiting: WaitingEntry, held: Outputs) -> None:
    """PeerError unless the sealed records, opened, say what is shown of the entry. `held`: outputs
    of all its tags.
    """
    reason = REASONS[ReasonCode(waiting.reason_code)]
    for tag, sealed in zip(waiting.tags, waiting.sealed, strict=True):
        try:
            record: Record = read_record(open_sealed(seal_key(held[tag]), sealed, tag))
        except LianfangError as error:
            raise _lying(waiting, "does not open with its own identifier") from error
        if record.severity != waiting.severity:
            raise _lying(waiting, f"says severity {record.severity}, not {waiting.severity}")
        if record.reason_class is not reason.reason_class:
            raise _lying(waiting, f"says {record.reason_class}, not {reason.reason_class}")
        if record.list_class not in reason.list_classes:
            raise _lying(waiting, f"says {record.list_class}, which {waiting.reason_code} is not")


def _lying(waiting: WaitingEntry, what: str) -> PeerError:
    return PeerError(
        f"a sealed record of entry {waiting.name.hex()} {what}: nothing was sent",
        remedy="approve nothing of it, and tell the registry's operator: it is not what is shown",
    )
