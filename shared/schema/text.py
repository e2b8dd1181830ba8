"""The text forms a lender's cells come in: numbers, booleans, dates, "nothing here".

Invariants:
- `clean` is idempotent, and every reader gives the same answer for a text and its cleaned form.
- A text is read in exactly one way or refused with ValueError; nothing is guessed or repaired:
  `1,5` and `1.234,50` are refused, because a comma is a thousands separator here.
- No reader ever returns NaN or infinity.
"""

from __future__ import annotations

import math
import re
import unicodedata
from datetime import date, timedelta
from decimal import Decimal

_ZERO_WIDTH = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff"))
_MINUS = str.maketrans({"−": "-", "﹣": "-", "－": "-"})
# Compared without regard to case, after the column's own levels and missing codes.
MISSING = frozenset(
    (
        *("", "na", "n/a", "#n/a", "nan", "<na>", "nat", "null", "none", "nil"),
        *("无", "空", "-", "--", "—", "?", "."),
    )
)
_TRUE = frozenset(["yes", "y", "true", "t", "1", "1.0", "是", "有", "真"])
_FALSE = frozenset(["no", "n", "false", "f", "0", "0.0", "否", "无", "没有", "假"])

_NUMBER = re.compile(
    r"(?P<digits>[+-]?(?:[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)?(?:\.[0-9]*)?(?:[eE][+-]?[0-9]{1,4})?)"
    r"\s*(?P<unit>[万亿%]?)"
)
_UNITS = {"": Decimal(1), "万": Decimal(10_000), "亿": Decimal(100_000_000), "%": Decimal("0.01")}

_TIME = r"(?:[ T][0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?)?"
_DATES = (
    re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})" + _TIME),
    re.compile(r"([0-9]{4})/([0-9]{1,2})/([0-9]{1,2})" + _TIME),
    re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})"),
    re.compile(r"([0-9]{4})年([0-9]{1,2})月([0-9]{1,2})日"),
)
_SERIAL = re.compile(r"([0-9]{5})(?:\.[0-9]+)?")
# Day 0 of the 1900 date system as every date after its phantom 29 February 1900 counts it.
_SERIAL_DAY_ZERO = date(1899, 12, 30)
SERIAL_LOW, SERIAL_HIGH = 20_000, 80_000
_YEAR = re.compile(r"(1[89]|2[01])[0-9]{2}(?:\.0+)?")


def clean(text: str) -> str:
    """NFKC, zero-width characters removed, outer white space removed. Idempotent."""
    return unicodedata.normalize("NFKC", text.translate(_ZERO_WIDTH)).translate(_ZERO_WIDTH).strip()


def is_missing(text: str) -> bool:
    """Whether a text is one of the usual ways to write "no value"."""
    return clean(text).casefold() in MISSING


def number_of(text: str, unit: str = "") -> float:
    """A finite number from `1,234.50`, `１２３`, `5万`, `1.2亿`, `12.5%`, `-3e4`.

    `12.5%` is 0.125, unless the column's `unit` is `%`: then it is 12.5. Raises ValueError with
    the reason for everything else, infinities included.
    """
    cleaned = clean(text).translate(_MINUS)
    match = _NUMBER.fullmatch(cleaned)
    if not match or not any(character.isdigit() for character in re.split("[eE]", cleaned)[0]):
        infinite = cleaned.casefold().lstrip("+-") in ("inf", "infinity", "∞")
        raise ValueError("infinite" if infinite else "not a number")
    written = match["unit"]
    if written in ("万", "亿") and unit[:1] in ("百", "千", "万", "亿"):
        raise ValueError(f"{written} in a column that already counts in {unit}")
    scale = Decimal(1) if written == unit == "%" else _UNITS[written]
    value = float(Decimal(match["digits"].replace(",", "")) * scale)
    if not math.isfinite(value):
        raise ValueError("infinite")
    return value


def boolean_of(text: str) -> bool:
    """是/否, 有/无, Y/N, yes/no, true/false, 1/0 in any case; raises ValueError otherwise."""
    word = clean(text).casefold()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError("neither yes nor no")


def date_of(text: str) -> date:
    """`2024-01-05`, `2024/1/5`, `20240105`, `2024年1月5日`, or a spreadsheet serial (`45296`).

    A time of day behind the first two is dropped. Serials are those of the 1900 date system
    between 20000 (1954) and 80000 (2119). Raises ValueError otherwise.
    """
    cleaned = clean(text)
    for form in _DATES:
        if match := form.fullmatch(cleaned):
            year, month, day = map(int, match.groups())
            return date(year, month, day)
    if (match := _SERIAL.fullmatch(cleaned)) and SERIAL_LOW <= int(match[1]) <= SERIAL_HIGH:
        return _SERIAL_DAY_ZERO + timedelta(days=int(match[1]))
    raise ValueError("not a date")


def year_of(text: str) -> float:
    """A decimal year from a bare year (`2007`) or any date form: 2024-07-02 is 2024.5."""
    if _YEAR.fullmatch(clean(text)):
        return float(clean(text))
    return decimal_year(date_of(text))


def decimal_year(day: date) -> float:
    """Year plus the fraction of it that had passed when the day began."""
    start, end = date(day.year, 1, 1), date(day.year + 1, 1, 1)
    return day.year + (day - start).days / (end - start).days
