"""Which identifier an attribute of each kind of edge is.

Invariants:
- An attribute's token comes of the identifier, not of the kind of the edge: a payee meets the
  card's owner, an emergency contact or a guarantor the owner of the telephone.
- A subject is known by what stays with it; a telephone or a device is never a subject.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date

from shared.blacklist.retention import is_strong
from shared.errors import OperatorError
from shared.rings.kinds import Kind
from shared.tokens.identifiers import (
    Canonical,
    IdentifierError,
    MissingIdentifierError,
    canonical,
    kind_of,
)
from shared.tokens.identifiers.cleaning import cleaned, refuse_missing

PURPOSE = "ring"
"""Told to the key holders."""
KIND_NAMES: Mapping[str, Kind] = {kind.name.lower(): kind for kind in Kind}
_READ_AS: Mapping[Kind, tuple[str, ...]] = {
    Kind.DEVICE: ("device",),
    Kind.BANK_CARD: ("bank_card", "account"),
    Kind.PHONE: ("phone",),
    Kind.EMERGENCY_CONTACT: ("phone",),
    Kind.ADDR_UNIT: ("addr_unit",),
    Kind.ADDR_BUILDING: ("addr_building",),
    Kind.EMPLOYER: ("employer",),
    Kind.WIFI: ("device",),
    Kind.GUARANTOR: ("phone",),
    Kind.PAYEE: ("bank_card", "account"),
}
_ACCESS_POINT = re.compile(r"([0-9a-f]{2})([:\-.]?)(?:[0-9a-f]{2}\2){4}[0-9a-f]{2}", re.ASCII)
_NOT_ONE = frozenset({"000000000000", "ffffffffffff", "020000000000"})


def subject_of(kind: str, text: str, today: date) -> Canonical:
    """Whom an edge is about. IdentifierError; OperatorError for a kind that changes hands."""
    if not is_subject(kind):
        raise OperatorError(
            f"a {kind} is no subject: it changes hands, or several use it",
            remedy="name the subject by resident_id, uscc, passport, permit, national_id:<country> "
            "or tax_id:<country>",
        )
    try:
        return _plain(canonical(kind, text, today=today))
    except MissingIdentifierError:
        raise
    except IdentifierError as error:
        if error.reason == "form" and kind == "resident_id":  # a book's remedy: other columns
            error.remedy = "check the cell; for another kind of document say so in subject_kind"
        raise


def is_subject(kind: str) -> bool:
    """Whether an identifier of this kind names one person or company. OperatorError."""
    return is_strong(kind_of(kind).name) and kind not in ("bank_card", "account")


def attribute_of(kind: Kind, text: str, today: date) -> Canonical:
    """What an edge of this kind leads to. Raises IdentifierError."""
    if kind is Kind.WIFI:
        return _access_point(text, today)
    first, *others = _READ_AS[kind]
    try:
        return _plain(canonical(first, text, today=today))
    except IdentifierError as error:
        for other in others:
            if ":" in cleaned(text):
                return _plain(canonical(other, text, today=today))
        if others and error.reason == "form":  # a book's remedy names columns not known here
            error.remedy = "compare it with the card; write an account with its bank, ICBC:0200…"
        raise error


def _access_point(text: str, today: date) -> Canonical:
    """A network by its access point's address (BSSID), as a device of the source `fp-wifi`."""
    plain = cleaned(text).lower()
    found = _ACCESS_POINT.fullmatch(plain)
    digits = re.sub(r"[:\-.]", "", plain)
    if not found or digits in _NOT_ONE:
        refuse_missing("wifi", text)
        raise IdentifierError(
            "wifi",
            "form",
            "it is no address of an access point",
            text=plain,
            remedy="write the BSSID, such as 58:41:20:aa:01:7f; a network's name names nobody",
        )
    return _plain(canonical("device", f"fp-wifi:{digits}", today=today))


def _plain(found: Canonical) -> Canonical:
    return Canonical(found.kind, found.value)
