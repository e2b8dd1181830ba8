"""Whether a text that should be a reference reads as an identifier."""

from __future__ import annotations

from datetime import date

from shared.tokens.identifiers import IdentifierError, canonical

_TOLD_APART = ("resident_id", "uscc", "bank_card", "phone", "email")
"""Kinds whose form is no number of an application: passports have no check digit, and many are."""
_CARDS = ("3", "4", "5", "6")


def reads_as(text: str, today: date) -> str | None:
    """The kind of identifier that a text reads as; None: none of those that can be told."""
    return next((kind for kind in _TOLD_APART if _is(kind, text, today)), None)


def _is(kind: str, text: str, today: date) -> bool:
    try:
        found = canonical(kind, text, today=today)
    except IdentifierError:
        return False
    if kind == "bank_card":
        return not found.warnings and found.value.startswith(_CARDS)
    if kind == "phone":
        return len(found.value) == 11 or (found.value.startswith("+") and "+" in text)
    return "unknown_region" not in found.warnings
