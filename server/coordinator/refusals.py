"""Lenders' signed refusals, kept as evidence in the run's folder.

    refusals/001-L03-threshold.json    where in the run, what was asked, the refusal, and the
                                       lender's certificate

Invariants:
- A file is written only for a member's code that a certificate could hold, and one of the known
  reasons; nothing else of a message becomes part of a path.
- A refusal whose signature does not fit is no evidence: it is not kept. One of a lender whose key
  has not been seen yet is kept and marked as not checked.
- The same refusal is kept once.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from server.coordinator.checkpoint import unwritable, write_durably
from shared.errors import PeerError
from shared.identity.certificate import CODE, Member
from shared.secure_sum.encoding import text_of
from shared.secure_sum.floors import REASONS, in_words
from shared.secure_sum.statements import Refusal, check_signature
from shared.secure_sum.suite import Suite

REFUSALS = "refusals"
BLAMES = frozenset({"box", "accepted"})
"""Reasons whose refusal names another member as the cause."""
_LONGEST_WORD = 80


@dataclass(frozen=True)
class Where:
    """Where in a run a lender refused. `stage`: with its phase; `round`: the name of the round,
    empty in a set-up; `attempt`: how often the lender was asked in this exchange.
    """

    stage: str
    round: bytes = b""
    attempt: int = 1


class Refusals:
    """The folder of refusals. `members`: the certified members met so far, by code."""

    def __init__(self, folder: Path, suite: Suite, members: Callable[[str], Member | None]) -> None:
        self._folder = folder
        self._suite = suite
        self._members = members
        self._kept: set[Refusal] = set()

    def taken(self, member: str, refusal: Refusal, asked: Iterable[bytes], where: Where) -> str:
        """Keep a refusal of one of the texts in `asked`; returns it in words, for the operator.

        Raises PeerError when it is not that member's, not about what was asked, or not signed.
        """
        if refusal.member != member or not CODE.fullmatch(member):
            raise PeerError("refused in another lender's name")
        text = next((one for one in asked if self._suite.digest(one) == refusal.asked), None)
        if text is None:
            raise PeerError("refused something it was not asked")
        if refusal.reason not in REASONS:
            raise PeerError("refused for a reason that is none")
        known = self._members(member)
        if known is not None:
            self._check(known, refusal)
        self._keep(refusal, text, known, where)
        return _in_words(refusal)

    def _check(self, member: Member, refusal: Refusal) -> None:
        try:
            check_signature(self._suite, member.public, refusal)
        except PeerError as error:
            raise PeerError("refused, and its signature does not fit") from error

    def _keep(self, refusal: Refusal, asked: bytes, member: Member | None, where: Where) -> None:
        if refusal in self._kept:
            return
        self._kept.add(refusal)
        evidence = {
            "stage": where.stage,
            "round": where.round.hex(),
            "attempt": where.attempt,
            "asked": asked.decode(),
            "refusal": text_of(refusal).decode(),
            "certificate": "" if member is None else _base64(member.certificate),
            "checked": member is not None,
        }
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            number = 1 + len(list(self._folder.glob("*.json")))
            path = self._folder / f"{number:03d}-{refusal.member}-{refusal.reason}.json"
            write_durably(path, json.dumps(evidence, indent=1).encode())
        except OSError as error:
            raise unwritable(self._folder, error) from error


def refusals_kept(folder: Path) -> list[str]:
    """The files of refusals in a run's folder, each with the stage it was at; reads only."""
    return [
        f"{path.name} (at {_stage(path)})" for path in sorted((folder / REFUSALS).glob("*.json"))
    ]


def _stage(path: Path) -> str:
    try:
        return _word(str(json.loads(path.read_text(encoding="utf-8"))["stage"])) or "?"
    except (OSError, ValueError, KeyError, TypeError):
        return "?"


def _in_words(refusal: Refusal) -> str:
    told = in_words(refusal.reason, _word(refusal.expected), _word(refusal.came))
    return f"refused ({refusal.reason}): {told}"


def _word(text: str) -> str:
    """A short printable text; nothing of any other."""
    return text if text.isprintable() and len(text) <= _LONGEST_WORD else ""


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
