"""Random events in any order, by anybody, at any time: no illegal state is ever reached, and every
kind of event is accepted on the way.
"""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from shared.blacklist.events import (
    KINDS,
    Approve,
    Consent,
    Dispute,
    Event,
    Expire,
    File,
    Outcome,
    Refile,
    Suspend,
    Withdraw,
)
from shared.blacklist.legality import check_legal
from shared.blacklist.lifecycle import Logged, RefusedError, fold, step
from shared.blacklist.row_names import row_names
from shared.blacklist.state import EntryState, State
from shared.blacklist.terms import Terms
from shared.blacklist.transitions import ANSWERING, LIVE, IllegalTransitionError, Status
from tests.blacklist_members import NOW, REGISTRY, TODAY, Lender, member, signed_keys, token
from tests.list_in_memory import FINAL

TERMS = Terms(
    filings_a_day=6,
    bulk_entries=2,
    least_reversals=1,
    disputes_a_day=3,
    open_disputes=2,
    redispute_days=30,
    proposals_a_day=4,
    pending=8,
    seconds_a_day=2,
    epochs_ahead=3,
)
LENDERS = st.integers(0, 2)
PICK = st.integers(0, 50)
EPOCHS = st.sampled_from([1, 1, 1, 2, 2, 3])
REACHED: Counter[str] = Counter()
WANTED = {
    *KINDS,
    *(f"Consent to {kind}" for kind in ("OpenEpoch", "RetireEpoch", "Withdraw")),
    "lapsed",
    *(f"expired while {status}" for status in LIVE),
    *(f"{status}" for status in Status if status is not Status.DRAFT),
}


class ListMachine(RuleBasedStateMachine):
    """Three lenders and a registry that try whatever comes to mind."""

    def __init__(self) -> None:
        super().__init__()
        self.lenders = [Lender.of(code) for code in ("L01", "L02", "L03")]
        for lender in self.lenders:
            lender.sign = lambda event: event  # type: ignore[method-assign]  # rules see no signature
        self.registry = Lender(member(REGISTRY, "registry"))
        self.state, self.log, self.day = State(), list[Logged](), 0
        self.filed: list[File] = []
        self.refiled: list[tuple[Refile, EntryState]] = []
        self.proposals: list[Event] = []
        self.alone: dict[str, list[int]] = {}

    def attempt(self, make: Callable[[], Event]) -> None:
        """Apply the event, or see that its refusal changed nothing."""
        event = make()
        received = int(NOW.timestamp()) + 86_400 * self.day
        logged = Logged(len(self.log) + 1, received, event)
        before = self.state.copy()
        try:
            self.state.take(step(self.state, logged, TERMS))
        except (IllegalTransitionError, RefusedError):
            assert self.state == before
            return
        self.log.append(logged)
        self.note(event, before)
        if isinstance(event, File):
            self.filed.append(event)
        if isinstance(event, Refile):
            self.refiled.append((event, self.state.entries[event.entry_id]))
        if type(event).__name__ in ("OpenEpoch", "RetireEpoch", "Withdraw"):
            self.proposals.append(event)
        for name, entry in before.entries.items():
            if entry.status in FINAL:
                assert self.state.entries[name] == entry
            if self.leaves_alone(event, entry, self.state.entries[name]):
                self.alone.setdefault(entry.contributor, []).append(self.day)

    def note(self, event: Event, before: State) -> None:
        """What was reached with this event."""
        REACHED[type(event).__name__] += 1
        if isinstance(event, Consent):
            REACHED[f"Consent to {before.proposals[event.proposal].kind}"] += 1
        for name, entry in self.state.entries.items():
            known = before.entries.get(name)
            if known is None or known.status is not entry.status:
                REACHED[f"{entry.status}"] += 1
            if known and known.status in LIVE and entry.status is Status.EXPIRED:
                REACHED[f"expired while {known.status}"] += 1
                REACHED["lapsed"] += entry.expires > TODAY + timedelta(days=self.day)

    def leaves_alone(self, event: Event, before: EntryState, after: EntryState) -> bool:
        """Whether this is the step with which the contributor alone takes an entry off the list: an
        own dispute is, whatever comes of it.
        """
        if isinstance(event, Dispute):
            return before != after and event.member == before.contributor
        left = before.status in ANSWERING and after.status in FINAL
        if not left or before.disputed_by is not None or not isinstance(event, Withdraw | Approve):
            return False
        successor = getattr(event, "entry_id", None)
        return successor is None or self.state.entries[successor].second is None

    @initialize()
    def open_first_epoch(self) -> None:
        proposal = self.lenders[0].open_epoch(1)
        self.attempt(lambda: proposal)
        self.attempt(lambda: self.lenders[1].consent(proposal))
        for who, severity in enumerate((1, 2, 3)):
            self.file(who, severity, 1, 50)

    @rule(who=LENDERS, severity=st.integers(1, 3), epoch=EPOCHS, old=PICK)
    def file(self, who: int, severity: int, epoch: int, old: int) -> None:
        lender = self.lenders[who]
        epoch = self.open_epochs()[0] if epoch == 1 else epoch
        supersedes = self.name(old) if old < 10 and self.filed else None
        entry = lender.entry(
            day=TODAY + timedelta(days=self.day),
            severity=severity,
            tokens=(token(f"{lender.number % 5}", epoch=epoch),),
            supersedes=supersedes,
        )
        self.attempt(lambda: lender.file(entry))

    @rule(who=LENDERS, how=st.sampled_from(["dispute", "withdraw", "supersede"]))
    def file_and_clear_out(self, who: int, how: str) -> None:
        """Three entries, approved, and taken off the list one by one."""
        lender, start = self.lenders[who], len(self.filed)
        for _ in range(3):
            self.file(who, 1, 1, 50)
        for filed in self.filed[start:]:
            name = filed.entry.entry_id
            self.attempt(lambda filed=filed: lender.approve(filed))  # type: ignore[misc]
            if how == "dispute":
                self.attempt(lambda filed=filed: lender.dispute(filed))  # type: ignore[misc]
            elif how == "withdraw":
                self.attempt(lambda name=name: lender.withdraw(name))  # type: ignore[misc]
            else:
                day, tokens = TODAY + timedelta(days=self.day), filed.entry.tokens
                entry = lender.entry(day=day, tokens=tokens, supersedes=name)
                new = lender.file(entry)
                self.attempt(lambda new=new: new)  # type: ignore[misc]
                self.attempt(lambda new=new: lender.approve(new))  # type: ignore[misc]

    @rule(who=LENDERS, pick=PICK, person=st.sampled_from(["maker", "checker"]))
    def approve(self, who: int, pick: int, person: str) -> None:
        if self.filed:
            filed = self.filed[pick % len(self.filed)]
            self.attempt(lambda: self.lenders[who].approve(filed, person))

    @rule(who=LENDERS, person=st.sampled_from(["maker", "checker"]))
    def approve_what_waits(self, who: int, person: str) -> None:
        for filed in self.filed:
            if self.state.entries[filed.entry.entry_id].status is Status.PENDING_REVIEW:
                self.attempt(lambda filed=filed: self.lenders[who].approve(filed, person))  # type: ignore[misc]

    @rule(who=LENDERS)
    def rotate_a_grave_entry(self, who: int) -> None:
        """One that two stand behind, re-filed under a new key, and approved again by anybody."""
        start = len(self.filed)
        self.file(who, 3, 1, 50)
        for filed in self.filed[start:]:
            for lender in self.lenders:
                self.attempt(lambda o=lender, f=filed: o.approve(f))  # type: ignore[misc]
            self.agree_on_an_epoch(retire=False)
            tokens = (token("any", epoch=self.state.epochs()[-1].epoch),)
            owner = self.lenders[who]
            self.attempt(lambda o=owner, f=filed, t=tokens: o.refile(f.entry, t))  # type: ignore[misc]
            for place in range(2):
                self.approve_all_refiled(who + place)

    @rule(who=LENDERS, pick=PICK)
    def approve_refiled(self, who: int, pick: int) -> None:
        if self.refiled:
            event, entry = self.refiled[pick % len(self.refiled)]
            self.attempt(lambda: self.lenders[who].approve_refiled(event, entry))

    @rule(who=LENDERS)
    def approve_all_refiled(self, who: int) -> None:
        for event, entry in self.refiled:
            lender = self.lenders[who % 3]
            self.attempt(lambda o=lender, e=event, s=entry: o.approve_refiled(e, s))  # type: ignore[misc]

    @rule()
    def refile_all(self) -> None:
        newest = self.state.epochs()[-1].epoch
        for place, filed in enumerate(self.filed):
            tokens = (token("any", epoch=newest),)
            owner = self.owner(place)
            self.attempt(lambda o=owner, f=filed, t=tokens: o.refile(f.entry, t))  # type: ignore[misc]

    @rule(who=LENDERS, pick=PICK)
    def cover_all_and_retire_any(self, who: int, pick: int) -> None:
        """Three epochs are open, everything rests on the last, and one of them retires: any."""
        self.day += 1  # quotas are fresh
        self.let_entries_end(0)
        for _ in range(3 - len(self.open_epochs())):
            self.agree_on_an_epoch(retire=False)
        self.refile_all()
        start = len(self.filed)
        self.file(who, 1, 1, 50)  # waits while the epoch retires
        epoch = self.open_epochs()[pick % len(self.open_epochs())]
        one, two = self.lenders[who], self.lenders[who - 1]
        proposal = one.retire_epoch(epoch)
        self.attempt(lambda: proposal)
        self.attempt(lambda: two.consent(proposal))
        self.file(who, 1, 1, 50)
        for filed in self.filed[start:]:
            self.attempt(lambda f=filed: one.approve(f))  # type: ignore[misc]

    @rule(who=LENDERS)
    def withdraw_in_bulk(self, who: int) -> None:
        """All that is live of a member at once, which another consents to."""
        lender = self.lenders[who]
        for _ in range(3):
            self.file(who, 1, 1, 50)
        own = [name for name, one in self.state.entries.items() if one.contributor == lender.code]
        live = [name for name in own if self.state.entries[name].is_live]
        if live:
            proposal = lender.withdraw(*live)
            self.attempt(lambda: proposal)
            self.attempt(lambda: self.lenders[who - 1].consent(proposal))

    @rule(who=LENDERS, suspend=st.booleans())
    def let_disputed_entries_end(self, who: int, suspend: bool) -> None:
        self.dispute_all(who)
        if suspend:
            self.leave_disputes()
        self.let_entries_end(2000)

    @rule(days=st.sampled_from([0, 31, 31, 31, 2000]))
    def let_entries_end(self, days: int) -> None:
        self.day += days
        for name in list(self.state.entries):
            header = self.registry.header()
            self.attempt(lambda h=header, n=name: Expire(**h, entries=(n,)))  # type: ignore[misc]

    @rule(retire=st.booleans(), skip=st.sampled_from([0, 0, 1, 3]))
    def agree_on_an_epoch(self, retire: bool, skip: int = 0) -> None:
        one, two = self.lenders[:2]
        in_force = self.open_epochs()
        epoch = in_force[0] if retire else in_force[-1] + 1 + skip
        proposal = one.retire_epoch(epoch) if retire else one.open_epoch(epoch)
        self.attempt(lambda: proposal)
        self.attempt(lambda: two.consent(proposal))

    @rule(who=LENDERS, pick=PICK, evidence=st.sampled_from("abc"))
    def dispute(self, who: int, pick: int, evidence: str) -> None:
        if self.filed:
            filed = self.filed[pick % len(self.filed)]
            again = [one for one, _ in self.refiled if one.entry_id == filed.entry.entry_id]
            row = again[0] if again and pick % 2 else filed
            self.attempt(lambda: self.lenders[who].dispute(row, evidence))

    @rule(pick=PICK, outcome=st.sampled_from(Outcome))
    def resolve(self, pick: int, outcome: Outcome) -> None:
        if self.filed:
            self.attempt(lambda: self.owner(pick).resolve(self.name(pick), outcome))

    @rule(who=LENDERS)
    def dispute_all(self, who: int) -> None:
        for filed in self.filed:
            self.attempt(lambda f=filed: self.lenders[who].dispute(f, f"{self.day}"))  # type: ignore[misc]

    @rule(outcome=st.sampled_from(Outcome))
    def resolve_all(self, outcome: Outcome) -> None:
        for place, filed in enumerate(self.filed):
            owner, name = self.owner(place), filed.entry.entry_id
            self.attempt(lambda o=owner, n=name: o.resolve(n, outcome))  # type: ignore[misc]

    @rule()
    def leave_disputes(self) -> None:
        self.day += 21
        for name in list(self.state.entries):
            header = self.registry.header()
            self.attempt(lambda h=header, n=name: Suspend(**h, entries=(n,)))  # type: ignore[misc]

    @rule(pick=PICK, many=st.integers(1, 4))
    def withdraw(self, pick: int, many: int) -> None:
        if self.filed:
            names = list(dict.fromkeys(self.name(pick + place) for place in range(many)))
            self.attempt(lambda: self.owner(pick).withdraw(*names))

    @rule(pick=PICK, epoch=EPOCHS)
    def refile(self, pick: int, epoch: int) -> None:
        if self.filed:
            filed = self.filed[pick % len(self.filed)]
            tokens = (token("any", epoch=epoch),)
            self.attempt(lambda: self.owner(pick).refile(filed.entry, tokens))

    @rule(who=LENDERS, epoch=EPOCHS, retire=st.booleans())
    def propose(self, who: int, epoch: int, retire: bool) -> None:
        lender = self.lenders[who]
        self.attempt(lambda: lender.retire_epoch(epoch) if retire else lender.open_epoch(epoch))

    @rule(who=LENDERS, own=st.booleans())
    def propose_an_odd_key(self, who: int, own: bool) -> None:
        """One of an earlier epoch, or of another consortium."""
        lender, epoch = self.lenders[who], self.state.epochs()[-1].epoch + 1
        keys = (
            signed_keys(epoch, seed=str(epoch - 1)) if own else signed_keys(epoch, "Another list")
        )
        self.attempt(lambda: lender.open_epoch(epoch, keys))

    @rule(who=LENDERS, pick=PICK)
    def consent(self, who: int, pick: int) -> None:
        if self.proposals:
            proposal = self.proposals[pick % len(self.proposals)]
            self.attempt(lambda: self.lenders[who].consent(proposal))

    @rule(days=st.sampled_from([1, 1, 1, 8, 21, 2000]))
    def wait(self, days: int) -> None:
        self.day += days

    @rule(pick=PICK, late=st.booleans())
    def registry_acts(self, pick: int, late: bool) -> None:
        if self.filed:
            kind = Suspend if late else Expire
            header = self.registry.header()
            self.attempt(lambda: kind(**header, entries=(self.name(pick),)))

    @invariant()
    def the_state_is_legal(self) -> None:
        check_legal(self.state, TERMS)

    @invariant()
    def nobody_removes_in_bulk_alone(self) -> None:
        for days in self.alone.values():
            assert all(sum(0 <= day - one < 7 for one in days) <= 2 for day in days)

    @invariant()
    def rows_lead_to_live_entries(self) -> None:
        live = {name for name, entry in self.state.entries.items() if entry.is_live}
        assert {*self.state.entry_by_row.values()} == live == {*self.state.rows_by_entry}
        for filed in self.filed:
            name = filed.entry.entry_id
            found = {self.state.filed(row) for row in row_names(filed)}
            assert found == {self.state.entries[name] if name in live else None}

    @invariant()
    def the_state_is_the_fold(self) -> None:
        place = len(self.log) // 2
        assert fold(self.log[place:], TERMS, onto=fold(self.log[:place], TERMS)) == self.state

    def open_epochs(self) -> list[int]:
        """Numbers of those that are not retired."""
        return [one.epoch for one in self.state.epochs() if one.retired is None]

    def name(self, pick: int) -> bytes:
        """Of an entry somebody tried to file."""
        return self.filed[pick % len(self.filed)].entry.entry_id

    def owner(self, pick: int) -> Lender:
        """Who tried to file it."""
        code = self.filed[pick % len(self.filed)].member
        return next(lender for lender in self.lenders if lender.code == code)


def test_no_illegal_state_is_ever_reached() -> None:
    """And none is missed for want of an event: every kind was accepted, every kind of proposal
    consented to, and entries ended from every status.
    """
    REACHED.clear()
    run_state_machine_as_test(
        ListMachine, settings=settings(max_examples=36, stateful_step_count=40)
    )
    assert not {what for what in WANTED if not REACHED[what]}
