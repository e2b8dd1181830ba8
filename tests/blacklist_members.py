"""Members who file: entries and signed events for tests, the same every time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from hashlib import sha256, shake_256
from typing import Any

from server.authority import Authority, create_authority, issue
from shared.blacklist import events
from shared.blacklist.approval import filing_digest, refiling_digest
from shared.blacklist.entry import (
    AmountBand,
    Channel,
    Evidence,
    LegalBasis,
    ListingEntry,
    Notice,
    ProductClass,
    ProductOutcome,
    SubjectRole,
    SubjectToken,
)
from shared.blacklist.events import event_digest, signed
from shared.blacklist.reasons import Confidence, EvidenceKind, ListClass, ReasonCode
from shared.blacklist.record import mark_of, record_of
from shared.blacklist.row_names import row_names
from shared.blacklist.state import EntryState
from shared.identity.certificate import Identity, Role, identity_of, public_of
from shared.tokens.signed_keys import SignedKeys, confirm, gathered
from shared.tokens.sodium import Sodium
from shared.tokens.tags import seal
from tests.dealt_keys import deal
from tests.identities import NOW, fixed_random

TODAY = NOW.date()
REGISTRY = "REG"
FOUNDED, DAYS = datetime(2024, 1, 1, tzinfo=UTC), 8000
"""Certificates are valid today, as TLS asks, and for as long as entries live."""
AUTHORITY = create_authority(
    "Five lenders", days=DAYS + 99, now=FOUNDED, random=fixed_random("list authority")
)
HOLDERS = ("K1", "K2", "K3")
CONSORTIUM = "Five lenders"


def member(code: str, role: Role = "lender", authority: Authority = AUTHORITY) -> Identity:
    """A member with a key of its own, certified for years."""
    random = fixed_random(f"{role} {code}")
    private = random(32)
    issued = issue(authority, code, role, public_of(private), days=DAYS, now=FOUNDED, random=random)
    return identity_of(issued, private, authority.certificate, NOW)


@cache
def signed_keys(
    epoch: int, context: str = CONSORTIUM, holders: tuple[str, ...] = HOLDERS, seed: str = ""
) -> SignedKeys:
    """A true key of an epoch, any two of whose holders answer, with all their signatures; another
    one for another seed.
    """
    random = fixed_random(f"key {seed or epoch} {holders}")
    shares = deal(Sodium(), context, epoch, 2, len(holders), random)
    identities = [member(code, "keyholder") for code in holders]
    said = [confirm(one, shares[0].keys, holders) for one in identities]
    return gathered(said, [one.member.certificate for one in identities])


def hashed(text: str, size: int = 32) -> bytes:
    """Bytes that look random and follow from the text."""
    return shake_256(text.encode()).digest(size)


def tag_of(subject: str, epoch: int = 1) -> bytes:
    """What threshold evaluation would give: a keyed tag (the key is the test's)."""
    return sha256(b"test key" + epoch.to_bytes(4, "big") + subject.encode()).digest()


def seal_key_of(subject: str, epoch: int = 1) -> bytes:
    """The key of a subject's records."""
    return sha256(b"seal" + tag_of(subject, epoch)).digest()


def token(
    subject: str, kind: str = "resident_id", epoch: int = 1, role: SubjectRole = SubjectRole.SUBJECT
) -> SubjectToken:
    """A subject's token."""
    return SubjectToken(kind, tag_of(f"{kind}|{subject}", epoch), epoch, role)


@dataclass
class Lender:
    """A member with its own key; `number` names what it makes."""

    identity: Identity
    registry: str = REGISTRY
    number: int = 0
    secret: bytes = field(default=b"")

    @classmethod
    def of(cls, code: str) -> Lender:
        """The lender with this code."""
        return cls(member(code), secret=hashed(f"secret {code}"))

    @property
    def code(self) -> str:
        """Its code."""
        return self.identity.member.code

    def name(self, what: str = "event") -> bytes:
        """A new random name."""
        self.number += 1
        return hashed(f"{self.code} {what} {self.number}", 16)

    def person(self, which: str) -> bytes:
        """The mark of one of its people."""
        return hashed(f"{self.code} person {which}")

    def header(self) -> dict[str, Any]:
        """What every event of its own begins with."""
        return {
            "registry": self.registry,
            "event_id": self.name(),
            "member": self.code,
            "certificate": self.identity.member.certificate,
        }

    def decided(self) -> dict[str, Any]:
        """As `header`, with two people."""
        return self.header() | {"maker": self.person("maker"), "checker": self.person("checker")}

    def sign(self, event: Any) -> Any:
        """With its signature."""
        return signed(event, self.identity.private)

    def entry(self, subject: str = "someone", day: date = TODAY, **other: Any) -> ListingEntry:
        """An entry about a subject; `other` replaces fields."""
        fields: dict[str, Any] = {
            "entry_id": self.name("entry"),
            "list_class": ListClass.FRAUD_CONFIRMED,
            "tokens": (token(subject),),
            "reason_code": ReasonCode.F101,
            "severity": 2,
            "confidence": Confidence.CONFIRMED,
            "event_date": day - timedelta(days=40),
            "event_end_date": day - timedelta(days=30),
            "listed_at": day,
            "contributor": self.code,
            "product_class": ProductClass.CONSUMER,
            "product_outcome": ProductOutcome.REFUSED,
            "amount_band": AmountBand.UNDER_10K,
            "evidence": (Evidence(EvidenceKind.FORGED_DOCUMENT, hashed(f"file {subject}")),),
            "legal_basis": LegalBasis.LEGITIMATE_INTEREST,
            "notice": Notice(day, Channel.LETTER),
            "maker": self.person("maker"),
        }
        return ListingEntry(**fields | other)

    def sealed(self, entry: ListingEntry, tokens: tuple[SubjectToken, ...]) -> tuple[bytes, ...]:
        """Records of the entry, sealed for whoever knows the subject."""
        random = fixed_random(f"{self.code} {self.number}")
        return tuple(
            seal(
                sha256(b"seal" + one.token).digest(),
                record_of(entry, one, mark_of(self.secret, one.token)).text(),
                one.token,
                random,
            )
            for one in tokens
        )

    def file(self, entry: ListingEntry) -> events.File:
        """The filing of an entry."""
        sealed = self.sealed(entry, entry.tokens)
        return self.sign(events.File(**self.header(), entry=entry, sealed=sealed))

    def approve(self, filed: events.File, checker: str = "checker") -> events.Approve:
        """The approval of a filing."""
        return self.approve_digest(filed.entry.entry_id, filing_digest(filed), checker)

    def approve_refiled(self, event: events.Refile, entry: EntryState) -> events.Approve:
        """The approval of an entry's re-filing, as another institution."""
        return self.approve_digest(entry.entry_id, refiling_digest(event, entry))

    def approve_digest(
        self, entry_id: bytes, digest: bytes, checker: str = "checker"
    ) -> events.Approve:
        """The approval of whatever has this digest."""
        return self.sign(
            events.Approve(
                **self.header(),
                entry_id=entry_id,
                digest=digest,
                checker=self.person(checker),
                evidence=hashed(f"{self.code} own evidence"),
            )
        )

    def dispute(
        self, row: bytes | events.File | events.Refile, evidence: str = "letter"
    ) -> events.Dispute:
        """A dispute passed on, of the row with this name or of the first that the event filed."""
        row = row if isinstance(row, bytes) else row_names(row)[0]
        return self.sign(
            events.Dispute(
                **self.decided(),
                row=row,
                grounds=events.Grounds.WRONG_FACTS,
                evidence=hashed(f"dispute {evidence}"),
            )
        )

    def resolve(self, entry_id: bytes, outcome: events.Outcome) -> events.Resolve:
        """The outcome of a dispute."""
        return self.sign(
            events.Resolve(
                **self.decided(), entry_id=entry_id, outcome=outcome, statement=hashed("outcome")
            )
        )

    def withdraw(self, *entries: bytes) -> events.Withdraw:
        """Taking entries back."""
        cause = events.Cause.MISTAKE
        return self.sign(events.Withdraw(**self.decided(), entries=entries, cause=cause))

    def refile(
        self, entry: ListingEntry | EntryState, tokens: tuple[SubjectToken, ...]
    ) -> events.Refile:
        """Tokens of another epoch."""
        fresh = self.name("sealed").hex()
        sealed = tuple(hashed(f"sealed {one.token.hex()} {fresh}", 512) for one in tokens)
        return self.sign(
            events.Refile(**self.decided(), entry_id=entry.entry_id, tokens=tokens, sealed=sealed)
        )

    def open_epoch(self, epoch: int, keys: SignedKeys | None = None) -> events.OpenEpoch:
        """A proposal."""
        keys = keys or signed_keys(epoch)
        return self.sign(events.OpenEpoch(**self.decided(), epoch=epoch, keys=keys))

    def retire_epoch(self, epoch: int) -> events.RetireEpoch:
        """A proposal."""
        return self.sign(events.RetireEpoch(**self.decided(), epoch=epoch))

    def consent(self, proposal: events.Event) -> events.Consent:
        """Consent to a proposal."""
        return self.sign(
            events.Consent(
                **self.decided(), proposal=proposal.event_id, digest=event_digest(proposal)
            )
        )


def unsigned(event: Any) -> Any:
    """The event with a signature that does not fit."""
    return replace(event, signature=bytes(64))


@dataclass
class Clock:
    """A clock that goes when it is told to."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        """The time."""
        return self.now

    def forward(self, **span: float) -> None:
        """Go on."""
        self.now += timedelta(**span)
