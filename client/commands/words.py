"""How the list's codes, numbers and days are said to a person. Scripts get them as they are, by
--json.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.blacklist.answer import Answer

_STATUS = {
    "pending_review": "not answering yet",
    "active": "answering",
    "disputed": "answering, flagged as disputed",
    "suspended": "suspended",
}
_RECENCY = {
    "under_3_months": "less than 3 months ago",
    "3_to_12_months": "3 to 12 months ago",
    "1_to_3_years": "1 to 3 years ago",
    "over_3_years": "more than 3 years ago",
}
_STRENGTH = {
    "strong": "strong: two identifiers that stay with a person match",
    "single": "single: one identifier that stays with a person matches",
    "weak": "weak: only what changes hands or is shared matches, such as a telephone number",
}


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun: "1 row", "12 rows"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def plain(code: str) -> str:
    """A code of several words as words."""
    return code.replace("_", " ")


def ago(age: timedelta) -> str:
    """When something happened that is so old."""
    return {0: "today", 1: "yesterday"}.get(max(0, age.days), f"{age.days:,} days ago")


def status_words(status: str) -> str:
    """Of an entry that is live."""
    return _STATUS.get(status, plain(status))


def refusal_words(refusal: str) -> str:
    """The registry's sentence first, its code for whoever reports it."""
    code, _, sentence = refusal.partition(": ")
    return f"{sentence} ({code})" if sentence else refusal


def remedy_lines(remedies: Iterable[str]) -> list[str]:
    """What the registry says to do about refusals: each once."""
    return [f"what to do: {remedy}" for remedy in dict.fromkeys(remedies) if remedy]


def answer_lines(answer: Answer) -> list[str]:
    """What is known of a subject, a line each."""
    lines = [
        f"class          {plain(answer.hit_class)}",
        f"reason         {plain(answer.reason_class)}",
        f"severity       {answer.severity} of 3",
        f"listed by      {answer.contributors} lenders",
        f"last event     {_RECENCY.get(answer.recency, plain(answer.recency))}",
        f"match          {_STRENGTH.get(answer.strength, plain(answer.strength))}",
        "dispute        disputed" if answer.disputed else "dispute        not disputed",
    ]
    if answer.annotated:
        lines.append("note           the contributor added what the subject says to the entry")
    if answer.protective:
        lines.append(
            "protective     (also) listed as a victim: verify more, it never speaks against them"
        )
    return lines


def skipped_lines(epochs: Sequence[int]) -> list[str]:
    """Which key epochs were not looked at, a line each."""
    return [
        f"epoch {epoch} is named by the registry, but no key holder has such a key: its rows were "
        "not looked at; tell the registry's operator"
        for epoch in epochs
    ]


ODD = {
    "unknown_region": "its region code is of no known region",
    "luhn": "its last digit is not the check digit it would have",
    "rounded": "it ends in 000 like a number from a spreadsheet; its date and check character fit",
    "virtual_operator": "its number is of a virtual operator, and often changes hands",
}
"""What is odd about an identifier that is taken as it is."""
