"""What a bulletin says about people, read at home.

Invariants:
- Nobody is asked: the bulletin is searched here, under tokens made here.
- `attached` subjects count as members only where the flag has this lender's own mark: that its word
  ties them. What ties them is shown and decides nothing, as a rival can repeat it.
- A lead is in a ring by one lender's word that is not this one's: to be looked into, no ground for
  anything else. It opens nothing here: the key in its flag is sealed for that lender.
- There is one hint, `review`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from client.rings.contributed import Contributed
from shared.cases.bulletin import Bulletin
from shared.cases.case import Case
from shared.cases.ring_flag import RingFlag, lead_mark_of, mark_of
from shared.rings.kinds import Kind

REVIEW = "review"
Standing = Literal["member", "lead", "near"]
Rows = NDArray[np.uint8]


@dataclass(frozen=True)
class Told:
    """What is known about somebody. `distance` as it counts at this lender: 0 where its own
    observation ties them (`own_observation`). `ring_key` opens the ring's body, of a member here.
    """

    case: Case
    flag: RingFlag
    distance: int
    own_observation: bool
    action_hint: str = REVIEW
    lead: bool = False
    ring_key: bytes | None = None

    @property
    def standing(self) -> Standing:
        """What they are at this lender."""
        return "member" if self.distance == 0 else "lead" if self.lead else "near"

    @property
    def rank(self) -> tuple[int, bool, int, bytes]:
        """The nearest ring first, a lead before who is near, then the one that scores most."""
        score = -int(self.flag.score_band.split("-")[0])
        return self.distance, not self.lead, score, self.flag.ring


def look_up(
    bulletin: Bulletin, case: Case, contributed: Contributed, subjects: Rows
) -> dict[int, Told]:
    """What is known of subject tokens (m, 32), by place in them."""
    return {
        at: _told(case, flag, contributed, subjects[at].tobytes())
        for at, flag in bulletin.flags(case, subjects).items()
    }


def nearest(found: Sequence[Told]) -> Told | None:
    """Of what several cases and identifiers tell about one applicant."""
    return min(found, key=lambda one: one.rank, default=None)


def _told(case: Case, flag: RingFlag, contributed: Contributed, subject: bytes) -> Told:
    own = own_word(flag, contributed.recognition, subject)
    lead = not own and (flag.lead or own_lead(flag, contributed.recognition, subject))
    key = flag.key_for(contributed.recognition, subject)
    return Told(case, flag, 0 if own else flag.distance, own, lead=lead, ring_key=key)


def own_word(flag: RingFlag, recognition: bytes, subject: bytes) -> bool:
    """Whether the desk says that the word of the lender with this secret makes the subject token a
    member.
    """
    return mark_of(recognition, flag.ring, subject) in flag.marks


def own_lead(flag: RingFlag, recognition: bytes, subject: bytes) -> bool:
    """Whether it says that the word of the lender with this secret makes it a lead, and no more."""
    return lead_mark_of(recognition, flag.ring, subject) in flag.marks


def kind_word(kind: int) -> str:
    """A kind of edge for people: "bank card"."""
    return Kind(kind).name.lower().replace("_", " ")
