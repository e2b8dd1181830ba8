"""Events: every change of the list, signed by the institution that makes it.

    lender      File · Approve · Dispute · Resolve · Withdraw · Refile
                OpenEpoch · RetireEpoch · Consent (to another's bulk removal or epoch)
    registry    Expire · Suspend

Invariants:
- A signature covers the canonical text of the whole event but itself, and names the registry it is
  for: an event of one list is none on another.
- Tokens and sealed records are signed through the names of their rows (`row_names`): when an
  entry's time is over they are erased (`stripped`), and log, digests and signatures stay whole.
- A key epoch is proposed with the signatures of its holders.
- `event_id` is the idempotency key: one event has one name, and a name one event.
- Who decides is never who checks: `maker` and `checker` are marks of different people.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from shared.blacklist.entry import (
    MOST_EPOCH,
    ListingEntry,
    SubjectToken,
    check_fields,
    check_tokens,
)
from shared.blacklist.epoch_keys import check_form
from shared.blacklist.opaque import NAME, check_opaque
from shared.blacklist.row_names import row_names
from shared.errors import InternalError, PeerError
from shared.identity.certificate import CODE, Member, read_member
from shared.secure_sum.encoding import read_text, text_of
from shared.tokens.signed_keys import SignedKeys
from shared.tokens.tags import SEALED_BYTES

MOST_EVENT_BYTES = 32_768
"""A key set with the certificates and signatures of 32 holders has about 21,000."""
MOST_NAMED = 400
"""Entries that one event may name."""
_DOMAIN = b"lianfang/blacklist/v1/"
_KIND = re.compile(rb'\{"":"(\w{1,20})",')


class Grounds(StrEnum):
    """Why an entry is disputed."""

    WRONG_PERSON = "wrong_person"
    WRONG_FACTS = "wrong_facts"
    SETTLED = "settled"
    VICTIM = "victim"
    NO_NOTICE = "no_notice"


class Outcome(StrEnum):
    """How a dispute ended; the written outcome stays at the contributor."""

    CORRECTED = "corrected"
    UPHELD = "upheld"
    ANNOTATED = "annotated"


class Cause(StrEnum):
    """Why entries are withdrawn."""

    MISTAKE = "mistake"
    CLEARED = "cleared"
    CONSENT_WITHDRAWN = "consent_withdrawn"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, kw_only=True)
class Event:
    """`registry`, `member`: codes; `event_id`: 16 random bytes; `certificate`: DER."""

    registry: str
    event_id: bytes
    member: str
    certificate: bytes
    signature: bytes = b""

    def __post_init__(self) -> None:
        check_fields(self)
        check_opaque("event_id", self.event_id, NAME)
        if not (CODE.fullmatch(self.registry) and CODE.fullmatch(self.member)):
            raise PeerError("an event names a registry and a member by their codes")


@dataclass(frozen=True, kw_only=True)
class Decided(Event):
    """Two different people of the institution stand behind it; marks of 32 bytes."""

    maker: bytes
    checker: bytes

    def __post_init__(self) -> None:
        super().__post_init__()
        check_opaque("maker", self.maker)
        check_opaque("checker", self.checker)
        if self.maker == self.checker:
            raise PeerError("the maker of a decision cannot be its checker")


@dataclass(frozen=True, kw_only=True)
class File(Event):
    """A new entry and, for each of its tokens in order, the sealed record (none: stripped)."""

    entry: ListingEntry
    sealed: tuple[bytes, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_sealed(self.entry.tokens, self.sealed)
        if self.entry.contributor != self.member:
            raise PeerError("an entry is filed by its contributor")

    @property
    def tokens(self) -> tuple[SubjectToken, ...]:
        """The entry's."""
        return self.entry.tokens


@dataclass(frozen=True, kw_only=True)
class Approve(Event):
    """The contributor's checker, or another institution with `evidence` of its own, approves what
    has this `digest` (`approval`): the entry as filed, or, another institution, as re-filed.
    """

    entry_id: bytes
    digest: bytes
    checker: bytes
    evidence: bytes

    def __post_init__(self) -> None:
        super().__post_init__()
        check_opaque("entry_id", self.entry_id, NAME)
        for what, value in (
            ("digest", self.digest),
            ("checker", self.checker),
            ("evidence", self.evidence),
        ):
            check_opaque(what, value)


@dataclass(frozen=True, kw_only=True)
class Dispute(Decided):
    """A lender passes on that the subject disputes the entry behind the row of this name
    (`row_names`), 32 bytes; `evidence`: hash of what it shows.
    """

    row: bytes
    grounds: Grounds
    evidence: bytes

    def __post_init__(self) -> None:
        super().__post_init__()
        check_opaque("row", self.row)
        check_opaque("evidence", self.evidence)


@dataclass(frozen=True, kw_only=True)
class Resolve(Decided):
    """The contributor's outcome of a dispute; `statement`: hash of the written outcome."""

    entry_id: bytes
    outcome: Outcome
    statement: bytes

    def __post_init__(self) -> None:
        super().__post_init__()
        check_opaque("entry_id", self.entry_id, NAME)
        check_opaque("statement", self.statement)


@dataclass(frozen=True, kw_only=True)
class Withdraw(Decided):
    """The contributor takes entries back: at once, or when many, once another consents."""

    entries: tuple[bytes, ...]
    cause: Cause

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_named(self.entries)


@dataclass(frozen=True, kw_only=True)
class Refile(Decided):
    """The contributor's tokens of a live entry under the key of another epoch."""

    entry_id: bytes
    tokens: tuple[SubjectToken, ...]
    sealed: tuple[bytes, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        check_opaque("entry_id", self.entry_id, NAME)
        check_tokens(self.tokens)
        _check_sealed(self.tokens, self.sealed)


@dataclass(frozen=True, kw_only=True)
class OfEpoch(Decided):
    """A proposal about a key epoch."""

    epoch: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.epoch <= MOST_EPOCH:
            raise PeerError(f"a key epoch is 1 to {MOST_EPOCH}")


@dataclass(frozen=True, kw_only=True)
class OpenEpoch(OfEpoch):
    """Proposal: tokens under this key answer from now on. `keys`: with the signatures of all its
    holders, which the registry checks (its certificates end, so the rules do not).
    """

    keys: SignedKeys

    def __post_init__(self) -> None:
        super().__post_init__()
        check_form(self.keys, self.epoch)


@dataclass(frozen=True, kw_only=True)
class RetireEpoch(OfEpoch):
    """Proposal: tokens of this epoch answer no more."""


@dataclass(frozen=True, kw_only=True)
class Consent(Decided):
    """A second institution consents to the event `proposal` with this `digest`."""

    proposal: bytes
    digest: bytes

    def __post_init__(self) -> None:
        super().__post_init__()
        check_opaque("proposal", self.proposal, NAME)
        check_opaque("digest", self.digest)


@dataclass(frozen=True, kw_only=True)
class OfRegistry(Event):
    """What time does to these entries, said by the registry."""

    entries: tuple[bytes, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_named(self.entries)


@dataclass(frozen=True, kw_only=True)
class Expire(OfRegistry):
    """They are past their last day, or nobody approved them in time."""


@dataclass(frozen=True, kw_only=True)
class Suspend(OfRegistry):
    """Disputes of them were left without an outcome too long."""


OF_LENDERS = (File, Approve, Dispute, Resolve, Withdraw, Refile, OpenEpoch, RetireEpoch, Consent)
OF_THE_REGISTRY = (Expire, Suspend)
KINDS: dict[str, type[Event]] = {kind.__name__: kind for kind in OF_LENDERS + OF_THE_REGISTRY}
E = TypeVar("E", bound=Event)


def kind_of(text: bytes) -> str:
    """What kind of event a text says that it is; empty when it says nothing."""
    found = _KIND.match(text)
    return found[1].decode("ascii", "replace") if found else ""


def read_event(text: bytes) -> Event:
    """The event with this canonical text; PeerError. Its signature is not checked here."""
    if len(text) > MOST_EVENT_BYTES:
        raise PeerError(f"an event has at most {MOST_EVENT_BYTES} bytes")
    kind = KINDS.get(kind_of(text))
    if kind is None:
        raise PeerError("not the text of an event")
    try:
        return read_text(kind, text)
    except InternalError as error:  # numbers that no key set has
        raise PeerError("not the text of an event") from error


def stripped(event: Event) -> Event:
    """The event without tokens and sealed records: in a token's place stands its commitment.
    Whoever has only this can neither look up nor open anything.
    """
    if isinstance(event, File) and event.sealed:
        return replace(event, entry=replace(event.entry, tokens=_committed(event)), sealed=())
    if isinstance(event, Refile) and event.sealed:
        return replace(event, tokens=_committed(event), sealed=())
    return event


def is_stripped(event: Event) -> bool:
    """Whether its tokens were erased."""
    return isinstance(event, File | Refile) and not event.sealed


def event_digest(event: Event) -> bytes:
    """SHA-256 of the (stripped) event with its signature, 32 bytes."""
    return sha256(_DOMAIN + text_of(stripped(event))).digest()


def transcript(event: Event) -> bytes:
    """The bytes a signature on the event covers."""
    return _DOMAIN + text_of(stripped(replace(event, signature=b"")))


def _committed(event: File | Refile) -> tuple[SubjectToken, ...]:
    pairs = zip(event.tokens, row_names(event), strict=True)
    return tuple(replace(token, token=name) for token, name in pairs)


def signed(event: E, private: bytes) -> E:
    """The event with the signature of a raw Ed25519 key, 32 bytes (RFC 8032 §5.1.6)."""
    key = Ed25519PrivateKey.from_private_bytes(private)
    return replace(event, signature=key.sign(transcript(event)))


def check_signer(event: Event, authority: bytes, now: datetime) -> Member:
    """Who signed: a member certified by `authority` (DER) and valid at `now`, under its own code
    and in the role this kind of event asks for. PeerError otherwise.
    """
    member = read_member(event.certificate, authority, now)
    role = "registry" if isinstance(event, OF_THE_REGISTRY) else "lender"
    if (member.code, member.role) != (event.member, role):
        raise PeerError(f"an event of this kind is signed by a {role}, under its own code")
    check_signature(member.public, event.signature, transcript(event))
    return member


def check_signature(public: bytes, signature: bytes, message: bytes) -> None:
    """PeerError unless the Ed25519 signature fits (RFC 8032 §5.1.7)."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (ValueError, InvalidSignature):
        raise PeerError("a signature does not fit its message and signer") from None


def _check_sealed(tokens: tuple[SubjectToken, ...], sealed: tuple[bytes, ...]) -> None:
    if not sealed:
        return  # stripped
    if len(sealed) != len(tokens) or any(len(one) != SEALED_BYTES for one in sealed):
        raise PeerError(f"every token has one sealed record of {SEALED_BYTES} bytes")


def _check_named(entries: tuple[bytes, ...]) -> None:
    if not 1 <= len(entries) <= MOST_NAMED or len(set(entries)) != len(entries):
        raise PeerError(f"1 to {MOST_NAMED} different entries are named")
    for entry in entries:
        check_opaque("an entry", entry, NAME)
