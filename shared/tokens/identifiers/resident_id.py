"""`resident_id` 身份证: GB 11643, 18 characters with a check character; 15 digits before 1999.

Invariants:
- A canonical value has 17 digits, the right check character, and a real date not in the future.
- Digits that a spreadsheet lost are never guessed, a check character is never corrected; only the
  15-digit form, which never had one, gets one.
- An ending of 000, which is what a spreadsheet leaves, is refused unless date and check character
  fit: they do for one person in some thousands, and by chance for one lost number in eleven, so it
  is told (`rounded`).
"""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from operator import mul

from stdnum import numdb

from shared.tokens.identifiers.cleaning import (
    Canonical,
    IdentifierError,
    joined,
    refuse_rounded,
    rounded,
)

KIND = "resident_id"
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK = b"10X98765432"
_OFFSET = 48 * sum(WEIGHTS)  # the digit "0" is byte 48
_NEW, _OLD = re.compile(r"[0-9]{17}[0-9X]"), re.compile(r"[0-9]{15}")
# Residence permits of people from Hong Kong, Macao and Taiwan; no region has these codes.
_RESIDENCE = ("81", "82", "83")
_LOST, _ROUNDED = "000", "rounded"
_CENTENARIAN = ("996", "997", "998", "999")


def canonical_resident_id(text: str, today: date) -> Canonical:
    """18 characters; warns `unknown_region`, `rounded`. Raises IdentifierError."""
    fast = _fast(text, today)
    if fast is not None:
        return fast
    refuse_rounded(KIND, text)
    plain = joined(text).upper()
    if _OLD.fullmatch(plain):
        plain = _from_old(plain)
        _check(plain, today)
        return _with_warnings(plain)
    if not _NEW.fullmatch(plain):
        raise IdentifierError(
            KIND,
            "form",
            "a resident id has 17 digits and a check character, or 15 digits",
            text=plain,
            remedy="check the cell; another kind of document belongs in its own column",
        )
    lost = plain.endswith(_LOST)
    if lost and not _fits(plain, today):
        raise rounded(KIND, plain)
    _check(plain, today)
    return _with_warnings(plain, *([_ROUNDED] if lost else []))


def check_character(digits: str) -> str:
    """The 18th character of 17 digits (GB 11643-1999, ISO 7064 MOD 11-2)."""
    return chr(_CHECK[(sum(map(mul, WEIGHTS, digits.encode())) - _OFFSET) % 11])


def _fast(text: str, today: date) -> Canonical | None:
    """The common case, a value that is canonical already; None: look closer."""
    if not _NEW.fullmatch(text):
        return None
    if text.endswith(_LOST) or not _fits(text, today):
        return None
    return _with_warnings(text)


def _fits(plain: str, today: date) -> bool:
    """Whether date and check character of 18 characters are right."""
    code = plain.encode()
    right = _CHECK[(sum(map(mul, WEIGHTS, code)) - _OFFSET) % 11] == code[17]
    born = _day(plain[6:14])
    return right and born is not None and born <= today


def _check(plain: str, today: date) -> None:
    born = _day(plain[6:14])
    if born is None or born > today:
        raise IdentifierError(
            KIND,
            "date",
            "its date of birth is in the future" if born else "its date of birth does not exist",
            text=plain,
            remedy="compare it with the document",
        )
    if check_character(plain[:17]) != plain[17]:
        raise IdentifierError(
            KIND,
            "check_digit",
            "its check character does not fit its digits: at least one is wrong",
            text=plain,
            remedy="compare it with the document",
        )


def _from_old(plain: str) -> str:
    """15 digits → 18. The endings 996 to 999 were given to people born before 1900."""
    if plain.endswith(_CENTENARIAN):
        raise IdentifierError(
            KIND,
            "manual_review",
            "a 15-digit number with this ending belongs to somebody born before 1900",
            text=plain,
            remedy="find the 18-digit number in the document",
        )
    digits = f"{plain[:6]}19{plain[6:]}"
    return digits + check_character(digits)


def _with_warnings(plain: str, *more: str) -> Canonical:
    return Canonical(KIND, plain, (*_region_warnings(plain[:6]), *more))


@lru_cache(maxsize=1 << 14)
def _day(digits: str) -> date | None:
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return None


@lru_cache(maxsize=1 << 13)
def _region_warnings(region: str) -> tuple[str, ...]:
    """A region that never was one. People keep the number of a county that is no more."""
    if region.startswith(_RESIDENCE):
        return ()
    known = any("county" in about for _, about in numdb.get("cn/loc").info(region))
    return () if known else ("unknown_region",)
