"""Preparing key sets with the lenders: the three exchanges of a set-up.

    set-up/keys     SetUpOpen ► all who are there        ◄ MemberKeys
    set-up/shares   Roll ► those whose keys came         ◄ SealedShares
    set-up/ready    Delivery ► those whose shares came   ◄ Ready

Invariants:
- The counter is durable before a SetUpOpen is sent, the set-up before it is used.
- Lenders that fail half-way are left out and the others start over: every member of a roll must
  share, and the threshold is to be one of lenders that are there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from server.coordinator.conversation import Conversation
from server.coordinator.counted import NOT_COUNTED
from server.coordinator.exchange import VoidStageError, void
from server.coordinator.kept_rounds import KeptRounds
from server.coordinator.set_up_phases import KeysPhase, ReadyPhase, SharesPhase
from shared.identity.certificate import Identity, Member, end_of
from shared.secure_sum.coordinator_side import SetUp, SetUpUnderWay
from shared.secure_sum.statements import Roll
from shared.secure_sum.suite import Randomness, Suite
from shared.secure_sum.trust import Trust

_TRIES = 3
_ALL_SLOTS = 6400  # key sets of all lenders together: bounds the roll that each is sent
_FEWEST_SLOTS, _MOST_SLOTS = 8, 96


@dataclass(frozen=True)
class Means:
    """What the coordinator brings to the secure sum. `agreement`: digest of the run's terms;
    `same_lenders`: kinds of sums that are over the same lenders each time.
    """

    suite: Suite
    identity: Identity
    trust: Trust
    agreement: bytes
    randomness: Randomness
    now: Callable[[], datetime]
    same_lenders: frozenset[str]


@dataclass(frozen=True)
class Demand:
    """What a set-up is for. `stage`: it stands before this one; `needed` lenders at least, and
    `wanted` among them where that can be, but nodes `without`: lenders that were not in the first
    count; `rounds` to come, if known.
    """

    stage: str
    needed: int
    wanted: frozenset[str] = frozenset()
    without: frozenset[int] = frozenset()
    rounds: int | None = None


class SettingUp:
    """Makes set-ups. `members` gathers all lenders whose certificates were shown, by code;
    `left_out`: why other nodes are not in the last set-up.
    """

    def __init__(
        self,
        means: Means,
        conversation: Conversation,
        kept: KeptRounds,
        members: dict[str, Member],
    ) -> None:
        self.members = members
        self.left_out: dict[int, str] = {}
        self._means = means
        self._conversation = conversation
        self._kept = kept

    def meet(self, roll: Roll) -> None:
        """The members of a set-up an earlier process made, which judged their certificates then:
        one that has ended since, with its holder at work under a renewed one, is no flaw of it.
        """
        trust = self._means.trust
        for keys in roll.keys:
            self._meet(keys.certificate, _no_later(trust, end_of(keys.certificate)))

    def made(self, demand: Demand) -> SetUp:
        """A finished, durable set-up of the lenders that are there; VoidStageError."""
        left_out = dict.fromkeys(demand.without, NOT_COUNTED)
        for _ in range(_TRIES):
            tried = self._tried(demand, left_out)
            left_out |= tried.halfway | self._blamed(tried)
            rest = len(tried.roll.members) - len(tried.halfway)
            if not tried.halfway or rest < demand.needed:
                break
        needed, ready = max(demand.needed, tried.roll.threshold), len(tried.under_way.ready)
        if ready < needed:
            raise self._void(demand, f"{ready} lenders went through, {needed} are needed", left_out)
        return self._finished(tried.under_way, left_out)

    def _tried(self, demand: Demand, left_out: dict[int, str]) -> _Try:
        """One set-up without those left out, as far as it goes; adds those who gave no keys."""
        under_way = self._under_way(demand)
        keys = KeysPhase(under_way, demand.needed, demand.wanted, set(left_out))
        left_out |= self._conversation.hold(keys).missing
        if len(keys.given) < demand.needed:
            why = f"{len(keys.given)} lenders sent their keys, {demand.needed} are needed"
            raise self._void(demand, why, left_out)
        for certificate in keys.certificates:
            self._meet(certificate, self._means.trust)
        roll = under_way.close_keys()
        shares = SharesPhase(under_way, roll, keys.given, demand.needed)
        halfway = self._conversation.hold(shares).missing
        if not halfway:  # a roll that is not accepted by all comes to nothing
            ready = ReadyPhase(under_way, shares.given, demand.needed)
            halfway |= self._conversation.hold(ready).missing
        return _Try(under_way, roll, halfway)

    def _blamed(self, tried: _Try) -> dict[int, str]:
        """Who, by others' signed word, dealt them something that does not open. It may be they that
        lie: both sides are left out, or one liar could keep honest lenders out one by one.
        """
        blamed, self._conversation.blamed = self._conversation.blamed, set()
        nodes = {code: node for node, code in self._conversation.codes.items()}
        return {
            nodes[code]: "what it dealt to another lender does not open, says that lender"
            for code in blamed & set(tried.roll.members)
            if code in nodes
        }

    def _meet(self, certificate: bytes, trust: Trust) -> None:
        member = trust.member(certificate, "lender")
        self.members[member.code] = member

    def _under_way(self, demand: Demand) -> SetUpUnderWay:
        means, lenders = self._means, len(self._conversation.connected())
        most = min(_MOST_SLOTS, demand.rounds or _MOST_SLOTS)
        slots = max(_FEWEST_SLOTS, min(most, _ALL_SLOTS // max(1, lenders)))
        return SetUpUnderWay(
            means.suite,
            means.identity,
            means.trust,
            agreement=means.agreement,
            counter=self._kept.next_counter(int(means.now().timestamp() * 1e6)),
            nonce=means.randomness(32),
            slots=slots,
        )

    def _finished(self, under_way: SetUpUnderWay, left_out: dict[int, str]) -> SetUp:
        set_up, codes = under_way.finished(), self._conversation.codes
        self.left_out = left_out
        self._kept.keep_set_up(set_up, {n: c for n, c in codes.items() if c in set_up.members})
        return set_up

    def _void(self, demand: Demand, why: str, left_out: dict[int, str]) -> VoidStageError:
        conversation = self._conversation
        told = {conversation.name(node): reason for node, reason in left_out.items()}
        lost = conversation.lost(conversation.known() - told.keys())  # they were not asked
        told |= {code: conversation.silence(code) for code in lost}
        lines = sorted(f"{name}: {reason}" for name, reason in told.items())
        return void(f"{demand.stage}, set-up", why, lines)


@dataclass(frozen=True, eq=False)
class _Try:
    """`halfway`: nodes that gave keys and then failed, and why."""

    under_way: SetUpUnderWay
    roll: Roll
    halfway: dict[int, str]


def _no_later(trust: Trust, end: datetime) -> Trust:
    return replace(trust, clock=lambda: min(trust.clock(), end))
