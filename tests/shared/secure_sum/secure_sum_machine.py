"""Whatever gets lost, doubled, late, replayed or restarted, drawn by hypothesis.

3 to 20 lenders and a coordinator, joined by a network that keeps every message ever sent. One
lender may lie about its shares. Never a wrong sum; never two kinds of share of one secret's owner.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache
from random import Random

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from shared.errors import PeerError
from shared.secure_sum.coordinator_round import Closed, Collecting, Opening
from shared.secure_sum.coordinator_side import SetUp
from shared.secure_sum.encoding import read_text, text_of
from shared.secure_sum.floors import RefusedError
from shared.secure_sum.lender_side import UnprovenError
from shared.secure_sum.statements import (
    Answer,
    Delivery,
    MaskedInput,
    Roll,
    RoundOpen,
    SetUpOpen,
    Survivors,
    name_of,
)
from tests.shared.secure_sum.federation import (
    AGREEMENT,
    Federation,
    MemoryJournal,
    MemoryStore,
    payload,
    vectors_of,
)
from tests.shared.secure_sum.remembering_suite import LENGTH, SUITE

SLOTS = 4
SIZES = st.sampled_from([3, 3, 4, 4, 4, 5, 5, 6, 7, 9, 12, 20])
NUMBER = st.integers(0, 10**6)
LIES = [b""] * 5 + [bytes(33), (2**256 + 296).to_bytes(33), b"\xff" * 33]
NOBODY = 8
LOST = ("", "", "shares", "ready")
"""Before what of another set-up a lender is lost."""
MISHAPS = st.sampled_from(
    [""] * 5
    + ["restart_a_lender", "restart_the_coordinator", "old_replies_arrive"] * 2
    + ["an_old_question_arrives"] * 3
    + ["give_up", "another_set_up"]
)
KINDS = ["gradients", "gradients", "weights", "counts", "losses"]
GONE = [0, 0, 0, 0, 0, 1, 1, 2, 3]
COUNTS: Counter[str] = Counter()
"""How often what happened over all cases, to know that they say something."""


@cache
def begun(lenders: int) -> tuple[Federation, SetUp]:
    """A federation right after its first set-up, to be copied."""
    federation = Federation(lenders, slots=SLOTS, suite=SUITE)
    return federation, federation.set_up()


def copied(lenders: int) -> tuple[Federation, SetUp]:
    """The same, with vaults and journals of its own."""
    first, set_up = begun(lenders)
    federation = Federation(lenders, slots=SLOTS, suite=SUITE)
    federation.counter = first.counter
    for code in federation.codes:
        store = first.stores[code]
        federation.stores[code] = MemoryStore(store.kept, list(store.records))
        for record in first.journals[code].records:
            federation.journals[code].append(record)
        federation.sides[code] = federation.side(code)
    return federation, set_up


class SecureSumMachine(RuleBasedStateMachine):
    """The coordinator's steps, every lender's steps, and all that can go wrong between them."""

    @initialize(lenders=SIZES)
    def begin(self, lenders: int) -> None:
        self.federation, self.set_up = copied(lenders)
        self.suite, self.codes = self.federation.suite, self.federation.codes
        self.stage, self.slot = 0, 0
        self.opened: RoundOpen | None = None
        self.collecting: Collecting | None = None
        self.settled: Collecting | None = None
        self.closed: Closed | None = None
        self.opening: Opening | None = None
        self.vectors: dict[bytes, dict[str, np.ndarray]] = {}
        self.agreed: dict[bytes, tuple[tuple[str, bytes], ...]] = {}
        self.asked: list[object] = []
        self.replies: list[MaskedInput | Answer] = []
        self.left: dict[tuple[str, bytes, str], bytes] = {}
        self.told: dict[tuple[str, bytes, int], tuple[str, ...]] = {}
        self.liar = ""
        self.lied: set[tuple[str, bytes]] = set()
        self.set_ups = 0
        self.asked_all = False

    # Hypothesis leaves rules out of a case at random; all steps and mishaps are in one, so that
    # most cases come to a total. Its draws cost more than the steps, so one is made for all chance.

    @rule(mishap=MISHAPS, seed=NUMBER)
    def go_on(self, mishap: str, seed: int) -> None:
        """A mishap, then the next step; `go` 0 repeats the step before, where it can be."""
        chance = Random(seed)
        which, go = chance.randrange(10**6), chance.randrange(10)
        kind, lie = chance.choice(KINDS), chance.choice(LIES)
        away, lost = (chance.choices(range(60), k=chance.choice(GONE)) for _ in range(2))
        if mishap:
            getattr(self, mishap)(which, chance.randrange(10**6))
        if self.opened is None and self.slot == SLOTS:
            self.another_set_up(which, NOBODY)
        elif self.opened is None:
            self.open_round(kind)
        elif self.collecting is not None and (not self.asked_all or go == 0):
            self.mask(away, lost, proven=go != 1)
        elif self.collecting is not None:
            self.close()
        elif not self.asked_all or go == 0:
            self.answer(away, lost, lie)
        else:
            self.finish()

    def open_round(self, kind: str) -> None:
        """In the next slot, for the next stage."""
        asked = payload(self.stage, LENGTH, kind)
        self.opened = self.federation.open(self.set_up, self.slot, asked)
        self.stage, self.slot, self.asked_all = self.stage + 1, self.slot + 1, False
        self.collecting = self._collecting()
        self.vectors[self.collecting.name] = vectors_of(self.codes, LENGTH, seed=self.stage)
        self.asked.append(self.opened)

    def mask(self, away: list[int], lost: list[int], *, proven: bool) -> None:
        """All mask but some; the replies of some stay in the network."""
        self.asked_all = True
        for code in self._all_but(away):
            given = self._mask(code, self.opened, proven)
            if given is not None and code in self._all_but(lost):
                self.collecting.take_masked(given)

    def close(self) -> None:
        """Survivors are settled once a threshold of masked inputs is in."""
        enough = len(self.collecting.alive) >= self.set_up.threshold
        self.asked_all = False
        try:
            self.closed = self.collecting.close()
        except PeerError:
            assert not enough
            return
        assert enough
        self.settled, self.collecting = self.collecting, None
        self.opening = Opening(self.suite, self.set_up, self.closed)
        self.asked.append(self.closed.survivors)

    def answer(self, away: list[int], lost: list[int], lie: bytes) -> None:
        """All answer but some; the shares of some stay in the network; one lender may lie."""
        self.asked_all = True
        for code in self._all_but(away):
            given = self._answer(code, self.closed.survivors)
            if given is not None and lie and self.liar in ("", code):
                given = self._lying(given, lie)
            if given is not None and code in self._all_but(lost):
                self.opening.take_answer(given)

    def _lying(self, given: Answer, share: bytes) -> Answer:
        """One share is wrong, with a good signature."""
        self.liar, place = given.member, share[-1] % len(given.shares)
        self.lied.add((given.member, given.round))
        shares = (*given.shares[:place], share, *given.shares[place + 1 :])
        self.replies.append(replace(given, shares=shares))
        return self.replies[-1]

    def finish(self) -> None:
        """The exact sum of the survivors, or an error that has its reason."""
        survivors, answered = self.closed.survivors, len(self.opening.answered)
        lied = (self.liar, survivors.round) in self.lied and self.liar in self.opening.answered
        self.asked_all = False
        try:
            total = self.opening.total()
        except PeerError:
            assert answered < self.set_up.threshold + lied
            COUNTS["clean error"] += 1
            return
        assert answered >= self.set_up.threshold
        own = self.vectors[survivors.round]
        np.testing.assert_array_equal(total, sum(own[code] for code in survivors.alive))
        self.agreed[survivors.round] = self.opening.agreed
        self.opened = self.closed = self.opening = None
        COUNTS["exact"] += 1
        COUNTS["of fewer than all"] += len(survivors.alive) < len(self.codes)
        COUNTS["in spite of a lie"] += lied

    # What goes wrong

    def give_up(self, _which: int, _who: int) -> None:
        """The round is void: its slot and its update are never used again."""
        COUNTS["void"] += self.opened is not None
        self.opened = self.closed = self.collecting = self.opening = None

    def restart_a_lender(self, _which: int, who: int) -> None:
        """It has its vault and its journal."""
        COUNTS["lender restarted"] += 1
        code = self.codes[who % len(self.codes)]
        folded = MemoryJournal()
        for record in self.federation.journals[code].records:
            folded.append(record)
        assert folded.history == self.federation.journals[code].history
        self.federation.journals[code] = folded
        self.federation.sides[code] = self.federation.side(code)

    def restart_the_coordinator(self, _which: int, _who: int) -> None:
        """It has its set-up, its RoundOpen, and the survivors with their sum, and nothing else."""
        COUNTS["coordinator restarted"] += self.opened is not None
        if self.collecting is not None:
            self.opened = read_text(RoundOpen, text_of(self.opened))
            self.collecting = self._collecting()
        if self.opening is not None:
            survivors = read_text(Survivors, text_of(self.closed.survivors))
            self.closed = Closed(self.closed.opened, survivors, self.closed.masked)
            self.opening = Opening(self.suite, self.set_up, self.closed)

    def old_replies_arrive(self, which: int, many: int) -> None:
        """Late, doubled or out of order: they are this round's, or change nothing."""
        for number in range(1 + many % 20 if self.replies else 0):
            reply = self.replies[(which + 7 * number) % len(self.replies)]
            for taken in (self.collecting, self.settled, self.opening):
                try:
                    if isinstance(reply, MaskedInput) and isinstance(taken, Collecting):
                        taken.take_masked(reply)
                        COUNTS["doubled or late"] += 1
                    if isinstance(reply, Answer) and isinstance(taken, Opening):
                        taken.take_answer(reply)
                        COUNTS["doubled or late"] += 1
                except PeerError:
                    assert taken is self.settled or reply.round != name_of(self.suite, self.opened)

    def an_old_question_arrives(self, which: int, who: int) -> None:
        """Of any phase, to any lender: the same bytes as before, or nothing."""
        asked = self.asked[which % len(self.asked)] if self.asked else None
        COUNTS["replayed"] += asked is not None
        code = self.codes[who % len(self.codes)]
        side = self.federation.sides[code]
        if isinstance(asked, RoundOpen):
            self._mask(code, asked, proven=True)
        elif isinstance(asked, Survivors):
            self._answer(code, asked)
        elif asked is not None:
            ask = {SetUpOpen: side.keys, Roll: side.shares, Delivery: side.ready}[type(asked)]
            try:
                self._same_as_before(code, text_of(asked), "set-up", text_of(ask(asked)))
            except RefusedError as error:
                side.refusal(error, asked)

    def another_set_up(self, which: int, away: int) -> None:
        """Perhaps with one lender away, or lost after its keys or after its shares; one in four is
        left half done. Where it comes to nothing, its members need another one.
        """
        if self.opened is not None or self.set_ups == 2 or len(self.codes) > 6:
            return
        self.set_ups += 1
        codes = [code for number, code in enumerate(self.codes) if number != away % 9]
        lost, phase = codes[which % len(codes)], LOST[which // 7 % len(LOST)]
        under_way = self.federation.under_way()
        self.asked.append(under_way.opened)
        for code in codes:
            under_way.take_keys(self.federation.sides[code].keys(under_way.opened))
        if which % 4 == 0 or len(codes) < 3:
            return
        roll = under_way.close_keys()
        self.asked.append(roll)
        for code in codes:
            if (code, "shares") != (lost, phase):
                under_way.take_shares(self.federation.sides[code].shares(roll))
        if phase == "shares":  # all shares or none: nobody can be delivered any
            for code in codes:
                with pytest.raises(PeerError, match=lost):
                    under_way.delivery(code)
            COUNTS["lost before its shares"] += 1
            return
        for code in codes:
            delivery = under_way.delivery(code)
            self.asked.append(delivery)
            if (code, "ready") != (lost, phase):
                under_way.take_ready(self.federation.sides[code].ready(delivery))
        COUNTS["lost before it was ready"] += phase == "ready"
        if len(under_way.ready) < roll.threshold:
            with pytest.raises(PeerError, match="are needed"):
                under_way.finished()
            return
        self.set_up, self.slot = read_text(SetUp, text_of(under_way.finished())), 0

    @invariant()
    def one_kind_of_share_of_each_lender(self) -> None:
        """Each answer of a journal has one set of survivors a slot, in which it is itself."""
        for code in self.codes if hasattr(self, "codes") else ():
            for record in self.federation.journals[code].history.answered.values():
                place = (code, bytes.fromhex(record.set_up), record.slot)
                assert self.told.setdefault(place, record.lenders) == record.lenders
                assert code in record.lenders

    # A lender asked, and what the network remembers

    def _mask(self, code: str, opened: RoundOpen, proven: bool) -> MaskedInput | None:
        side, name = self.federation.sides[code], name_of(self.suite, opened)
        last = self.federation.journals[code].history.last_answers.get(AGREEMENT.hex())
        proofs = self.agreed.get(bytes.fromhex(last.round), ()) if last and proven else ()
        try:
            given = side.mask(
                opened, opened.payload, self.vectors[name][code], purpose="a test", agreed=proofs
            )
        except UnprovenError as error:
            assert (error.name.hex(), proofs) == (last.round, ())  # noqa: PT017
            return None
        except RefusedError as error:
            side.refusal(error, opened)
            return None
        self._same_as_before(code, name, "masked", given.values.tobytes())
        self.replies.append(given)
        return given

    def _answer(self, code: str, survivors: Survivors) -> Answer | None:
        side = self.federation.sides[code]
        try:
            given = side.answer(survivors)
        except RefusedError as error:
            side.refusal(error, survivors)
            return None
        self._same_as_before(code, survivors.round, "answer", b"".join(given.shares))
        self.replies.append(given)
        return given

    def _same_as_before(self, code: str, name: bytes, what: str, reply: bytes) -> None:
        assert self.left.setdefault((code, name, what), reply) == reply

    def _collecting(self) -> Collecting:
        return Collecting(self.suite, self.federation.coordinator, self.set_up, self.opened)

    def _all_but(self, numbers: list[int]) -> list[str]:
        gone = {self.codes[number % len(self.codes)] for number in numbers}
        return [code for code in self.codes if code not in gone]
