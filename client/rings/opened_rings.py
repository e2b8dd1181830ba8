"""Rings that this lender may look at: those with a member here, named or by an applicant.

Invariants:
- A ring opens with the flag of somebody who counts as a member here; a lead and who is near open
  nothing.
- Of an applicant each identifier is told of by itself: another one of the same applicant's proves
  nothing about it, and would be listed with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from client.rings.attributes import is_subject
from client.rings.contributed import Person
from client.rings.looking import Told
from client.rings.outcomes import OwnRing
from client.rings.picture import Source
from client.rings.ring_desk import RingDesk
from shared.cases.case import Case
from shared.cases.ring_body import RingBody
from shared.errors import OperatorError, PeerError
from shared.secure_sum.encoding import text_of
from shared.tokens.identifiers import Canonical

_LEAST = 4


@dataclass(frozen=True)
class Opened:
    """A ring whose body could be opened, as a source of pictures; `seen`: digest of who and what is
    in it.
    """

    source: Source
    seen: bytes

    @property
    def ring(self) -> bytes:
        """Its name, 16 bytes."""
        return self.source.body.ring


class OpenedRings:
    """Over a desk for rings."""

    def __init__(self, desk: RingDesk) -> None:
        self._desk = desk

    def named(self, word: str) -> Opened:
        """The ring whose name begins so, among those with own customers. OperatorError."""
        if len(word) < _LEAST:
            raise OperatorError(
                "a ring is named by at least four letters and digits", remedy="see `ring own`"
            )
        rings = self._desk.own_rings()
        found = [one for one in rings if one.ring.hex().startswith(word.lower())]
        if len(found) != 1:
            what = (
                "several rings begin" if found else "no ring with customers of this lender begins"
            )
            raise OperatorError(
                f"{what} so",
                remedy="`ring own` names those; a ring that only an applicant is in is shown by "
                "the applicant: lianfang-client ring show --resident-id - (--uscc, --passport …)",
            )
        return self._opened(found[0])

    def of(self, people: Sequence[Canonical]) -> Opened:
        """The nearest ring of an applicant. OperatorError where there is none, or only its edge is
        known here.
        """
        told = self._desk.check(people)
        if not told:
            raise OperatorError(
                "this applicant is in no ring and near none", remedy="nothing is to be shown"
            )
        case, ring = told[0].case, told[0].flag.ring
        own = [one for one in self._desk.own_rings() if (one.case.id, one.ring) == (case.id, ring)]
        applicant = [one for one in people if is_subject(one.kind)]
        tokens = self._desk.tokens.subjects(case, applicant)
        found = {}
        for token, identifier in zip(tokens, applicant, strict=True):
            said = self._said(identifier, case, ring)
            if said is not None:
                found[token.tobytes()] = identifier, said
        shown = {person.token: (person, one) for person, one in (own[0].told if own else ())}
        for token, (identifier, said) in found.items():
            kept = shown.get(token)
            ref = kept[0].ref if kept else ""
            shown[token] = Person(token, identifier, ref or "applicant"), said
        return self._opened(OwnRing(case, ring, (*shown.values(),)))

    def _said(self, identifier: Canonical, case: Case, ring: bytes) -> Told | None:
        """What is told of this very identifier: another one of the same applicant's proves nothing
        about it, and would be listed with it.
        """
        of_ring = (
            one
            for one in self._desk.check([identifier])
            if (one.case.id, one.flag.ring) == (case.id, ring)
        )
        return next(of_ring, None)

    def _opened(self, own: OwnRing) -> Opened:
        if own.key is None:
            raise OperatorError(
                "no own customer is a member of that ring, only a lead or near it: nothing of it "
                "can be opened here",
                remedy="`ring check` says what ties them to it; look into that in your own records",
            )
        known = self._desk.known(own.case)
        bulletin = known.bulletin(self._desk.now)
        body = None if bulletin is None else bulletin.body(own.key)
        if bulletin is None or body is None or body.ring != own.ring:
            raise PeerError(
                "the bulletin names a ring that it does not hold",
                remedy="sync again; if it stays so, tell the desk's operator",
            )
        kept = self._desk.contributed(known)
        seen = seen_of(body, own.told)
        return Opened(Source(own.case, bulletin.head, body, kept, own.told), seen)


def seen_of(body: RingBody, told: Sequence[tuple[Person, Told]]) -> bytes:
    """32 bytes that stand for who and what is in a ring, and which own customers count as members
    here; not for its score of the week.
    """
    hashed = sha256(b"lianfang/ring/seen/v1\0" + body.ring)
    for rows in (body.members, body.attributes):
        for token in sorted(row.token for row in rows):
            hashed.update(token)
    named = [
        (body.members[edge.member].token, body.attributes[edge.attribute].token, edge)
        for edge in body.edges
    ]
    for member, attribute, edge in sorted(named, key=lambda one: (*one[:2], text_of(one[2]))):
        hashed.update(member + attribute + bytes([edge.kind]) + edge.week.to_bytes(2, "big"))
    here = [(one.token, said.own_observation) for one, said in told if said.distance == 0]
    for token, own in sorted(here):
        hashed.update(token + bytes([own]))
    return hashed.digest()
