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

from client.exchange.filing_terms import FilingTerms
from client.exchange.parties import Progress, no_progress
from client.exchange.subjects import Subject
from client.exchange.submissions import Settled
from client.rings.contributed import Person
from client.rings.decisions import Decision, RingDecisions, Step, Verdict
from client.rings.filed_before import FiledBefore, other_terms
from client.rings.filing_days import check_days
from client.rings.opened_rings import Opened, OpenedRings
from client.rings.picture import Picture, picture_of
from client.rings.ring_desk import RingDesk
from shared.blacklist.reasons import ReasonCode
from shared.errors import LianfangError, OperatorError

REASON = ReasonCode.F302


@dataclass(frozen=True)
class Confirmed:
    """`filed`: entries with the registry's answers, and `members`: whom they list, in that order;
    `before`: own members filed earlier; `stand`: entries about own members, for that reason, which
    a verdict other than fraud leaves as they are.
    """

    decision: Decision
    filed: Sequence[tuple[bytes, Settled]] = ()
    members: Sequence[str] = ()
    before: Sequence[FiledBefore] = ()
    stand: Sequence[bytes] = ()


class RingOffice:
    """Over a desk for rings."""

    def __init__(self, desk: RingDesk) -> None:
        self._desk, self.rings = desk, OpenedRings(desk)
        self.decisions = RingDecisions(desk.folder, desk.desk.writer.secret)

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
        before = self.filed_before(opened, found.left_out, found.terms)
        new = [one for one in people if self._entry(one) is None]
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
        names = self.labels(opened, new)
        return Confirmed(self._confirmed(opened, operator), filed, names, before)

    def filed_before(
        self, opened: Opened, left_out: Sequence[bytes], terms: FilingTerms
    ) -> list[FiledBefore]:
        """Of those whom a fraud would list on these terms, who were filed for it before."""
        people = self.listed_by(opened, left_out)
        found = []
        for label, person in zip(self.labels(opened, people), people, strict=True):
            name = self._entry(person)
            kept = None if name is None else self._desk.desk.filed.entry(name)
            if name is not None:
                other = () if kept is None else other_terms(kept.entry, terms)
                found.append(FiledBefore(label, name, other))
        return found

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


def _tokens(option: str, refs: Sequence[str], known: Mapping[str, bytes], what: str) -> list[bytes]:
    unknown = [ref for ref in refs if ref not in known]
    if unknown:
        raise OperatorError(
            f"{len(unknown)} of {option} name no {what}: nothing was decided",
            remedy="take the names that `ring show` gives",
        )
    return [known[ref] for ref in refs]


def decision_words(decision: Decision) -> str:
    """A line about a decision."""
    done = "proposed" if decision.step is Step.PROPOSED else "confirmed by another person"
    out = len(decision.left_out)
    left = f"; {out} own {'member' if out == 1 else 'members'} left out" if out else ""
    return f"{decision.at[:10]}: {decision.verdict.value}, {done}{left}"
