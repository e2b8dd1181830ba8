"""What this lender's people decided about rings: one proposes a verdict, another confirms it.

    own/rings/decisions.jsonl   a line for each proposal and each confirmation, chained by digests

Invariants:
- The file only grows. A line is on the disk when the call returns; each holds the digest of the
  one before. A last line without its end was cut off by a crash and is left out; any other damage
  stops.
- Who confirms is another person than who proposed, and confirms what was proposed, over the ring
  as it was shown then: a ring that has changed since is decided anew.
- People are keyed marks; nobody's name and no identifier is in a line. A verdict is sent nowhere:
  what a confirmed `fraud` starts is a filing like any other, with its own checker.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from pathlib import Path

from client.exchange.filing_terms import FilingTerms
from client.exchange.secret import Secret
from client.files import keep_private, sync_folder, write_all
from shared.errors import OperatorError, PeerError
from shared.secure_sum.encoding import read_text, text_of

FILE = "decisions.jsonl"
_BEGINNING = bytes(32)


class Verdict(StrEnum):
    """What a ring is taken for."""

    FRAUD = "fraud"
    INNOCENT = "innocent"
    WATCH = "watch"


class Step(StrEnum):
    """A line's part."""

    PROPOSED = "proposed"
    CONFIRMED = "confirmed"


@dataclass(frozen=True)
class Decision:
    """`before`: digest of the line before; `ring`: 16 bytes; `case`: its id; `seen`: digest of the
    ring as it was shown; `person`: a keyed mark; `at`: ISO; `left_out`: own members (subject
    tokens) that are no part of it; `terms`: those of the filing, if it is fraud.
    """

    before: bytes
    step: Step
    case: bytes
    ring: bytes
    seen: bytes
    verdict: Verdict
    person: bytes
    at: str
    left_out: tuple[bytes, ...] = ()
    terms: FilingTerms | None = None

    @property
    def digest(self) -> bytes:
        """What the next line holds."""
        return sha256(text_of(self)).digest()


class RingDecisions:
    """The file in `folder`. Methods raise OperatorError when the disk does not do its part, or the
    file does not hold together.
    """

    def __init__(self, folder: Path, secret: Secret) -> None:
        self._path, self._secret = folder / FILE, secret

    def all(self) -> list[Decision]:
        """Every line, in order."""
        content = self._content()
        return _checked(self._path, content[: content.rfind(b"\n") + 1])

    def of(self, ring: bytes) -> list[Decision]:
        """Those about one ring."""
        return [one for one in self.all() if one.ring == ring]

    def standing(self, ring: bytes) -> Decision | None:
        """The last confirmed verdict about a ring."""
        confirmed = [one for one in self.of(ring) if one.step is Step.CONFIRMED]
        return confirmed[-1] if confirmed else None

    def waiting(self, ring: bytes) -> Decision | None:
        """The last proposal, if nobody confirmed it."""
        lines = self.of(ring)
        return lines[-1] if lines and lines[-1].step is Step.PROPOSED else None

    def propose(
        self,
        *,
        case: bytes,
        ring: bytes,
        seen: bytes,
        verdict: Verdict,
        operator: str,
        now: datetime,
        left_out: Sequence[bytes] = (),
        terms: FilingTerms | None = None,
    ) -> Decision:
        """One person's verdict, which another has to confirm."""
        mark = self._secret.operator(operator)
        with self._alone() as before:
            return self._append(
                Decision(
                    before,
                    Step.PROPOSED,
                    case,
                    ring,
                    seen,
                    verdict,
                    mark,
                    now.isoformat(timespec="seconds"),
                    tuple(sorted(left_out)),
                    terms,
                )
            )

    def confirm(self, ring: bytes, seen: bytes, operator: str, now: datetime) -> Decision:
        """Another person confirms the last proposal; given again by that person: what stands."""
        found = self.confirmable(ring, seen, operator)
        if found.step is Step.CONFIRMED:
            return found
        with self._alone() as before:
            return self._append(
                Decision(
                    before,
                    Step.CONFIRMED,
                    found.case,
                    ring,
                    seen,
                    found.verdict,
                    self._secret.operator(operator),
                    now.isoformat(timespec="seconds"),
                    found.left_out,
                    found.terms,
                )
            )

    def confirmable(self, ring: bytes, seen: bytes, operator: str) -> Decision:
        """The proposal that this person may confirm, or, of a ring that is as it was, what this
        person confirmed last. OperatorError where there is none; nothing is written.
        """
        mark = self._secret.operator(operator)
        waiting, standing = self.waiting(ring), self.standing(ring)
        again = standing is not None and (standing.person, standing.seen) == (mark, seen)
        if waiting is None and standing is not None and again:
            return standing
        if waiting is None:
            raise OperatorError(
                "nothing about this ring waits for a second person",
                remedy="propose a verdict first: lianfang-client ring decide RING --verdict … "
                "--operator NAME",
            )
        if waiting.person == mark:
            raise OperatorError(
                "this very person proposed the verdict: nothing was decided",
                remedy="another person must look at the ring and confirm it",
            )
        if waiting.seen != seen:
            raise OperatorError(
                "the ring has changed since the verdict was proposed: nothing was decided",
                remedy="look at it again (ring show) and propose anew (ring decide)",
            )
        return waiting

    @contextmanager
    def _alone(self) -> Iterator[bytes]:
        """One writer at a time; the digest of the last line."""
        try:
            keep_private(self._path.parent)
            self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise self._told(error) from error
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX)
            lines = self.all()
            yield lines[-1].digest if lines else _BEGINNING
        finally:
            os.close(self._handle)

    def _append(self, decision: Decision) -> Decision:
        whole = self._content().rfind(b"\n") + 1
        try:
            os.ftruncate(self._handle, whole)  # of a line that a crash cut off
            os.lseek(self._handle, whole, os.SEEK_SET)
            write_all(self._handle, text_of(decision) + b"\n")
            os.fsync(self._handle)
            sync_folder(self._path.parent)
        except OSError as error:
            raise self._told(error) from error
        return decision

    def _content(self) -> bytes:
        try:
            return self._path.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise self._told(error) from error

    def _told(self, error: OSError) -> OperatorError:
        return OperatorError(
            f"{self._path}: {error.strerror or type(error).__name__}; nothing was decided",
            remedy="check space and rights of the folder, then give the command again",
        )


def _checked(path: Path, content: bytes) -> list[Decision]:
    found: list[Decision] = []
    before = _BEGINNING
    for number, line in enumerate(content.splitlines(), 1):
        try:
            decision = read_text(Decision, line)
        except PeerError:
            decision = None
        if decision is None or decision.before != before:
            raise OperatorError(
                f"{path}: line {number} was changed, or one is missing before it",
                remedy="put the file back from a backup; do not mend it, find out who changed it",
            )
        found.append(decision)
        before = decision.digest
    return found
