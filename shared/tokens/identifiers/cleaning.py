"""What happens to the text of every identifier before its own kind's rule looks at it.

Invariants:
- `cleaned` and `joined` are idempotent; they remove only what carries no meaning.
- Missing values have no canonical form: whoever asks for one gets `MissingIdentifierError`.
- An error holds the masked text only, whatever the cell held.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import NamedTuple

from shared.errors import OperatorError
from shared.schema.finding import masked

# Zero-width characters, direction marks (copied along from chat and contact programs), soft hyphen.
_INVISIBLE = dict.fromkeys(
    (
        *map(ord, "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u00ad"),
        *(*range(0x202A, 0x202F), *range(0x2066, 0x206A)),
    )
)
_SPACES = re.compile(r"\s+")
_HYPHENS = "-‐‑‒–—―−"  # NFKC turns the full-width and the small one into the first
_DOTS = "·•‧∙⋅・"
_SEPARATORS = dict.fromkeys(map(ord, _HYPHENS + _DOTS))
_MISSING = frozenset(
    (
        *("", "0", "无", "null", "na", "-999"),  # those of the domain reference
        *("n/a", "#n/a", "nan", "<na>", "none", "nil", "nat", "空", "暂无", "未知", "不详"),
        *("unknown", ".", "/", "?", "0.0", "-999.0"),
    )
)
_SPREADSHEET_FLOAT = re.compile(r"[+-]?[0-9]+(?:\.[0-9]*)?E\+?[0-9]{1,3}", re.IGNORECASE)


class Canonical(NamedTuple):
    """An identifier in the one form that every member gives it.

    `warnings` are words such as `unknown_region`: they say something about the value and are no
    part of the token.
    """

    kind: str
    value: str
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:  # a raw identifier must not get into a log by accident
        return f"Canonical({self.kind}, {masked(self.value)}, {self.warnings})"


class IdentifierError(OperatorError):
    """A text that has no canonical form as the kind it is said to be.

    `reason` is one word for programs (`check_digit`, `precision_lost`, …), `masked` the text with
    its middle hidden; the message says what is wrong, the remedy what to do.
    """

    def __init__(self, kind: str, reason: str, what: str, *, text: str, remedy: str) -> None:
        self.kind, self.reason, self.problem, self.masked = kind, reason, what, masked(text)
        super().__init__(f"{kind} {self.masked}: {what}", remedy=remedy)


class MissingIdentifierError(IdentifierError):
    """The text says that there is no value."""


def cleaned(text: str) -> str:
    """NFKC without invisible characters or outer white space. Idempotent."""
    if text.isascii():
        return text.strip()
    for _ in range(2):  # what is removed may have stood between characters that compose
        text = unicodedata.normalize("NFKC", text.translate(_INVISIBLE)).translate(_INVISIBLE)
    return unicodedata.normalize("NFKC", text.strip())


def is_missing(text: str) -> bool:
    """Whether a text is one of the ways to write that there is no value."""
    plain = cleaned(text)
    return len(plain) < 8 and (plain.casefold() in _MISSING or joined(plain) in ("", "0"))


def joined(text: str) -> str:
    """`cleaned`, and without spaces, tabs, hyphens and middle dots. Idempotent."""
    plain = _SPACES.sub("", cleaned(text)).translate(_SEPARATORS)
    return plain if plain.isascii() else unicodedata.normalize("NFKC", plain)


def refuse_missing(kind: str, text: str) -> None:
    """Raise MissingIdentifierError for a text that says there is nothing."""
    if is_missing(text):
        raise MissingIdentifierError(
            kind, "missing", "there is no value", text="", remedy="leave the cell empty"
        )


def refuse_rounded(kind: str, text: str) -> None:
    """Raise IdentifierError (`precision_lost`) for what a spreadsheet has made a number of."""
    if _SPREADSHEET_FLOAT.fullmatch(joined_number(text)):
        raise rounded(kind, text)


def joined_number(text: str) -> str:
    """`cleaned` without spaces: signs and exponents are kept."""
    return _SPACES.sub("", cleaned(text))


def rounded(kind: str, text: str) -> IdentifierError:
    """The error about digits that are lost: nobody can say what they were."""
    return IdentifierError(
        kind,
        "precision_lost",
        "it went through a spreadsheet, which keeps 15 digits of a number",
        text=text,
        remedy="export the column as text from the system it comes from; do not retype it",
    )


def is_repeated(text: str) -> bool:
    """Whether a text is one character over and over, such as 0000000: nobody's identifier."""
    return len(set(text)) < 2


def settled(kind: str, text: str, step: Callable[[str], str]) -> str:
    """`step` applied until it changes nothing more, so that the result is idempotent."""
    for _ in range(8):
        after = step(text)
        if after == text:
            return text
        text = after
    raise IdentifierError(
        kind, "unsettled", "it has no stable form", text=text, remedy="write it in plain characters"
    )
