"""A ring as an investigator here sees it: own members by the lender's reference, others as M1, M2.

Invariants:
- An identifier is in it masked, or, where somebody asked for it, in full; nobody else's ever.
- A reference that reads as an identifier is masked like one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from client.exchange.reads_as import reads_as
from client.rings.contributed import Attribute, Contributed, Person
from client.rings.looking import Standing, Told, kind_word
from shared.cases.bulletin import Head
from shared.cases.case import Case
from shared.cases.case_tokens import TOKEN_BYTES, ring_names
from shared.cases.ring_body import BodyAttribute, BodyEdge, BodyMember, RingBody
from shared.rings.edges import BAND_BASE
from shared.rings.kinds import Kind
from shared.schema.finding import masked
from shared.tokens.identifiers import Canonical

Held = TypeVar("Held", Person, Attribute)


@dataclass(frozen=True)
class Member:
    """`label`: the own reference, or M1, M2 …; `identifier`: of an own one, masked or not;
    `standing`: of an own one, here.
    """

    label: str
    own: bool
    listed: bool
    strength: int
    lenders: str
    identifier: str = field(default="", repr=False)
    standing: Standing = "member"
    token: bytes = field(default=b"", repr=False)

    @property
    def counts(self) -> bool:
        """Whether an own one is a member here, and not by another lender's word alone."""
        return self.standing == "member"


@dataclass(frozen=True)
class Thing:
    """An attribute. `own`: this lender has seen it too; `identifier` then, masked or not."""

    label: str
    kind: Kind
    own: bool
    sharers: str
    identifier: str = field(default="", repr=False)


@dataclass(frozen=True)
class Line:
    """An edge. `member`, `thing`: places; `week`: its Monday; `amount`: band in words, or nothing;
    `confirmed`: 1 lender, or 2 for more; `own`: this lender's own observation;
    `unsent`: it made that one, too, and has not sent it, so it is another's that is shown.
    """

    member: int
    thing: int
    kind: Kind
    week: date
    amount: str
    confirmed: int
    own: bool
    unsent: bool = False


@dataclass(frozen=True)
class Near:
    """An own customer whom the ring does not name, and who is tied to it or near it. `distance` as
    it counts here: 0 where all that ties them are this lender's own observations.
    """

    label: str
    distance: int
    ties: tuple[str, ...]
    identifier: str = field(default="", repr=False)
    token: bytes = field(default=b"", repr=False)
    standing: Standing = "near"


@dataclass(frozen=True)
class Picture:
    """Everything that is shown. `against`: what speaks against it, in sentences, this lender's own
    decisions included; `decisions`: in sentences; `exposure`: band of the payments seen, each at
    the lower end of its own.
    """

    ring: bytes
    case: str
    version: int
    week: date
    score: int
    reasons: tuple[str, ...]
    motifs: tuple[str, ...]
    members: tuple[Member, ...]
    things: tuple[Thing, ...]
    lines: tuple[Line, ...]
    near: tuple[Near, ...]
    against: tuple[str, ...]
    exposure: str
    first: date
    last: date
    decisions: tuple[str, ...] = ()
    revealed: bool = False

    @property
    def own(self) -> tuple[Member, ...]:
        """This lender's own members."""
        return tuple(one for one in self.members if one.own)


@dataclass(frozen=True)
class Source:
    """What a picture is made of. `told`: own people with a flag of this ring, and what it says."""

    case: Case
    head: Head
    body: RingBody
    contributed: Contributed
    told: Sequence[tuple[Person, Told]] = ()


def picture_of(
    source: Source,
    *,
    today: date,
    against: Sequence[str] = (),
    decisions: Sequence[str] = (),
    reveal: bool = False,
) -> Picture:
    """Make it; `reveal`: own identifiers in full."""
    body, case, kept = source.body, source.case, source.contributed
    told = {person.token: (person, one) for person, one in source.told}
    held = {one.token: one for one in kept.people()}
    people = _named(body.ring, held | {token: one for token, (one, _) in told.items()})
    known = _named(body.ring, {one.token: one for one in kept.attributes()})
    shown = _Names(today, reveal)
    here = {token: one.standing for token, (_, one) in told.items()}
    members = tuple(_member(shown, one, people.get(one.token), here) for one in body.members)
    inside = {one.token for one in members if one.own}
    outside = [one for token, one in told.items() if token not in inside]
    things = tuple(_things(shown, body.attributes, known))
    own, unsent = (_own_edges(body, people, kept, sent=one) for one in (True, False))
    lines = tuple(
        _line(case, edge, at in own, at in unsent - own) for at, edge in enumerate(body.edges)
    )
    return Picture(
        ring=body.ring,
        case=case.name,
        version=source.head.version,
        week=case.monday(source.head.week),
        score=body.score,
        reasons=body.reasons,
        motifs=body.motifs,
        members=members,
        things=things,
        lines=lines,
        near=tuple(_near(shown, case, *one) for one in outside),
        against=(*(_AGAINST.get(one, one) for one in body.counter_evidence), *against),
        exposure=body.exposure_band,
        first=case.monday(body.first_week),
        last=case.monday(body.last_week),
        decisions=tuple(decisions),
        revealed=reveal,
    )


class _Names:
    """How own people and things are called."""

    def __init__(self, today: date, reveal: bool) -> None:
        self._today, self._reveal = today, reveal
        self._others = self._unnamed = 0

    def identifier(self, one: Canonical) -> str:
        kind = one.kind.replace("_", " ")
        return f"{kind} {one.value if self._reveal else masked(one.value)}"

    def own(self, person: Person) -> str:
        ref = person.ref
        if not ref:
            self._unnamed += 1
            return f"own {self._unnamed}"
        if not self._reveal and (person.identifier.value in ref or reads_as(ref, self._today)):
            return masked(ref)
        return ref

    def other(self) -> str:
        self._others += 1
        return f"M{self._others}"


def _member(
    shown: _Names, one: BodyMember, person: Person | None, here: Mapping[bytes, Standing]
) -> Member:
    if person is None:
        return Member(shown.other(), False, one.listed, one.strength, one.lenders_band)
    return Member(
        shown.own(person),
        True,
        one.listed,
        one.strength,
        one.lenders_band,
        shown.identifier(person.identifier),
        here.get(person.token, "near"),
        person.token,
    )


def _things(
    shown: _Names, attributes: Sequence[BodyAttribute], known: Mapping[bytes, Attribute]
) -> list[Thing]:
    numbers: dict[int, int] = {}
    found = []
    for one in attributes:
        numbers[one.kind] = numbers.get(one.kind, 0) + 1
        own = known.get(one.token)
        label = f"{kind_word(one.kind)} {numbers[one.kind]}"
        identifier = "" if own is None else shown.identifier(own.identifier)
        found.append(Thing(label, Kind(one.kind), own is not None, one.sharers_band, identifier))
    return found


def _own_edges(
    body: RingBody, people: Mapping[bytes, Person], kept: Contributed, *, sent: bool
) -> frozenset[int]:
    """Places of the edges that are this lender's own observations, of those it sent, or not."""
    own: set[tuple[bytes, bytes, int, int]] = set()
    for member in body.members:
        person = people.get(member.token)
        rows = sorted(kept.observed(person.token, sent=sent)) if person else []
        names = ring_names(body.ring, _rows([attribute for _, attribute, _, _ in rows]))
        own |= {
            (member.token, name.tobytes(), kind, week)
            for name, (_, _, kind, week) in zip(names, rows, strict=True)
        }
    return frozenset(
        at
        for at, edge in enumerate(body.edges)
        if (
            body.members[edge.member].token,
            body.attributes[edge.attribute].token,
            edge.kind,
            edge.week,
        )
        in own
    )


def _line(case: Case, edge: BodyEdge, own: bool, unsent: bool) -> Line:
    return Line(
        edge.member,
        edge.attribute,
        Kind(edge.kind),
        case.monday(edge.week),
        amount_words(edge.band),
        edge.confirmed,
        own,
        unsent,
    )


def _near(shown: _Names, case: Case, person: Person, told: Told) -> Near:
    weeks = [(kind_word(tie.kind), case.monday(tie.week)) for tie in told.flag.ties]
    ties = tuple(f"{kind}, week of {week}" for kind, week in weeks)
    identifier = shown.identifier(person.identifier)
    label = shown.own(person)
    return Near(label, told.distance, ties, identifier, person.token, told.standing)


def amount_words(band: int) -> str:
    """A band of amounts: "2,000 to 4,000"; empty where there is none."""
    if not band:
        return ""
    upper = BAND_BASE * 2.0 ** (band - 1)
    return f"below {upper:,.0f}" if band == 1 else f"{upper / 2:,.0f} to {upper:,.0f}"


def paid_words(picture: Picture) -> str:
    """Payments of a ring, by the band of `RingBody.exposure_band`: "at least 10k"."""
    if picture.exposure == "none" and any(one.kind == Kind.PAYEE for one in picture.lines):
        return "none with an amount"
    return _PAID.get(picture.exposure, picture.exposure)


def _named(ring: bytes, held: Mapping[bytes, Held]) -> dict[bytes, Held]:
    """By the name that each token has in the ring."""
    names = ring_names(ring, _rows([*held]))
    return {name.tobytes(): one for name, one in zip(names, held.values(), strict=True)}


def _rows(tokens: Sequence[bytes]) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(tokens), np.uint8).reshape(-1, TOKEN_BYTES)


def counts_as(one: Near) -> str:
    """How a customer whom the ring does not name counts here."""
    if one.standing == "lead":
        return "lead: one lender's word that is not yours; look, do not act on it"
    return ("member (own observations)", "one step away", "two steps away")[one.distance]


def own_words(line: Line) -> str:
    """Whether an observation is this lender's own."""
    return "yes" if line.own else "made here too, not sent yet" if line.unsent else ""


_PAID: Mapping[str, str] = {
    "below 10k": "some, at least 0 together",
    "10k-100k": "at least 10k",
    "100k-1M": "at least 100k",
    "1M and more": "at least 1M",
}
_AGAINST: Mapping[str, str] = {
    "one_address": "Half of the members or more share an address: a household, a dormitory?",
    "one_employer": "Half of the members or more share an employer.",
    "crowded": "Something that ties them is shared by more people than usual: an agent's device, "
    "an office line?",
    "spread_in_time": "More than half a year lies between the first and the last observation.",
    "no_money": "No chain or circle of payments or guarantees is seen.",
    "nobody_listed": "No member is on the shared list.",
    "mostly_one_lender": "Three quarters of the observations or more are one lender's.",
}
