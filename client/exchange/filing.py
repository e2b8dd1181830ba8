"""From subjects and terms to signed filings.

Invariants:
- What is sent of a subject are tags, and records that only who holds the identifier can open.
- A subject that this lender has listed for the same reason is not listed twice, also under partly
  other identifiers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from client.exchange.bad_rows import BadRow, refuse
from client.exchange.filed import Filed, FiledEntry
from client.exchange.filing_terms import FilingTerms
from client.exchange.secret import Secret
from client.exchange.subjects import Subject
from shared.blacklist.entry import ListingEntry, SubjectRole, SubjectToken
from shared.blacklist.events import Event, File, signed
from shared.blacklist.record import mark_of, record_of
from shared.errors import OperatorError, PeerError
from shared.identity.certificate import Identity
from shared.tokens.identifiers import Canonical
from shared.tokens.tags import seal, seal_key, tags_of


@dataclass(frozen=True)
class Writer:
    """Makes events of this lender for the registry with the code `registry`."""

    identity: Identity
    registry: str
    secret: Secret
    random: Callable[[int], bytes]

    def common(self) -> dict[str, object]:
        """The fields every event has."""
        member = self.identity.member
        return {
            "registry": self.registry,
            "event_id": self.random(16),
            "member": member.code,
            "certificate": member.certificate,
        }

    def entry(
        self,
        subject: Subject,
        terms: FilingTerms,
        tags: NDArray[np.uint8],
        *,
        epoch: int,
        maker: bytes,
        today: date,
        supersedes: bytes | None,
    ) -> ListingEntry:
        """An entry; OperatorError where the listing test fails."""
        tokens = tuple(
            SubjectToken(one.kind, tag.tobytes(), epoch, terms.role_of(one.kind))
            for one, tag in zip(subject.identifiers, tags, strict=True)
        )
        try:
            return ListingEntry(
                entry_id=self.random(16),
                list_class=terms.list_class,
                tokens=tokens,
                reason_code=terms.reason,
                severity=terms.severity,
                confidence=terms.confidence,
                event_date=terms.event_date,
                event_end_date=terms.event_end,
                listed_at=today,
                contributor=self.identity.member.code,
                product_class=terms.product,
                product_outcome=terms.outcome,
                amount_band=terms.amount,
                evidence=terms.evidence,
                legal_basis=terms.basis,
                notice=terms.notice,
                maker=maker,
                supersedes=supersedes,
            )
        except PeerError as error:  # here it is our own operator's
            raise OperatorError(error.what, remedy="see docs/institution.md") from error

    def filings(
        self,
        subjects: Sequence[Subject],
        terms: Sequence[FilingTerms],
        outputs: NDArray[np.uint8],
        *,
        epoch: int,
        maker: bytes,
        today: date,
        supersedes: bytes | None,
    ) -> tuple[list[FiledEntry], list[Event]]:
        """What is kept and what is sent of some subjects, each under its terms; `outputs` (m, 64)
        of all their identifiers in order. OperatorError names all that fail the listing test.
        """
        records: list[FiledEntry] = []
        events: list[Event] = []
        bad: list[BadRow] = []
        start = 0
        for subject, one in zip(subjects, terms, strict=True):
            rows = outputs[start : start + len(subject.identifiers)]
            start += len(subject.identifiers)
            try:
                entry = self.entry(
                    subject,
                    one,
                    tags_of(rows, epoch),
                    epoch=epoch,
                    maker=maker,
                    today=today,
                    supersedes=supersedes,
                )
            except OperatorError as error:
                bad.append(BadRow(subject.line, error.what))
                continue
            records.append(FiledEntry(entry, subject.identifiers))
            events.append(self.filing(entry, rows))
        refuse(bad, "the listing test", "see docs/institution.md; nothing was sent")
        return records, events

    def filing(self, entry: ListingEntry, outputs: NDArray[np.uint8]) -> File:
        """The signed filing of an entry; `outputs` (m, 64) of its tokens, in order."""
        event = File(**self.common(), entry=entry, sealed=self.sealed(entry, entry.tokens, outputs))  # type: ignore[arg-type]
        return signed(event, self.identity.private)

    def sealed(
        self, entry: ListingEntry, tokens: Sequence[SubjectToken], outputs: NDArray[np.uint8]
    ) -> tuple[bytes, ...]:
        """The records of some tokens of an entry, each sealed for who holds the identifier."""
        made = []
        for token, output in zip(tokens, outputs, strict=True):
            mark = mark_of(self.secret.derived(b"mark"), token.token)
            text = record_of(entry, token, mark).text()
            made.append(seal(seal_key(output), text, token.token, self.random))
        return tuple(made)

    def renewed(
        self,
        filed: FiledEntry,
        parts: Sequence[tuple[str, str]],
        epoch: int,
        outputs: Callable[[Sequence[Canonical]], NDArray[np.uint8]],
    ) -> tuple[tuple[SubjectToken, ...], tuple[bytes, ...]]:
        """Tokens and records of an entry under the key of another epoch, of the parts still in
        force (kind and role each).
        """
        wanted = {*parts}
        held = [
            (one, token.role)
            for one, token in zip(filed.identifiers, filed.entry.tokens, strict=True)
            if (one.kind, token.role) in wanted
        ]
        made = outputs([one for one, _ in held])
        tokens = tuple(
            SubjectToken(one.kind, tag.tobytes(), epoch, SubjectRole(role))
            for (one, role), tag in zip(held, tags_of(made, epoch), strict=True)
        )
        return tokens, self.sealed(filed.entry, tokens, made)


def refuse_repeated(
    subjects: Sequence[Subject], terms: Sequence[FilingTerms], filed: Filed, *, again: bool
) -> None:
    """OperatorError when a subject stands twice in what is filed, or (unless `again`, as an entry
    that supersedes does) is filed by this lender already; it names all of them.
    """
    seen: dict[bytes, int] = {}
    bad: list[BadRow] = []
    for subject, one in zip(subjects, terms, strict=True):
        marks = filed.marks(one.reason, subject.identifiers)
        before = [seen[mark] for mark in marks if mark in seen]
        seen |= dict.fromkeys(marks - seen.keys(), subject.line)
        known = None if again else filed.same(one.reason, subject.identifiers)
        if before:
            bad.append(BadRow(subject.line, f"the same subject and reason as line {min(before)}"))
        elif known is not None:
            said = f"this lender has filed that subject for {one.reason}: entry {known.hex()}"
            bad.append(BadRow(subject.line, said))
    refuse(
        bad,
        "the same subject, by one strong identifier, for the same reason",
        "`list own` shows what such an entry waits for, `list sync` sends what is still kept here; "
        "--supersedes replaces one; of rows about one subject file one. Nothing was sent",
    )
