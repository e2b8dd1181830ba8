"""An entry as the log leaves it, without tokens: what is compared and kept of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from shared.blacklist.transitions import LIVE, Status


@dataclass(frozen=True)
class Part:
    """A token of an entry without the token."""

    id_kind: str
    role: str
    expires: date


@dataclass(frozen=True)
class Heard:
    """The day on which the last dispute of an entry that this member opened had its outcome."""

    member: str
    day: date


@dataclass(frozen=True, kw_only=True)
class EntryState:
    """An entry's changing part. `seq`: place of its filing in the log; `filed`: the
    registry's day of it; `digest`: what is approved
    of the filing, `refiled`: of the re-filings, one for each of `epochs` after the first;
    `expires`: when its last token does; `second`: code of the first other institution that
    approved it; `epochs`: key epochs it has tokens in; `corroborated`: those whose tokens another
    institution approved; `disputed`: day the dispute was opened; `evidence`: of all disputes;
    `heard`: whose disputes had an outcome.
    """

    entry_id: bytes
    seq: int
    filed: date
    contributor: str
    maker: bytes
    digest: bytes
    reason_code: str
    severity: int
    expires: date
    parts: tuple[Part, ...]
    epochs: tuple[int, ...]
    supersedes: bytes | None
    status: Status = Status.PENDING_REVIEW
    checker: bytes | None = None
    second: str | None = None
    refiled: tuple[bytes, ...] = ()
    corroborated: tuple[int, ...] = ()
    disputed: date | None = None
    disputed_by: str | None = None
    evidence: tuple[bytes, ...] = ()
    heard: tuple[Heard, ...] = ()
    annotated: bool = False
    reversed: bool = False

    @property
    def newest_epoch(self) -> int:
        """The latest key epoch it has tokens in."""
        return self.epochs[-1]

    def approved_epoch(self, digest: bytes) -> int | None:
        """The key epoch whose tokens have this digest, as filed or re-filed; None: none of them."""
        pairs = zip((self.digest, *self.refiled), self.epochs, strict=True)
        return next((epoch for known, epoch in pairs if known == digest), None)

    @property
    def is_live(self) -> bool:
        """Whether its status is not final."""
        return self.status in LIVE
