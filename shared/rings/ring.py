"""A ring, why it is one, and the flag that an applicant's lender sees. Plain frozen data."""

from dataclasses import dataclass

from shared.rings.kinds import Kind
from shared.rings.motifs import Motif


@dataclass(frozen=True, slots=True)
class Reason:
    """One class of evidence: `name` of a kind or motif, how many members, over how many points."""

    name: str
    members: int
    points: int
    weight: float


@dataclass(frozen=True, slots=True)
class Ring:
    """Subjects tied together; `score` 0 to 100, `strength` 0 to 1 for each member in order.

    `edges` are indices into the edges that were asked about. `sources` are the lenders whose edges
    evidence it, ascending, empty where that is not known; `needs` those without whose edges it is
    none; `alone` is for each member the one lender without whose word it is none, -1 for no lender,
    -2 where that is so of several.
    """

    number: int
    members: tuple[int, ...]
    score: float
    strength: tuple[float, ...]
    reasons: tuple[Reason, ...]
    kinds: tuple[Kind, ...]
    motifs: tuple[Motif, ...]
    edges: tuple[int, ...]
    first_week: int
    last_week: int
    sources: tuple[int, ...] = ()
    alone: tuple[int, ...] = ()
    needs: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Attached:
    """A subject tied to a ring by an observation of what it did itself, yet no member.

    `edge` is an index into the edges that were asked about, `source` the lender that contributed
    it, -1 where that is not known. Not `sure`: the ring, or households enough at that point, rest
    on one other lender's word, so the tie is a lead and no more.
    """

    subject: int
    ring: int
    edge: int
    source: int
    sure: bool


@dataclass(frozen=True, slots=True)
class Flag:
    """Ring number, steps to it (0 member, 1, 2), classes of reasons, and how strong it is.

    `attached`: what ties the subject is known from one lender only (`provenance.py`). `lead`: it is
    in a ring by the word of one lender that is not the one told: to be looked into, no ground for
    anything else; the distance is then 1.
    """

    ring: int
    distance: int
    classes: tuple[str, ...]
    strength: str
    attached: bool = False
    lead: bool = False
