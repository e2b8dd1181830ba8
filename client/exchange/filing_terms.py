"""What a lender says about subjects it lists, in the codes of the list; read from words.

Invariants:
- Every word is a code, a date or the name of a file; an unknown one is an OperatorError that says
  which are known. There is no free text.
- Evidence is hashed here and stays where it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from shared.blacklist.entry import (
    AmountBand,
    Channel,
    Evidence,
    Exemption,
    LegalBasis,
    Notice,
    ProductClass,
    ProductOutcome,
    SubjectRole,
)
from shared.blacklist.reasons import (
    REASONS,
    Confidence,
    EvidenceKind,
    ListClass,
    ReasonCode,
    check_reason,
)
from shared.errors import OperatorError, PeerError

Code = TypeVar("Code", bound=StrEnum)
NEEDED = ("reason", "confidence", "event-date", "evidence", "product", "outcome", "notice")
DEFAULTS: Mapping[str, str] = {
    "severity": "1",
    "amount": AmountBand.NONE.value,
    "basis": LegalBasis.LEGITIMATE_INTEREST.value,
    "role": SubjectRole.SUBJECT.value,
}
ENTRIES = (*NEEDED, *DEFAULTS, "class", "event-end")
_ROLES = {"device": SubjectRole.DEVICE, "employer": SubjectRole.EMPLOYER}
_SURE = (Confidence.CONFIRMED, Confidence.ADJUDICATED)


@dataclass(frozen=True)
class FilingTerms:
    """Everything about an entry but its subject, its name and who files it."""

    list_class: ListClass
    reason: ReasonCode
    severity: int
    confidence: Confidence
    event_date: date
    event_end: date
    product: ProductClass
    outcome: ProductOutcome
    amount: AmountBand
    evidence: tuple[Evidence, ...]
    basis: LegalBasis
    notice: Notice
    role: SubjectRole

    def role_of(self, id_kind: str) -> SubjectRole:
        """A device or an employer is never the subject itself."""
        return _ROLES.get(id_kind, self.role)


def read_terms(words: Mapping[str, str], evidence: Sequence[str], folder: Path) -> FilingTerms:
    """Terms from words by entry (`ENTRIES`); `evidence`: KIND=FILE each, relative to `folder`.

    OperatorError names the entry that is missing or wrong.
    """
    said = {**DEFAULTS, **{name: word for name, word in words.items() if word}}
    given = {*said, *(["evidence"] if evidence else [])}
    missing = [name for name in NEEDED if name not in given]
    if missing:
        raise OperatorError(
            f"{', '.join(f'--{name}' for name in missing)} missing",
            remedy="; ".join(f"--{name}: {_KNOWN[name]}" for name in missing),
        )
    reason = _code(ReasonCode, "reason", said["reason"].upper())
    confidence = _code(Confidence, "confidence", said["confidence"])
    begins = _date("event-date", said["event-date"])
    list_class = _class(said.get("class", ""), reason, confidence)
    pieces = tuple(_evidence(one, folder) for one in evidence)
    _check_listing(reason, list_class, confidence, pieces)
    return FilingTerms(
        list_class=list_class,
        reason=reason,
        severity=_severity(said["severity"]),
        confidence=confidence,
        event_date=begins,
        event_end=_date("event-end", said["event-end"]) if "event-end" in said else begins,
        product=_code(ProductClass, "product", said["product"]),
        outcome=_code(ProductOutcome, "outcome", said["outcome"]),
        amount=_code(AmountBand, "amount", said["amount"]),
        evidence=pieces,
        basis=_code(LegalBasis, "basis", said["basis"]),
        notice=_notice(said["notice"]),
        role=_code(SubjectRole, "role", said["role"]),
    )


def file_digest(path: Path) -> bytes:
    """SHA-256 of a file, 32 bytes; OperatorError when it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise OperatorError(
            f"{path} cannot be read: {error.strerror or type(error).__name__}",
            remedy="name the file with the evidence; its hash is sent, never the file",
        ) from error


def _code(kind: type[Code], name: str, word: str) -> Code:
    try:
        return kind(word)
    except ValueError as error:
        known = _KNOWN["reason"] if name == "reason" else _one_of(kind)
        raise OperatorError(f"--{name}: {word!r} is not known", remedy=known) from error


def _class(word: str, reason: ReasonCode, confidence: Confidence) -> ListClass:
    """The one that goes with reason and confidence, where only one does."""
    if word:
        return _code(ListClass, "class", word)
    allowed = REASONS[reason].list_classes
    if len(allowed) == 1:
        return next(iter(allowed))
    return ListClass.FRAUD_CONFIRMED if confidence in _SURE else ListClass.FRAUD_SUSPECTED


def _check_listing(
    reason: ReasonCode, list_class: ListClass, confidence: Confidence, pieces: Sequence[Evidence]
) -> None:
    """The listing test, before anybody is asked for tokens; OperatorError names what would do."""
    try:
        check_reason(reason, list_class, confidence, [piece.kind for piece in pieces])
    except PeerError as error:
        given = ", ".join(sorted({piece.kind.value for piece in pieces}))
        remedy = f"{_KNOWN['evidence']} (given: {given})"
        if "evidence" not in error.what:
            remedy = f"--class: {_one_of(ListClass)}; --confidence: {_one_of(Confidence)}"
        raise OperatorError(f"{error.what}: nothing was sent", remedy=remedy) from error


def _severity(word: str) -> int:
    if word not in ("1", "2", "3"):
        raise OperatorError(
            f"--severity: {word!r} is not known", remedy="1, 2 or 3; 3 needs a second institution"
        )
    return int(word)


def _date(name: str, word: str) -> date:
    try:
        return date.fromisoformat(word)
    except ValueError as error:
        raise OperatorError(
            f"--{name}: {word!r} is not a date", remedy="write it as 2026-01-31"
        ) from error


def _evidence(word: str, folder: Path) -> Evidence:
    kind, mark, name = word.partition("=")
    if not mark or not name:
        raise OperatorError(f"--evidence: {word!r} is not KIND=FILE", remedy=_KNOWN["evidence"])
    return Evidence(_code(EvidenceKind, "evidence", kind), file_digest(folder / name))


def _notice(word: str) -> Notice:
    """`letter:2026-01-31`, or `exempt:court_order`."""
    kind, mark, rest = word.partition(":")
    if not mark:
        raise OperatorError(f"--notice: {word!r} is not understood", remedy=_KNOWN["notice"])
    if kind == "exempt":
        return Notice(exempt_reason=_code(Exemption, "notice exempt:", rest))
    return Notice(_date("notice", rest), _code(Channel, "notice", kind))


def _one_of(kind: type[StrEnum]) -> str:
    return "one of " + ", ".join(one.value for one in kind)


_KNOWN: Mapping[str, str] = {
    "reason": "one of " + ", ".join(f"{code} {REASONS[code].meaning}" for code in ReasonCode),
    "confidence": _one_of(Confidence),
    "event-date": "the day the event began, as 2026-01-31",
    "evidence": f"KIND=FILE, as often as there are files; KIND is {_one_of(EvidenceKind)}",
    "product": "what was applied for: " + _one_of(ProductClass),
    "outcome": "the listing test asks that the product was refused or ended: "
    + _one_of(ProductOutcome),
    "notice": f"how the subject was told, CHANNEL:DATE (channel {_one_of(Channel)}), or "
    f"exempt:REASON ({_one_of(Exemption)})",
}
