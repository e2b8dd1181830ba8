"""What a run tells while it is at work, to whoever watches: stages, exchanges, who answered.

Invariants:
- A watcher changes nothing: what it is told has been decided before.
- It is told codes, stages, counts, sizes and seconds. It is told no number that a lender sent.
"""

from __future__ import annotations

from typing import Protocol

from server.coordinator.checkpoint import StageRecord


class Watcher(Protocol):
    """Told by the thread that conducts the run."""

    def goes_on(self, records: list[StageRecord]) -> None:
        """These stages were done by earlier processes."""

    def stage(self, stage: str, done: int, steps: int | None) -> None:
        """A stage is begun; `done` stages of `steps` are over."""

    def asking(self, label: str) -> None:
        """An exchange is begun. `label`: stage and phase."""

    def answered(self, member: str, seconds: float, size: int) -> None:
        """A lender's reply of `size` bytes counts; it came `seconds` after the exchange began."""

    def missed(self, name: str, why: str) -> None:
        """A lender, by code where that is known, did not answer, or not as it should."""

    def recorded(self, record: StageRecord) -> None:
        """A stage is over and durable."""


class NoWatcher:
    """Nobody watches."""

    def goes_on(self, records: list[StageRecord]) -> None:
        """Nothing."""

    def stage(self, stage: str, done: int, steps: int | None) -> None:
        """Nothing."""

    def asking(self, label: str) -> None:
        """Nothing."""

    def answered(self, member: str, seconds: float, size: int) -> None:
        """Nothing."""

    def missed(self, name: str, why: str) -> None:
        """Nothing."""

    def recorded(self, record: StageRecord) -> None:
        """Nothing."""
