"""The reference of a lookup: opaque, as it is told to every key holder.

Invariants:
- A reference that reads as an identifier, or holds one that is looked up, is refused before
  anything leaves, and is not repeated.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from shared.errors import OperatorError
from shared.tokens.identifiers import Canonical, IdentifierError, canonical
from shared.tokens.identifiers.cleaning import joined

_TOLD_APART = ("resident_id", "uscc", "bank_card", "phone", "email")
"""Kinds whose form is no number of an application: passports have no check digit, and many are."""
_CARDS = ("3", "4", "5", "6")
_SHORTEST = 5


def check_reference(
    reference: str, given: Sequence[tuple[str, str]], subject: Sequence[Canonical], today: date
) -> None:
    """OperatorError when this is an identifier, or holds one of the command (`given`: kind and
    text, `subject`: the same in canonical form).
    """
    plain = joined(reference).casefold()
    held = [(kind, joined(text)) for kind, text in given]
    held += [(one.kind, one.value) for one in subject]
    for kind, text in held:
        if len(text) >= _SHORTEST and text.casefold() in plain:
            raise _refused(f"holds the {kind} that is looked up")
    for kind in _TOLD_APART:
        if _reads_as(kind, reference, today):
            raise _refused(f"reads as an identifier ({kind})")


def _reads_as(kind: str, text: str, today: date) -> bool:
    try:
        found = canonical(kind, text, today=today)
    except IdentifierError:
        return False
    if kind == "bank_card":
        return not found.warnings and found.value.startswith(_CARDS)
    if kind == "phone":
        return len(found.value) == 11 or (found.value.startswith("+") and "+" in text)
    return "unknown_region" not in found.warnings


def _refused(why: str) -> OperatorError:
    return OperatorError(
        f"--reference {why}: nothing was looked up, as every key holder is told the reference",
        remedy="give your own number of the application, or none",
    )
