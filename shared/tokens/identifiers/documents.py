"""`passport` and `permit`: upper case, letters and digits. Never matched across kinds.

Invariants:
- A canonical value has 6 to 20 letters A–Z and digits, at least four of them digits.
"""

from __future__ import annotations

import re

from shared.tokens.identifiers.cleaning import (
    Canonical,
    IdentifierError,
    is_repeated,
    joined,
    refuse_rounded,
)

PASSPORT, PERMIT = "passport", "permit"
_FORM = re.compile(r"(?=(?:[A-Z]*[0-9]){4})[A-Z0-9]{6,20}")


def canonical_passport(text: str) -> Canonical:
    """`E12345678`. Raises IdentifierError."""
    return _document(PASSPORT, text)


def canonical_permit(text: str) -> Canonical:
    """A travel permit of a resident of Hong Kong, Macao or Taiwan. Raises IdentifierError."""
    return _document(PERMIT, text)


def _document(kind: str, text: str) -> Canonical:
    _refuse_exponent(kind, text)
    plain = joined(text).upper()
    if not _FORM.fullmatch(plain) or is_repeated(plain.strip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")):
        raise IdentifierError(
            kind,
            "form",
            "it is not 6 to 20 letters and digits with at least four digits",
            text=plain,
            remedy="copy the number of the document without the country or other words",
        )
    return Canonical(kind, plain)


def _refuse_exponent(kind: str, text: str) -> None:
    """`1.2E+17` is a rounded number; `12E5678`, without a sign or point, is a document."""
    if "+" in text or "." in text:
        refuse_rounded(kind, text)
