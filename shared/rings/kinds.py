"""What ties two subjects together, and how much each kind of tie is worth.

Every constant of the detection stands here, in one frozen `Terms`; the defaults are those of the
domain reference, §4. A cap counts the distinct subjects of an attribute in any 90 days: above it
the attribute is a hub (an office phone, an agent's tablet) and ties nobody by itself.
"""

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
import numpy.typing as npt


class Kind(IntEnum):
    """The kind of an edge from a subject to an attribute; the number goes over the wire."""

    DEVICE = 0
    BANK_CARD = 1
    PHONE = 2
    EMERGENCY_CONTACT = 3
    ADDR_UNIT = 4
    ADDR_BUILDING = 5
    EMPLOYER = 6
    WIFI = 7
    GUARANTOR = 8
    PAYEE = 9


@dataclass(frozen=True, slots=True)
class KindTerms:
    """One kind: `cap` distinct subjects in 90 days, `weight` 0–1, whether two of it convict."""

    cap: int
    weight: float
    strong: bool = False


def _defaults() -> dict[Kind, KindTerms]:
    return {
        Kind.DEVICE: KindTerms(5, 1.0, strong=True),
        Kind.BANK_CARD: KindTerms(3, 1.0, strong=True),
        Kind.PHONE: KindTerms(4, 0.8, strong=True),
        Kind.EMERGENCY_CONTACT: KindTerms(6, 0.4),
        Kind.ADDR_UNIT: KindTerms(6, 0.5, strong=True),
        Kind.ADDR_BUILDING: KindTerms(60, 0.05),
        Kind.EMPLOYER: KindTerms(80, 0.05),
        Kind.WIFI: KindTerms(20, 0.2),
        Kind.GUARANTOR: KindTerms(5, 0.7, strong=True),
        Kind.PAYEE: KindTerms(10, 0.7, strong=True),
    }


@dataclass(frozen=True, slots=True)
class Terms:
    """All constants of one detection; weeks are the unit of time (90 days = 13 weeks)."""

    kinds: dict[Kind, KindTerms] = field(default_factory=_defaults)
    window_weeks: int = 13
    half_life_weeks: float = 13.0

    # Floor and exemptions (domain reference, §4).
    least_members: int = 3
    least_strong_kinds: int = 2
    unproved: float = 39.0
    """The highest score of a ring that misses the floor (members, strong kinds or a motif)."""
    household: int = 4
    """Up to so many subjects at one unit address are a household and count as one."""

    # What ties although, or only because, many share it.
    crowded: float = 1.6
    """Up to this multiple of its cap an attribute still ties, at (cap / sharers)² of its weight:
    otherwise two planted sharers more would untie a ring."""
    crowded_weight: float = 0.4
    by_no_one_word: bool = True
    """Where lenders are known, none alone makes a crowd (`crowd.py`)."""
    least_burst: int = 3
    most_hubs: int = 6
    """A subject at more strong hubs than this is itself no evidence of anything."""
    most_at_pair: int = 30
    soft_payee: int = 40
    """Above its cap but below this, a payee still ties those who share another hub with it."""

    # Groups.
    levels: tuple[float, ...] = (7.0, 6.0, 5.5, 5.0, 4.5, 4.0, 3.5)
    """How surprising a point has to be to hold a group together, in nats; groups of each level."""
    most_households: int = 40
    """Groups of more hang together by chance, or are a village."""
    least_observations: int = 2
    """A member is tied by so many edges outside its household: one edge convicts nobody."""
    least_partners: int = 2
    """Who is taken into a ring afterwards is tied to so many of its households."""
    attach: float = 0.2
    """From so much on one observation attaches; what adds to it (`attachment.py`): logarithm of the
    ring's households at the point, less that of all its households, nats above the usual number of
    lenders, less weeks from the others' coming."""
    attach_shared: float = 1.2
    attach_size: float = 0.45
    attach_lenders: float = 0.5
    attach_apart: float = 0.2
    attach_weeks: int = 1
    """An observation attaches from so many weeks before the ring's first to so many after its last:
    who had a thing long before or after is somebody else."""

    said_once: tuple[Kind, ...] = (Kind.EMERGENCY_CONTACT, Kind.GUARANTOR, Kind.PHONE)
    """Who names the same person to several lenders has said one thing: one observation."""

    # Money (week resolution: 24 hours and 7 days are the same or the next week, 30 days are 4).
    fan: int = 3
    fan_weeks: int = 4
    pass_weeks: int = 1
    cycle_weeks: int = 1
    cycle_hops: int = 5
    round_trip_weeks: int = 4

    # Score, in log-odds.
    common: float = 3.5
    """Surprise in nats of a tie that speaks neither for nor against a ring."""
    worth_tie: float = 1.75
    worth_time: float = 1.45
    usual_spread: float = 7.5
    """Standard deviation in weeks of when unrelated people come, within half a year."""
    worth_place: float = -8.2
    filled: float = 0.8
    """How much less a place explains that only the group meets at."""
    crowd: int = 6
    """A place of more households explains by itself that people share things."""
    worth_kin: float = -2.1
    """By the share of members whom contacts tie, and again guarantees: relatives do that."""
    worth_stacking: float = 0.9
    stacking_weeks: int = 4
    """Lenders at which somebody is seen within so many weeks count as at once."""
    worth_motif: float = 2.0
    prior: float = -2.9
    """Log-odds of any group, before anything speaks for it or against it."""
    seed_weight: float = 1.0
    restart: float = 0.15
    report: float = 20.0
    """Groups that score less are not rings."""
    flag: float = 40.0
    """Rings from here on flag the applicants tied to them."""

    def cap(self, kind: Kind) -> int:
        """Distinct subjects in 90 days above which an attribute of this kind is a hub."""
        return self.kinds[kind].cap

    def caps(self) -> npt.NDArray[np.int64]:
        """Cap of every kind, by its number."""
        return np.array([self.kinds[kind].cap for kind in Kind], dtype=np.int64)

    def most(self) -> npt.NDArray[np.int64]:
        """Distinct subjects in 90 days above which nothing ties at all, by the kind's number."""
        crowded = self.weights() >= self.crowded_weight
        return np.where(crowded, np.floor(self.caps() * self.crowded), self.caps()).astype(np.int64)

    def weights(self) -> npt.NDArray[np.float64]:
        """Weight of every kind, by its number."""
        return np.array([self.kinds[kind].weight for kind in Kind])

    def strong(self) -> npt.NDArray[np.bool_]:
        """Whether a kind is strong, by its number."""
        return np.array([self.kinds[kind].strong for kind in Kind])
