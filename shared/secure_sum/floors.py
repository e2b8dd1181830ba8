"""The least a lender insists on, whatever the coordinator asks, and the reasons it refuses with.

Invariants:
- A check returns nothing or raises `RefusedError`; there is no answer to ignore.
- With threshold t of n holders, t ≥ ⌊2n/3⌋ + 1: for up to ⌊n/3⌋ colluding members 2t > n + c, so
  the two kinds of share of one lender never both reach t (docs/protocols/secure-sum.md).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import get_args

from shared.errors import PeerError
from shared.secure_sum.statements import Kind, Payload

REASONS = {
    "agreement": "what is asked belongs to an agreement this lender does not hold",
    "suite": "another cipher suite than this lender's",
    "signature": "a signature does not fit",
    "certificate": "a certificate cannot be relied on",
    "counter": "the set-up's counter is not higher than the last one's",
    "slots": "the number of slots is out of range",
    "roll": "the roll of members is not in order or not this set-up's",
    "duplicate": "a key or a member is on the roll twice",
    "no-keys": "this lender has no keys any more: its vault was removed, emptied or damaged",
    "own-keys": "this lender's keys on the roll are not those it sent",
    "point": "a public key on the roll is no point that a secret can be agreed with",
    "cohort": "fewer lenders than this lender's floor",
    "threshold": "fewer shares would open a sum than this lender's floor",
    "box": "a box of shares does not open",
    "accepted": "a member has not accepted this roll",
    "delivery": "the delivery is not this set-up's",
    "round": "the round is not one this lender can take part in",
    "slot": "the slot has served another round",
    "stage": "a stage is asked where another is due",
    "totals": "the released totals are not those that lead to the state the question names",
    "bare": "numbers are asked for without a round to mask them for",
    "payload": "the round's payload is not what is due in this lender's copy of the run",
    "kind": "a kind of payload this lender does not allow",
    "clip": "a larger clip than this lender allows",
    "cell": "smaller cells than this lender allows",
    "bits": "the lenders' values could overflow the sum",
    "again": "the same update has been masked before, for another round",
    "agreed": "it is not shown that the others were told the same survivors",
    "survivors": "the survivors are not members, in order, with this lender among them",
    "answered": "the round has been answered, with other survivors",
    "later": "a later round has been masked, so this one is not opened any more",
    "difference": "an earlier sum of counts was over other lenders",
    "rows": "an earlier run over the same rows was over other lenders",
    "asked": "a batch about borrowing that this lender does not answer",
    "unclosed": "an earlier batch about borrowing was answered, and its end was not heard here",
}

GUARDED = frozenset({"counts", "losses"})
"""Kinds whose sums could be subtracted from each other, whoever asks."""


def in_words(reason: str, expected: str, came: str) -> str:
    """A reason, one of `REASONS`, with what was expected and what came, as far as that is known."""
    parts = [f"expected {expected}"] * bool(expected) + [f"came {came}"] * bool(came)
    return REASONS[reason] + (f" ({', '.join(parts)})" if parts else "")


class RefusedError(PeerError):
    """A lender will not do what it is asked. `expected` and `came` hold numbers or codes only."""

    def __init__(self, reason: str, *, expected: object = "", came: object = "") -> None:
        self.reason = reason
        self.expected, self.came = _brief(expected), _brief(came)
        super().__init__(in_words(reason, self.expected, self.came))


@dataclass(frozen=True)
class Floors:
    """A lender's own limits. `minimum_threshold` comes on top of ⌊2n/3⌋ + 1; `maximum_clip` is for
    gradients and weights. Sums of the kinds `same_lenders` are, under one agreement, all over the
    same lenders; over the same rows also under another, unless a person at the lender allows it.
    """

    minimum_cohort: int = 5
    minimum_threshold: int = 4
    maximum_clip: float = 16.0
    kinds: frozenset[str] = frozenset(get_args(Kind))
    minimum_cell: int = 1
    same_lenders: frozenset[str] = frozenset(get_args(Kind))

    @classmethod
    def of(cls, profile: str) -> Floors:
        """The profile's own: demo consortia may have three members, and lose one in training."""
        if profile == "demo":
            return cls(minimum_cohort=3, minimum_threshold=3, same_lenders=GUARDED)
        return cls()

    def problems(self, profile: str) -> list[str]:
        """What is out of range, or weaker than the profile's own floors."""
        usual, found = Floors.of(profile), []
        for field in fields(self):
            mine, own = getattr(self, field.name), getattr(usual, field.name)
            if field.name == "kinds":
                weaker = not mine <= own
            elif field.name == "same_lenders":
                weaker = not mine >= own
            elif field.name == "maximum_clip":
                weaker = not 0 < mine <= own
            else:
                weaker = mine < own
            if weaker:
                found.append(f"{field.name} is weaker than the {profile} profile's {own}")
        return found

    def check_roll(self, members: int, threshold: int, listed: int = 0) -> None:
        """A set-up of `members` of which `threshold` open a sum; `listed`: how many members there
        are, where this lender has their list. A third of those may collude, on whichever roll.
        """
        colluding = listed // 3
        if members < listed - colluding:
            wanted = f"{listed - colluding} of the {listed} listed"
            raise RefusedError("cohort", expected=wanted, came=members)
        if members < self.minimum_cohort:
            raise RefusedError("cohort", expected=f"{self.minimum_cohort} or more", came=members)
        least = max(self.minimum_threshold, least_threshold(members))
        least = max(least, (members + colluding) // 2 + 1 if listed else 0)
        if not least <= threshold <= members:
            raise RefusedError("threshold", expected=f"{least} to {members}", came=threshold)

    def check_sum(self, lenders: int, threshold: int) -> None:
        """A sum of `lenders` lenders in a set-up of this threshold."""
        least = max(self.minimum_cohort, threshold)
        if lenders < least:
            raise RefusedError("cohort", expected=f"{least} or more", came=lenders)

    def check_payload(self, payload: Payload) -> None:
        """What the numbers are."""
        if payload.kind not in self.kinds:
            raise RefusedError("kind", expected=", ".join(sorted(self.kinds)), came=payload.kind)
        if payload.kind not in GUARDED and payload.clip > self.maximum_clip:
            raise RefusedError("clip", expected=f"{self.maximum_clip:g} at most", came=payload.clip)
        if payload.kind == "counts" and payload.minimum_cell < self.minimum_cell:
            expected = f"{self.minimum_cell} or more"
            raise RefusedError("cell", expected=expected, came=payload.minimum_cell)


def least_threshold(holders: int) -> int:
    """⌊2n/3⌋ + 1."""
    return 2 * holders // 3 + 1


def _brief(value: object) -> str:
    """For logs and journals: what a peer says may be long, or move a terminal's cursor."""
    return "".join(letter if letter.isprintable() else "?" for letter in str(value)[:200])
