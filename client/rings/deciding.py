"""Showing a ring to people here, and what they decide about it.

    decide (one person) ─► confirm (another) ─► fraud: filings ─► the list's own checker
                                             ─► innocent: shown here as counter-evidence

Invariants:
- Only own customers who count as members here are ever filed (`looking`); those left out by name,
  and those filed for that reason before, are not.
- A verdict leaves this house as a filing only, which another person still has to approve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from client.exchange.filing_terms import FilingTerms
from client.exchange.parties import Progress, no_progress
from client.exchange.subjects import Subject
from client.exchange.submissions import Settled
from client.rings.attributes import is_subject
from client.rings.contributed import Person
from client.rings.decisions import Decision, RingDecisions, Step, Verdict
from client.rings.looking import Told
from client.rings.picture import Picture, Source, picture_of
from client.rings.ring_desk import OwnRing, RingDesk
from shared.blacklist.reasons import ReasonCode
from shared.cases.case import Case
from shared.cases.ring_body import RingBody
from shared.errors import OperatorError, PeerError
from shared.secure_sum.encoding import text_of
from shared.tokens.identifiers import Canonical

REASON = ReasonCode.F302
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


@dataclass(frozen=True)
class Confirmed:
    """`filed`: entries with the registry's answers, `before`: own members filed earlier."""

    decision: Decision
    filed: Sequence[tuple[bytes, Settled]] = ()
    before: int = 0


class RingOffice:
    """Over a desk for rings."""

    def __init__(self, desk: RingDesk) -> None:
        self._desk = desk
        self.decisions = RingDecisions(desk.folder, desk.desk.writer.secret)

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
                remedy="see `ring own`; an applicant's ring: ring show --resident-id -",
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

    def picture(self, opened: Opened, *, reveal: bool = False) -> Picture:
        """What is shown of it, with what was decided here."""
        lines = self.decisions.of(opened.ring)
        standing = self.decisions.standing(opened.ring)
        against = []
        if standing is not None and standing.verdict is Verdict.INNOCENT:
            changed = "" if standing.seen == opened.seen else "; it has changed since"
            day = standing.at[:10]
            against.append(f"Two people here took it for innocent on {day}{changed}.")
        return picture_of(
            opened.source,
            today=self._desk.desk.today,
            against=against,
            decisions=[decision_words(one) for one in lines],
            reveal=reveal,
        )

    def decide(
        self,
        opened: Opened,
        verdict: Verdict,
        operator: str,
        *,
        left_out: Sequence[str] = (),
        terms: FilingTerms | None = None,
    ) -> Decision:
        """One person's verdict. `left_out`: references of own members that are no part of it.
        OperatorError where a fraud would list nobody.
        """
        out = self._left_out(opened, left_out)
        if verdict is Verdict.FRAUD and not self.listed_by(opened, out):
            raise OperatorError(
                "this lender has no member in the ring that it could list: nothing was decided",
                remedy="--verdict watch, or leave fewer out",
            )
        return self.decisions.propose(
            case=opened.source.case.id,
            ring=opened.ring,
            seen=opened.seen,
            verdict=verdict,
            operator=operator,
            now=self._desk.now,
            left_out=out,
            terms=terms if verdict is Verdict.FRAUD else None,
        )

    def confirm(self, opened: Opened, operator: str, sending: Progress = no_progress) -> Confirmed:
        """Another person's word; a fraud is filed, with that person as the filing's maker."""
        decision = self.decisions.confirm(opened.ring, opened.seen, operator, self._desk.now)
        if decision.verdict is not Verdict.FRAUD or decision.terms is None:
            return Confirmed(decision)
        desk = self._desk.desk
        people = self.listed_by(opened, decision.left_out)
        new = [one for one in people if desk.filed.same(REASON, (one.identifier,)) is None]
        if not new:
            return Confirmed(decision, before=len(people))
        subjects = [Subject((one.identifier,)) for one in new]
        filed = desk.file(subjects, [decision.terms] * len(new), operator, sending=sending)
        return Confirmed(decision, filed, len(people) - len(new))

    def listed_by(self, opened: Opened, left_out: Sequence[bytes]) -> list[Person]:
        """Own members whom a verdict of fraud would list."""
        return [
            person
            for person, told in opened.source.told
            if told.distance == 0 and person.token not in left_out
        ]

    def _left_out(self, opened: Opened, refs: Sequence[str]) -> list[bytes]:
        shown = self.picture(opened, reveal=True)
        by_label = {one.label: one.token for one in shown.own}
        by_label |= {one.label: one.token for one in shown.near}
        unknown = [ref for ref in refs if ref not in by_label]
        if unknown:
            raise OperatorError(
                f"{len(unknown)} of --except name no own member of the ring: nothing was decided",
                remedy="take the names that `ring show` gives",
            )
        return [by_label[ref] for ref in refs]

    def _opened(self, own: OwnRing) -> Opened:
        if own.key is None:
            raise OperatorError(
                "no own customer is in that ring, only near it: nothing of it can be opened here",
                remedy="`ring check` says what ties them to it",
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
        return Opened(Source(own.case, bulletin.head, body, kept, own.told), seen_of(body))


def seen_of(body: RingBody) -> bytes:
    """32 bytes that stand for who and what is in a ring, and not for its score of the week."""
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
    return hashed.digest()


def decision_words(decision: Decision) -> str:
    """A line about a decision."""
    done = "proposed" if decision.step is Step.PROPOSED else "confirmed by another person"
    out = len(decision.left_out)
    left = f"; {out} own {'member' if out == 1 else 'members'} left out" if out else ""
    return f"{decision.at[:10]}: {decision.verdict.value}, {done}{left}"
