"""What a check found: one line for people, or one object for a script.

Invariants:
- Whatever is not ok says what to do.
- No line holds a row's values, an identifier or a secret.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "attention", "wrong"]
STATUS: dict[State, int] = {"ok": 0, "attention": 1, "wrong": 2}
"""Exit status of the worst line."""


@dataclass(frozen=True)
class Advice:
    """`subject`: what was looked at, a word or two; `what`: one sentence; `remedy`: unless ok."""

    subject: str
    state: State
    what: str
    remedy: str = ""


def ok(subject: str, what: str) -> Advice:
    """All is well."""
    return Advice(subject, "ok", what)


def attention(subject: str, what: str, remedy: str) -> Advice:
    """It works, and a person should look."""
    return Advice(subject, "attention", what, remedy)


def wrong(subject: str, what: str, remedy: str) -> Advice:
    """It will not work."""
    return Advice(subject, "wrong", what, remedy)


def status_of(found: Iterable[Advice]) -> int:
    """0, 1 or 2: the worst of all."""
    return max((STATUS[one.state] for one in found), default=0)
