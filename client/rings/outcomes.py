"""What a lender's desk for rings answers: what was kept and sent, what was fetched, own rings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from client.rings.contributed import Person
from client.rings.edges_file import Observations
from client.rings.looking import Standing, Told
from client.rings.week import Sent
from shared.cases.case import Case


@dataclass(frozen=True)
class Kept:
    """`found`: what a file holds; `new`: observations not kept before."""

    found: Observations
    new: int


@dataclass(frozen=True)
class Contribution:
    """`found`: what the file holds, None: none was given; `new`: observations not kept before."""

    case: Case
    found: Observations | None
    new: int
    sent: Sent


@dataclass(frozen=True)
class SyncedCase:
    """`versions`: how many bulletins are new; `version` 0: none yet; `age`: since it was made;
    `closed`: that is the last one, as the desk ended the case early; `over`: no other will come.
    """

    case: Case
    version: int
    versions: int
    age: timedelta
    closed: bool = False
    over: bool = False


@dataclass(frozen=True)
class OwnRing:
    """A ring with customers of this lender's: those in it and near it, each as it counts here."""

    case: Case
    ring: bytes
    told: Sequence[tuple[Person, Told]]

    @property
    def key(self) -> bytes | None:
        """What opens the ring's body."""
        keys = [told.ring_key for _, told in self.told if told.ring_key]
        return keys[0] if keys else None

    def at(self, standing: Standing) -> int:
        """How many are that here."""
        return sum(told.standing == standing for _, told in self.told)
