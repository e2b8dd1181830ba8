"""`employer`: the company code where it is known, else the name in one spelling.

Invariants:
- A code and a name of one company give different tokens: nobody here knows which belong together.
- 有限责任公司 is written 有限公司; brackets, quotes and punctuation carry no meaning.
"""

from __future__ import annotations

import re
import unicodedata

from shared.tokens.identifiers.cleaning import (
    Canonical,
    IdentifierError,
    is_missing,
    is_repeated,
    joined,
    settled,
)
from shared.tokens.identifiers.uscc import problem_of

KIND = "employer"
_CODE = re.compile(r"(?=.*[0-9])[0-9A-Z]{18}")
_NOISE = re.compile(r"[()\[\]<>《》〈〉【】「」\"'“”‘’,.，。、;:!?&/_*#]")
_NOBODY = frozenset(
    (
        *("个体", "个体户", "个体经营", "自由职业", "自由职业者", "无业", "待业", "务农", "农民"),
        *("学生", "退休", "自雇", "打工", "保密", "其他"),
    )
)


def canonical_employer(text: str) -> Canonical:
    """A company code, or a name of at least four characters. Raises IdentifierError."""
    plain = settled(KIND, text, _spelled)
    if _CODE.fullmatch(plain):
        if problem := problem_of(plain):
            raise _refused(problem.reason, f"as a company code: {problem.problem}", plain)
        return Canonical(KIND, plain)
    if plain in _NOBODY or is_missing(plain):
        raise _refused("nobody", "it names no employer", plain)
    if not 4 <= len(plain) <= 100 or is_repeated(plain) or plain.isdecimal():
        raise _refused("form", "it is not the full name of an employer", plain)
    return Canonical(KIND, plain)


def _spelled(text: str) -> str:
    plain = unicodedata.normalize("NFKC", _NOISE.sub("", joined(text)).upper())
    return plain.replace("有限责任公司", "有限公司")


def _refused(reason: str, what: str, plain: str) -> IdentifierError:
    remedy = "write the company code, or the name as on the licence, or leave the cell empty"
    return IdentifierError(KIND, reason, what, text=plain, remedy=remedy)
