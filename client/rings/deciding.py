"""Showing a ring to people here, and what they decide about it.

    decide (one person) ─► confirm (another) ─► fraud: filings ─► the list's own checker
                                             ─► innocent: shown here as counter-evidence

Invariants:
- Only own customers who count as members here are ever filed (`looking`); those left out by name,
  and those filed for that reason before, are not. Whom this lender's own word alone ties is left
  out unless named.
- What the second person confirms lists whom the first one's proposal would: who counts how here is
  part of what was seen.
- A confirmation is written when its filing is kept here: one that fails before leaves the proposal
  waiting.
- A verdict leaves this house as a filing only, which another person still has to approve.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from client.exchange.filing_terms import FilingTerms
from client.exchange.parties import Progress, no_progress
from client.exchange.subjects import Subject
from client.exchange.submissions import Settled
from client.rings.attributes import is_subject
from client.rings.contributed import Person
from client.rings.decisions import Decision, RingDecisions, Step, Verdict
from client.rings.filing_days import check_days
from client.rings.looking import Told
from client.rings.picture import Picture, Source, picture_of
from client.rings.ring_desk import OwnRing, RingDesk
from shared.blacklist.reasons import ReasonCode
from shared.cases.case import Case
from shared.cases.ring_body import RingBody
from shared.errors import LianfangError, OperatorError, PeerError
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
    """`filed`: entries with the registry's answers, and `members`: whom they list, in that order;
    `before`: own members filed earlier; `stand`: entries about own members, for that reason, which
    a verdict other than fraud leaves as they are.
    """

    decision: Decision
    filed: Sequence[tuple[bytes, Settled]] = ()
    members: Sequence[str] = ()
    before: Sequence[str] = ()
    stand: Sequence[bytes] = ()


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
        also: Sequence[str] = (),
        terms: FilingTerms | None = None,
    ) -> Decision:
        """One person's verdict. `left_out`: references of own members that are no part of it;
        `also`: of those whom own observations alone make one, and who are. OperatorError where a
        fraud would list nobody, or its days are to come.
        """
        out = self._left_out(opened, left_out, also)
        if verdict is Verdict.FRAUD and not self.listed_by(opened, out):
            raise OperatorError(
                "this lender has no member in the ring that it could list: nothing was decided",
                remedy="--verdict watch, or leave fewer out; --also REF names one whom own "
                "observations alone tie",
            )
        if verdict is Verdict.FRAUD and terms is not None:
            check_days(terms, self._desk.desk.today)
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
        found = self.decisions.confirmable(opened.ring, opened.seen, operator)
        if found.verdict is not Verdict.FRAUD or found.terms is None:
            return Confirmed(self._confirmed(opened, operator), stand=self._standing(opened))
        desk = self._desk.desk
        people = self.listed_by(opened, found.left_out)
        new = [one for one in people if self._entry(one) is None]
        before = [one for one in people if one not in new]
        filed: Sequence[tuple[bytes, Settled]] = ()
        if new:
            check_days(found.terms, desk.today)
            subjects = [Subject((one.identifier,)) for one in new]
            try:
                filed = desk.file(subjects, [found.terms] * len(new), operator, sending=sending)
            except LianfangError:
                if any(self._entry(one) is not None for one in new):  # kept: leaves later
                    self._confirmed(opened, operator)
                raise
        names, earlier = self.labels(opened, new), self.labels(opened, before)
        return Confirmed(self._confirmed(opened, operator), filed, names, earlier)

    def _confirmed(self, opened: Opened, operator: str) -> Decision:
        return self.decisions.confirm(opened.ring, opened.seen, operator, self._desk.now)

    def _entry(self, person: Person) -> bytes | None:
        return self._desk.desk.filed.same(REASON, (person.identifier,))

    def _standing(self, opened: Opened) -> list[bytes]:
        """Entries about own members of a ring that was once confirmed a fraud here."""
        lines = self.decisions.of(opened.ring)
        frauds = [one for one in lines if one.verdict is Verdict.FRAUD]
        if not any(one.step is Step.CONFIRMED for one in frauds):
            return []
        entries = map(self._entry, self.listed_by(opened, ()))
        return sorted({one for one in entries if one is not None})

    def labels(self, opened: Opened, people: Sequence[Person]) -> list[str]:
        """What `ring show` calls own customers."""
        shown = self.picture(opened)
        names = {one.token: one.label for one in shown.own}
        names |= {one.token: one.label for one in shown.near}
        return [names[one.token] for one in people]

    def listed_by(self, opened: Opened, left_out: Sequence[bytes]) -> list[Person]:
        """Own members whom a verdict of fraud would list."""
        return [
            person
            for person, told in opened.source.told
            if told.distance == 0 and person.token not in left_out
        ]

    def by_own_word(self, opened: Opened) -> list[Person]:
        """Whom this lender's own observations alone make a member."""
        return [person for person, told in opened.source.told if told.own_observation]

    def _left_out(
        self, opened: Opened, refs: Sequence[str], also: Sequence[str]
    ) -> Sequence[bytes]:
        shown = self.picture(opened, reveal=True)
        own = {one.label: one.token for one in shown.own}
        own |= {one.label: one.token for one in shown.near}
        alone = {one.token for one in self.by_own_word(opened)}
        tied = {label: token for label, token in own.items() if token in alone}
        out = {*_tokens("--except", refs, own, "own member of the ring")}
        named = {*_tokens("--also", also, tied, "own customer whom own observations alone tie")}
        if out & named:
            raise OperatorError(
                "--except and --also name the same customer: nothing was decided",
                remedy="name each of them once",
            )
        return sorted(out | (alone - named))

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
        seen = seen_of(body, own.told)
        return Opened(Source(own.case, bulletin.head, body, kept, own.told), seen)


def _tokens(option: str, refs: Sequence[str], known: Mapping[str, bytes], what: str) -> list[bytes]:
    unknown = [ref for ref in refs if ref not in known]
    if unknown:
        raise OperatorError(
            f"{len(unknown)} of {option} name no {what}: nothing was decided",
            remedy="take the names that `ring show` gives",
        )
    return [known[ref] for ref in refs]


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


def decision_words(decision: Decision) -> str:
    """A line about a decision."""
    done = "proposed" if decision.step is Step.PROPOSED else "confirmed by another person"
    out = len(decision.left_out)
    left = f"; {out} own {'member' if out == 1 else 'members'} left out" if out else ""
    return f"{decision.at[:10]}: {decision.verdict.value}, {done}{left}"
