"""`phone`: mainland mobiles as 11 digits, every other number in E.164.

Invariants:
- `+86`, `0086` and `86` are dropped only where a mobile number of 11 digits remains.
- A service number (400, 95xxx, …) or an extension names nobody and is refused.
- Whether the prefix is a virtual operator's is a warning, never part of the token.
"""

from __future__ import annotations

import re

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType

from shared.tokens.identifiers.cleaning import (
    Canonical,
    IdentifierError,
    joined,
    refuse_rounded,
)

KIND = "phone"
_MOBILE = re.compile(r"(?:\+86|0086|86)?(1[3-9][0-9]{9})")
_NUMBER = re.compile(r"\+?[0-9]{5,20}")
_BRACKETS = str.maketrans("", "", "()")
_VIRTUAL = ("162", "165", "167", "170", "171")
_SOMEBODY = (
    *(PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE, PhoneNumberType.FIXED_LINE_OR_MOBILE),
    *(PhoneNumberType.PERSONAL_NUMBER, PhoneNumberType.VOIP),
)


def canonical_phone(text: str) -> Canonical:
    """`13800138000` or `+14155552671`; warns `virtual_operator`. Raises IdentifierError."""
    plain = joined(text).translate(_BRACKETS)
    if mobile := _MOBILE.fullmatch(plain):
        return _mainland(mobile[1])
    refuse_rounded(KIND, text)
    if not _NUMBER.fullmatch(plain):
        raise _refused("form", "it is not one telephone number in digits", plain)
    number = _international(plain)
    if mobile := _MOBILE.fullmatch(number):  # it came with a trunk 0: 013800138000
        return _mainland(mobile[1])
    return Canonical(KIND, number)


def _mainland(mobile: str) -> Canonical:
    warned = ("virtual_operator",) if mobile.startswith(_VIRTUAL) else ()
    return Canonical(KIND, mobile, warned)


def _international(plain: str) -> str:
    try:
        number = phonenumbers.parse(plain, "CN")  # 00 and + begin a country code, 0 an area code
    except NumberParseException:
        raise _refused("form", "it is no telephone number", plain) from None
    if not phonenumbers.is_valid_number(number):
        raise _refused("unknown_number", "no country has such a number", plain)
    if phonenumbers.number_type(number) not in _SOMEBODY:
        raise _refused("service_number", "it is a service number and names nobody", plain)
    if number.country_code == 86 and not plain.startswith(("0", "+86", "86")):
        raise _refused("area_code", "its area code is missing", plain)
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def _refused(reason: str, what: str, plain: str) -> IdentifierError:
    return IdentifierError(
        KIND,
        reason,
        what,
        text=plain,
        remedy="a mainland mobile has 11 digits, a line its area code, another country's number "
        "begins with + and the country code; one number in a cell",
    )
