"""A listing entry: what a contributor says about a subject, in codes, dates, hashes and tokens.

Invariants:
- Every field is an enumerated code, a member's code, a date, a hash, a band, a small number or a
  token. There is no field for free text, a name, a raw identifier or an exact amount.
- An entry that exists has passed the listing test and the rules on dates; otherwise PeerError.
- Its canonical text is what the contributor signs (as part of `events.File`).

What changes later (status, checker, place in the log) is no part of it: `state.EntryState`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cached_property
from typing import Any, get_type_hints

from shared.blacklist.opaque import NAME, check_opaque
from shared.blacklist.reasons import (
    Confidence,
    EvidenceKind,
    ListClass,
    ReasonCode,
    check_reason,
)
from shared.blacklist.retention import expires_at, is_strong, token_expires_at
from shared.errors import PeerError
from shared.identity.certificate import CODE

SCHEMA_VERSION = 1
MOST_TOKENS = 12
MOST_EVIDENCE = 8
MOST_EPOCH = 2**31 - 1


class SubjectRole(StrEnum):
    """What the holder of a token has to do with the event."""

    SUBJECT = "subject"
    DEVICE = "device"
    PAYEE = "payee"
    INTERMEDIARY = "intermediary"
    GUARANTOR = "guarantor"
    EMPLOYER = "employer"


class ProductClass(StrEnum):
    """What was applied for."""

    MORTGAGE = "mortgage"
    AUTO = "auto"
    CARD = "card"
    CONSUMER = "consumer"
    MICRO = "micro"
    BUSINESS = "business"
    GUARANTEE = "guarantee"
    OTHER = "other"


class AmountBand(StrEnum):
    """Order of magnitude in the consortium's currency; `NONE`: no money was asked for."""

    NONE = "none"
    UNDER_1K = "under_1k"
    UNDER_10K = "under_10k"
    UNDER_100K = "under_100k"
    UNDER_1M = "under_1m"
    FROM_1M = "from_1m"


class LegalBasis(StrEnum):
    """Why the contributor may process and share this."""

    CONSENT = "consent"
    CONTRACT = "contract"
    LEGAL_OBLIGATION = "legal_obligation"
    LEGITIMATE_INTEREST = "legitimate_interest"
    PUBLIC_RECORD = "public_record"


class ProductOutcome(StrEnum):
    """Part of the listing test: the product was refused or ended."""

    REFUSED = "refused"
    ENDED = "ended"


class Channel(StrEnum):
    """How the subject was told."""

    LETTER = "letter"
    MESSAGE = "message"
    EMAIL = "email"
    APP = "app"
    IN_PERSON = "in_person"


class Exemption(StrEnum):
    """Why the subject was not told."""

    ONGOING_INQUIRY = "ongoing_inquiry"
    COURT_ORDER = "court_order"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True)
class SubjectToken:
    """One identifier of the subject under the key of an epoch; `token` is its tag, 32 bytes."""

    id_kind: str
    token: bytes
    key_epoch: int
    role: SubjectRole

    def __post_init__(self) -> None:
        check_fields(self)
        is_strong(self.id_kind)
        check_opaque("a token", self.token)
        if not 1 <= self.key_epoch <= MOST_EPOCH:
            raise PeerError(f"a key epoch is 1 to {MOST_EPOCH}")


@dataclass(frozen=True)
class Evidence:
    """A piece of evidence: what it is, and the hash of the file that stays at the lender."""

    kind: EvidenceKind
    digest: bytes

    def __post_init__(self) -> None:
        check_fields(self)
        check_opaque("evidence", self.digest)


@dataclass(frozen=True)
class Notice:
    """How the subject was told of the listing, or why not: either day and channel or exemption."""

    given_at: date | None = None
    channel: Channel | None = None
    exempt_reason: Exemption | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        told = (self.given_at is not None, self.channel is not None)
        if told not in ((True, True), (False, False)) or told[0] == (
            self.exempt_reason is not None
        ):
            raise PeerError("a notice has a day and a channel, or the reason why none was given")


@dataclass(frozen=True, kw_only=True)
class ListingEntry:
    """What is filed. `entry_id`, `ring_id`, `supersedes`: random names, 16 bytes; `maker`: a mark
    of the person who made it, 32 bytes, which only the contributor can resolve.
    """

    entry_id: bytes
    list_class: ListClass
    tokens: tuple[SubjectToken, ...]
    reason_code: ReasonCode
    severity: int
    confidence: Confidence
    event_date: date
    event_end_date: date
    listed_at: date
    contributor: str
    product_class: ProductClass
    product_outcome: ProductOutcome
    amount_band: AmountBand
    evidence: tuple[Evidence, ...]
    legal_basis: LegalBasis
    notice: Notice
    maker: bytes
    ring_id: bytes | None = None
    supersedes: bytes | None = None
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        check_fields(self)
        self._check_names()
        self._check_tokens()
        if not 1 <= len(self.evidence) <= MOST_EVIDENCE:
            raise PeerError(f"an entry has 1 to {MOST_EVIDENCE} pieces of evidence")
        if not self.event_date <= self.event_end_date <= self.listed_at:
            raise PeerError("an event begins, ends and is then listed: none of its days is to come")
        kinds = [piece.kind for piece in self.evidence]
        check_reason(self.reason_code, self.list_class, self.confidence, kinds)

    @cached_property
    def expires_at(self) -> date:
        """The day from which it answers no more (`retention`)."""
        return expires_at(self.list_class, self.confidence, self.event_end_date, self.listed_at)

    def token_expires_at(self, token: SubjectToken) -> date:
        """The day from which this token of it answers no more."""
        return token_expires_at(token.id_kind, self.expires_at, self.event_end_date)

    def _check_names(self) -> None:
        if self.schema_version != SCHEMA_VERSION:
            raise PeerError(f"an entry of schema {SCHEMA_VERSION} is expected")
        if self.severity not in (1, 2, 3):
            raise PeerError("severity is 1, 2 or 3")
        if not CODE.fullmatch(self.contributor):
            raise PeerError("the contributor is not a member's code")
        check_opaque("entry_id", self.entry_id, NAME)
        check_opaque("maker", self.maker)
        for what, name in (("ring_id", self.ring_id), ("supersedes", self.supersedes)):
            if name is not None:
                check_opaque(what, name, NAME)
        if self.supersedes == self.entry_id:
            raise PeerError("an entry cannot supersede itself")

    def _check_tokens(self) -> None:
        check_tokens(self.tokens)
        if not any(is_strong(token.id_kind) for token in self.tokens) and self.severity == 3:
            raise PeerError("severity 3 needs a token of a strong kind, not phone or device alone")


def check_tokens(tokens: tuple[SubjectToken, ...]) -> None:
    """PeerError unless there are 1 to 12 different tokens, all of one key epoch."""
    if not 1 <= len(tokens) <= MOST_TOKENS:
        raise PeerError(f"an entry has 1 to {MOST_TOKENS} tokens")
    if len({token.token for token in tokens}) != len(tokens):
        raise PeerError("an entry names a token twice")
    if len({token.key_epoch for token in tokens}) != 1:
        raise PeerError("the tokens of one filing are of one key epoch")


_hints: dict[type[Any], dict[str, Any]] = {}


def check_fields(statement: Any) -> None:
    """PeerError unless every field is of exactly the kind its class says: no text for a code."""
    kind = type(statement)
    hints = _hints.get(kind)
    if hints is None:
        hints = _hints[kind] = get_type_hints(kind)
    for name, hint in hints.items():
        if not _fits(getattr(statement, name), hint):
            raise PeerError(f"{kind.__name__}.{name} is not of the kind expected")


def _fits(value: object, hint: Any) -> bool:
    parts = getattr(hint, "__args__", None)
    if parts is None:
        return type(value) is hint
    if Ellipsis in parts:
        return type(value) is tuple and all(_fits(item, parts[0]) for item in value)
    return any(_fits(value, part) for part in parts)
