"""Reason codes: what a subject may be listed for, in which class, and on what evidence.

Invariants:
- The table is complete: a code has one class, one or more list classes and an evidence rule.
- A record of payments alone (overdue, first payment missed) never makes a listing.
- A victim's code goes with `victim_protective`, and nothing else does.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from shared.errors import PeerError


class ListClass(StrEnum):
    """What kind of list an entry is on. Only `VICTIM_PROTECTIVE` speaks for its subject."""

    FRAUD_CONFIRMED = "fraud_confirmed"
    FRAUD_SUSPECTED = "fraud_suspected"
    MALICIOUS_EVASION = "malicious_evasion"
    MULE_ACCOUNT = "mule_account"
    VICTIM_PROTECTIVE = "victim_protective"


class ReasonClass(StrEnum):
    """What an answer tells of the reason."""

    FIRST_PARTY = "first_party"
    THIRD_PARTY = "third_party"
    INTERMEDIARY = "intermediary"
    INSIDER = "insider"
    EVASION = "evasion"
    CORPORATE = "corporate"


class Confidence(StrEnum):
    """How sure the contributor is, from least to most."""

    SUSPECTED = "suspected"
    PROBABLE = "probable"
    CONFIRMED = "confirmed"
    ADJUDICATED = "adjudicated"


class EvidenceKind(StrEnum):
    """What a piece of evidence is; the piece stays at the lender."""

    OVERDUE_RECORD = "overdue_record"
    FIRST_PAYMENT_MISSED = "first_payment_missed"
    FORGED_DOCUMENT = "forged_document"
    VERIFICATION_FAILED = "verification_failed"
    TRANSACTION_TRACE = "transaction_trace"
    DEVICE_TRACE = "device_trace"
    CONTACT_RECORD = "contact_record"
    STATEMENT = "statement"
    POLICE_REPORT = "police_report"
    INTERNAL_INQUIRY = "internal_inquiry"
    REGISTER_EXTRACT = "register_extract"
    COURT_JUDGMENT = "court_judgment"
    ENFORCEMENT_ORDER = "enforcement_order"


class ReasonCode(StrEnum):
    """DOMAIN's codes; what each means is in `REASONS`."""

    F101 = "F101"
    F102 = "F102"
    F103 = "F103"
    F104 = "F104"
    F105 = "F105"
    F106 = "F106"
    F201 = "F201"
    F202 = "F202"
    F203 = "F203"
    F204 = "F204"
    F301 = "F301"
    F302 = "F302"
    F303 = "F303"
    F304 = "F304"
    F305 = "F305"
    F401 = "F401"
    F402 = "F402"
    E501 = "E501"
    E502 = "E502"
    C601 = "C601"
    C602 = "C602"
    C603 = "C603"


PAYMENT_RECORDS = frozenset({EvidenceKind.OVERDUE_RECORD, EvidenceKind.FIRST_PAYMENT_MISSED})
JUDGED = frozenset({EvidenceKind.COURT_JUDGMENT, EvidenceKind.ENFORCEMENT_ORDER})


@dataclass(frozen=True)
class Reason:
    """`pieces`: least number of different kinds of evidence; `judged`: a judgment or an enforcement
    order must be among them.
    """

    meaning: str
    reason_class: ReasonClass
    list_classes: frozenset[ListClass]
    pieces: int = 1
    judged: bool = False


_FRAUD = frozenset({ListClass.FRAUD_CONFIRMED, ListClass.FRAUD_SUSPECTED})
_MULE = _FRAUD | {ListClass.MULE_ACCOUNT}
_EVASION = frozenset({ListClass.MALICIOUS_EVASION})
_VICTIM = frozenset({ListClass.VICTIM_PROTECTIVE})
_FIRST, _THIRD = ReasonClass.FIRST_PARTY, ReasonClass.THIRD_PARTY
_MIDDLE, _INSIDER = ReasonClass.INTERMEDIARY, ReasonClass.INSIDER
_EVADES, _CORPORATE = ReasonClass.EVASION, ReasonClass.CORPORATE

REASONS: dict[ReasonCode, Reason] = {
    ReasonCode.F101: Reason("false application", _FIRST, _FRAUD),
    ReasonCode.F102: Reason("first-payment default with intent", _FIRST, _FRAUD, pieces=2),
    ReasonCode.F103: Reason("skip", _FIRST, _FRAUD),
    ReasonCode.F104: Reason("professional debtor", _FIRST, _FRAUD),
    ReasonCode.F105: Reason("stacking burst", _FIRST, _FRAUD),
    ReasonCode.F106: Reason("loan-purpose fraud", _FIRST, _FRAUD),
    ReasonCode.F201: Reason("identity theft", _THIRD, _FRAUD),
    ReasonCode.F202: Reason("account takeover", _THIRD, _FRAUD),
    ReasonCode.F203: Reason("borrowed-name loan: the borrower is a victim", _THIRD, _VICTIM),
    ReasonCode.F204: Reason("induced loan: the borrower is a victim", _THIRD, _VICTIM),
    ReasonCode.F301: Reason("agency packaging", _MIDDLE, _FRAUD),
    ReasonCode.F302: Reason("gang sharing fabricated data", _MIDDLE, _FRAUD),
    ReasonCode.F303: Reason("sham merchant or employer", _MIDDLE, _FRAUD),
    ReasonCode.F304: Reason("mule account", _MIDDLE, _MULE),
    ReasonCode.F305: Reason("device farm", _MIDDLE, _FRAUD),
    ReasonCode.F401: Reason("staff collusion", _INSIDER, _FRAUD),
    ReasonCode.F402: Reason("partner collusion", _INSIDER, _FRAUD),
    ReasonCode.E501: Reason("malicious evasion", _EVADES, _EVASION, judged=True),
    ReasonCode.E502: Reason("asset transfer", _EVADES, _EVASION),
    ReasonCode.C601: Reason("shell company", _CORPORATE, _FRAUD),
    ReasonCode.C602: Reason("double pledge", _CORPORATE, _FRAUD),
    ReasonCode.C603: Reason("sham trade", _CORPORATE, _FRAUD),
}


def check_reason(
    code: ReasonCode,
    list_class: ListClass,
    confidence: Confidence,
    evidence: Collection[EvidenceKind],
) -> None:
    """The listing test; PeerError says which part of it fails."""
    reason, kinds = REASONS[code], frozenset(evidence)
    if list_class not in reason.list_classes:
        allowed = ", ".join(sorted(reason.list_classes))
        raise PeerError(f"{code} goes with {allowed}, not with {list_class}")
    if not kinds - PAYMENT_RECORDS:
        raise PeerError(f"{code}: being overdue alone is never listable; name further evidence")
    if len(kinds) < reason.pieces:
        raise PeerError(f"{code} needs {reason.pieces} different kinds of evidence")
    if reason.judged and not kinds & JUDGED:
        raise PeerError(f"{code} needs a judgment or an enforcement order as evidence")
    if confidence is Confidence.ADJUDICATED and not kinds & JUDGED:
        raise PeerError("'adjudicated' needs a judgment or an enforcement order as evidence")
    _check_suspicion(list_class, confidence)


def _check_suspicion(list_class: ListClass, confidence: Confidence) -> None:
    """A suspicion is listed as one: it leaves the list after 180 days."""
    sure = confidence in (Confidence.CONFIRMED, Confidence.ADJUDICATED)
    if list_class is ListClass.FRAUD_CONFIRMED and not sure:
        raise PeerError(f"{list_class} needs confidence 'confirmed' or 'adjudicated'")
    if list_class is ListClass.FRAUD_SUSPECTED and sure:
        raise PeerError(f"{list_class} goes with confidence 'suspected' or 'probable'")
