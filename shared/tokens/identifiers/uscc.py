"""`uscc` 统一社会信用代码: GB 32100, 18 characters of a 31-character alphabet.

Invariants:
- A canonical value has 17 characters and the right 18th; a wrong one is never corrected, the error
  only says which letters are not in the alphabet and what they may have been.
"""

from __future__ import annotations

from operator import mul

from shared.tokens.identifiers.cleaning import (
    Canonical,
    IdentifierError,
    is_repeated,
    joined,
    refuse_rounded,
)

KIND = "uscc"
ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"  # without I O S V Z
WEIGHTS = tuple(pow(3, i, 31) for i in range(17))
_VALUE = {character: value for value, character in enumerate(ALPHABET)}
_LOOKALIKE = {"O": "0", "I": "1", "S": "5", "Z": "2", "V": "U"}


def canonical_uscc(text: str) -> Canonical:
    """18 upper-case characters. Raises IdentifierError."""
    plain = joined(text).upper()
    if problem := problem_of(plain):
        refuse_rounded(KIND, text)
        raise problem
    return Canonical(KIND, plain)


def check_character(body: str) -> str:
    """The 18th character of 17 of `ALPHABET` (GB 32100-2015)."""
    return ALPHABET[-sum(map(mul, WEIGHTS, (_VALUE[c] for c in body))) % 31]


def problem_of(plain: str) -> IdentifierError | None:
    """What is wrong with a text as a code, upper case and joined; None: nothing."""
    if len(plain) != 18 or is_repeated(plain[:17]):
        what, reason, remedy = "a company code has 18 characters", "form", "compare it"
    elif odd := [i for i, c in enumerate(plain) if c not in _VALUE]:
        what, reason = "the letters I O S V Z and signs do not occur in it", "alphabet"
        remedy = f"{_hints(plain, odd)}; compare it"
    elif check_character(plain[:17]) != plain[17]:
        what, reason = "its last character does not fit the others", "check_digit"
        remedy = "at least one is wrong: compare it"
    else:
        return None
    remedy += " with the business licence"
    return IdentifierError(KIND, reason, what, text=plain, remedy=remedy)


def _hints(plain: str, odd: list[int]) -> str:
    hints = [
        f"character {i + 1} is {plain[i]}: perhaps {_LOOKALIKE[plain[i]]}"
        if plain[i] in _LOOKALIKE
        else f"character {i + 1} is no letter or digit"
        for i in odd[:3]
    ]
    return ", ".join(hints)
