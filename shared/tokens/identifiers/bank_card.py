"""`bank_card`: 12 to 19 digits, and `account`: a bank's code and the account's digits.

Invariants:
- A failing Luhn digit is a warning: older cards of some banks have none.
- Leading zeros of an account are kept; an account without its bank's code names nobody.
"""

from __future__ import annotations

import re

from shared.tokens.identifiers.cleaning import (
    Canonical,
    IdentifierError,
    is_repeated,
    joined,
    refuse_rounded,
    rounded,
)

CARD, ACCOUNT = "bank_card", "account"
_CARD = re.compile(r"[0-9]{12,19}")
_ACCOUNT = re.compile(r"(?:([A-Z0-9]{3,12})[:/]|([A-Z]{3,11}))([0-9]{5,32})")
_KEPT_BY_SPREADSHEETS = 15
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def canonical_bank_card(text: str) -> Canonical:
    """12–19 digits; warns `luhn`. Raises IdentifierError."""
    plain = joined(text)
    if not _CARD.fullmatch(plain) or is_repeated(plain):
        refuse_rounded(CARD, text)
        raise IdentifierError(
            CARD,
            "form",
            "a card has 12 to 19 digits",
            text=plain,
            remedy="compare it with the card; an account belongs in its own column",
        )
    if passes_luhn(plain):
        return Canonical(CARD, plain)
    lost = plain[_KEPT_BY_SPREADSHEETS:]
    if len(lost) > 1 and not lost.strip("0"):
        raise rounded(CARD, plain)
    return Canonical(CARD, plain, ("luhn",))


def canonical_account(text: str) -> Canonical:
    """`ICBC:0200001009012345678`. Raises IdentifierError."""
    plain = joined(text).upper()
    found = _ACCOUNT.fullmatch(plain)
    if not found or is_repeated(found[3]):
        refuse_rounded(ACCOUNT, plain.partition(":")[2] or text)
        raise IdentifierError(
            ACCOUNT,
            "form",
            "an account is its bank's code, a colon and 5 to 32 digits",
            text=plain,
            remedy="put the bank's code in front, e.g. ICBC:… or 102100099996:…",
        )
    return Canonical(ACCOUNT, f"{found[1] or found[2]}:{found[3]}")


def passes_luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of ISO/IEC 7812-1."""
    numbers = [*map(int, reversed(digits))]
    return (sum(numbers[::2]) + sum(_DOUBLED[n] for n in numbers[1::2])) % 10 == 0
