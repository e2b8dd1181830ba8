"""`device`: an id with the prefix of its source, so that ids of different sources never meet.

Invariants:
- A canonical value is `imei:`, `oaid:`, `idfv:` or `fp-<vendor>:` and lower-case letters or digits.
- The ids that many devices share (all zeros, a maker's default) are refused.
"""

from __future__ import annotations

import re

from shared.tokens.identifiers.bank_card import passes_luhn
from shared.tokens.identifiers.cleaning import (
    Canonical,
    IdentifierError,
    cleaned,
    is_missing,
    is_repeated,
    joined,
    refuse_rounded,
)

KIND = "device"
_SOURCE = re.compile(r"imei|oaid|idfv|fp-[a-z0-9]{2,20}")
_FORM = {"imei": re.compile(r"[0-9]{15}"), "idfv": re.compile(r"[0-9a-f]{32}")}
_ANY_FORM = re.compile(r"[0-9a-z_.+/=]{8,128}")
DEFAULTS = frozenset(
    (
        *("004999010640000", "012345678912345", "123456789012345", "358673013795895"),
        *("9774d56d682e549c", "020000000000", "0123456789abcdef", "unknown", "undefined"),
    )
)


def canonical_device(text: str) -> Canonical:
    """`imei:490154203237518`; warns `luhn` for IMEIs. Raises IdentifierError."""
    source, colon, rest = cleaned(text).lower().partition(":")
    source = "".join(source.split())
    if not colon or not _SOURCE.fullmatch(source):
        remedy = "put imei:, oaid:, idfv: or fp-<vendor>: in front"
        raise _refused("source", "it does not say which kind of id it is", text, remedy)
    plain = joined(rest).lower()
    refuse_rounded(KIND, rest)
    if not _FORM.get(source, _ANY_FORM).fullmatch(plain):
        raise _refused("form", f"it is no id of the kind {source}", text, "take it as it was read")
    if is_missing(rest) or is_repeated(plain) or plain in DEFAULTS or not plain.strip("0"):
        raise _refused("default", "many devices report this id", text, "leave the cell empty")
    right = source != "imei" or passes_luhn(plain)
    return Canonical(KIND, f"{source}:{plain}", () if right else ("luhn",))


def _refused(reason: str, what: str, text: str, remedy: str) -> IdentifierError:
    return IdentifierError(KIND, reason, what, text=cleaned(text), remedy=remedy)
