"""How well findings fit the truth. Pure: sets of people in, shares out.

    recall            planted rings that some found ring matches, Jaccard ≥ 1/2
    precision_at_k    of the k best found rings, k as many as are planted (or found, if fewer):
                      half or more of the people belong to one planted ring
    precision_strict  the same with Jaccard ≥ 1/2, so that a ring found in two parts counts against
    member_recall     members flagged, of those that were not on the fraud list before
    innocents         people in no ring who are flagged, for each 1,000 of them

Flagged are those whom some lender is told of as a member or as a lead (`shared.rings.provenance`);
figures with `_sure` count members alone.

Invariants:
- A share of nothing is None, never 0 or 1.
- Members who were listed before count neither as found nor as missed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from server.simulation.rings.truth import PlantedRing, Truth

MATCH = 0.5
People = frozenset[int]


@dataclass(frozen=True)
class Findings:
    """Found rings, best first, everybody who is flagged, and of those who is more than a lead; None
    where nobody is a lead.
    """

    rings: tuple[People, ...]
    flagged: People
    sure: People | None = None

    @property
    def members(self) -> People:
        """The flagged but for leads."""
        return self.flagged if self.sure is None else self.sure


def jaccard(one: Collection[int], other: Collection[int]) -> float:
    """Shared people over all people; 0 for two empty sets."""
    both = set(one) | set(other)
    return len(set(one) & set(other)) / len(both) if both else 0.0


def share(part: float, whole: float) -> float | None:
    """A share, None of nothing."""
    return part / whole if whole else None


def is_found(ring: PlantedRing, found: Findings) -> bool:
    """Whether a found ring matches this one."""
    return any(jaccard(ring.members, people) >= MATCH for people in found.rings)


def recall(rings: Sequence[PlantedRing], found: Findings) -> float | None:
    """Share of planted rings that are found."""
    return share(sum(is_found(ring, found) for ring in rings), len(rings))


def precision(
    truth: Truth, found: Findings, *, k: int | None = None, strict: bool = False
) -> float | None:
    """Share of the `k` best found rings (all) that are planted ones."""
    best = found.rings[:k]
    return share(sum(_is_planted(people, truth, strict) for people in best), len(best))


def member_recall(members: Iterable[int], truth: Truth, flagged: Collection[int]) -> float | None:
    """Share of `members` flagged, but for those listed before."""
    unknown = set(members) - set(truth.listed)
    return share(len(unknown & set(flagged)), len(unknown))


def innocents_per_1000(truth: Truth, subjects: int, flagged: Collection[int]) -> float | None:
    """Flagged for each 1,000 people in no ring; `subjects` are all people."""
    wrong = len(set(flagged) - truth.members)
    rate = share(wrong, subjects - len(truth.members))
    return None if rate is None else 1000 * rate


def by_typology(truth: Truth, found: Findings) -> dict[str, dict[str, Any]]:
    """For each typology: rings, members, recall, member recall."""
    groups: dict[str, list[PlantedRing]] = {}
    for ring in truth.rings:
        groups.setdefault(ring.typology, []).append(ring)
    return {
        name: {
            "rings": len(rings),
            "members": sum(len(ring.members) for ring in rings),
            "recall": recall(rings, found),
            "member_recall": member_recall(
                (one for ring in rings for one in ring.members), truth, found.flagged
            ),
        }
        for name, rings in sorted(groups.items())
    }


def by_decoy(truth: Truth, flagged: Collection[int]) -> dict[str, dict[str, int]]:
    """For each kind of look-alike: how many, of how many people, how many of those flagged."""
    out: dict[str, dict[str, int]] = {}
    for decoy in truth.decoys:
        one = out.setdefault(decoy.kind, {"groups": 0, "people": 0, "flagged": 0})
        one["groups"] += 1
        one["people"] += len(decoy.people)
        one["flagged"] += len(set(decoy.people) & set(flagged))
    return dict(sorted(out.items()))


def weeks_to_detect(ring: PlantedRing, flagged: Sequence[Collection[int]]) -> int | None:
    """Weeks from the third member's joining until half of those who have joined are flagged.

    `flagged[w]` is what a run at the end of week w flags; None when no run ever flags so many.
    """
    begin = sorted(ring.joined)[min(2, len(ring.joined) - 1)]
    for week in range(begin, len(flagged)):
        there = [m for m, joined in zip(ring.members, ring.joined, strict=True) if joined <= week]
        if len(set(there) & set(flagged[week])) >= MATCH * len(there):
            return week - begin
    return None


def _is_planted(people: People, truth: Truth, strict: bool) -> bool:
    if strict:
        return any(jaccard(ring.members, people) >= MATCH for ring in truth.rings)
    shared = (len(people & set(ring.members)) for ring in truth.rings)
    return max(shared, default=0) >= MATCH * len(people)
