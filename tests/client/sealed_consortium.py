"""Lenders on disk and a coordinator of the pure halves, joined over the wire's own form.

Each lender has its folder, vault and outbox, and can be started again at any point.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
from flwr.common.serde import recorddict_from_proto, recorddict_to_proto
from numpy.typing import NDArray

from client.lender import Lender
from client.settings import read_settings
from shared.secure_sum.coordinator_round import Closed, Collecting, Opening, open_round
from shared.secure_sum.coordinator_side import SetUp, SetUpUnderWay
from shared.secure_sum.statements import Answer, MaskedInput, Payload, RoundOpen
from shared.secure_sum.suite import STANDARD
from shared.secure_sum.trust import Trust
from shared.training.agreement import Agreement
from shared.training.run import Run
from shared.wire.messages import (
    Ask,
    Behind,
    Question,
    Reply,
    Sum,
    ask_transcript,
    pack_question,
    pack_reply,
    parse_question,
    parse_reply,
)
from tests.client.lender_folder import AUTHORITY, NOW, frame_of, make_folder
from tests.identities import identity_under
from tests.shared.training.synthetic_book import SCHEMA, make_book

TERMS = Agreement("sealed", SCHEMA, rounds=2, seed=3)
BOOK = make_book(100)
OWNERS = np.repeat([0, 1, 2, 3], [36, 34, 26, 4])  # too few for more than an intercept
COORDINATOR = identity_under(AUTHORITY, "coordinator", "coordinator", now=NOW)
TRUST = Trust(AUTHORITY.certificate, lambda: NOW)


class SealedConsortium:
    """Four lenders; `restarts`: before every message a lender's process is a new one."""

    def __init__(self, parent: Path, terms: Agreement = TERMS, *, slots: int = 16) -> None:
        self.terms = terms
        self.folders = {
            f"L0{i + 1}": make_folder(
                parent, f"L0{i + 1}", frame_of(BOOK.take(np.flatnonzero(i == OWNERS))), terms
            )
            for i in range(4)
        }
        self.lenders = {code: Lender(read_settings(home)) for code, home in self.folders.items()}
        self.run = Run(terms)
        self.released: list[NDArray[np.int64]] = []
        self.agreed: tuple[tuple[str, bytes], ...] = ()
        self.slots, self.counter, self.slot = slots, 0, -1
        self.set_up: SetUp | None = None
        self.restarts = False

    def restart(self, code: str) -> Lender:
        """The lender's process ends, and another begins with what is on disk."""
        self.lenders[code].close()
        self.lenders[code] = Lender(read_settings(self.folders[code]))
        return self.lenders[code]

    def asked(self, code: str, question: Question) -> Reply:
        """One message there and back, in the form that travels."""
        lender = self.restart(code) if self.restarts else self.lenders[code]
        there = recorddict_from_proto(recorddict_to_proto(pack_question(question, "a test")))
        back = pack_reply(lender.reply(parse_question(there)))
        return parse_reply(recorddict_from_proto(recorddict_to_proto(back)))

    def under_way(self) -> SetUpUnderWay:
        """A set-up the coordinator opens."""
        self.counter += 1
        return SetUpUnderWay(
            STANDARD, COORDINATOR, TRUST, agreement=bytes.fromhex(self.terms.digest()),
            counter=self.counter, nonce=sha256(b"%d" % self.counter).digest(), slots=self.slots,
        )  # fmt: skip

    def make_set_up(self, codes: Iterable[str] | None = None) -> SetUp:
        """All three exchanges."""
        codes, under_way = list(codes or self.lenders), self.under_way()
        for code in codes:
            under_way.take_keys(self.asked(code, under_way.opened))  # type: ignore[arg-type]
        roll = under_way.close_keys()
        for code in codes:
            under_way.take_shares(self.asked(code, roll))  # type: ignore[arg-type]
        for code in codes:
            under_way.take_ready(self.asked(code, under_way.delivery(code)))  # type: ignore[arg-type]
        self.set_up, self.slot = under_way.finished(), -1
        return self.set_up

    def payload(self, **changes: object) -> Payload:
        """What is due."""
        question = self.run.question()
        fields = {
            "run": bytes.fromhex(self.run.digest), "stage": question.stage, "kind": question.kind,
            "length": question.length, "fraction_bits": question.fraction_bits,
            "clip": question.clip, "minimum_cell": self.terms.minimum_cell,
        }  # fmt: skip
        return Payload(**(fields | changes))  # type: ignore[arg-type]

    def opened(self, slot: int | None = None, **changes: object) -> RoundOpen:
        """A round for what is due, in the next slot."""
        assert self.set_up is not None
        self.slot = self.slot + 1 if slot is None else slot
        return open_round(STANDARD, COORDINATOR, self.set_up, self.slot, self.payload(**changes))

    def ask(self, opened: RoundOpen | None, agreed: object = None) -> Ask:
        """The question that is due, with all totals and the answers to the round before."""
        proof = self.agreed if agreed is None else agreed
        return signed_ask(
            Ask(
                self.terms.digest(), self.run.question().stage, 0, self.run.digest,
                tuple(self.released), opened, proof,
            )
        )  # type: ignore[arg-type] # fmt: skip

    def collected(self, absent: Iterable[str] = ()) -> Closed:
        """Masked numbers of everybody but the absent."""
        assert self.set_up is not None
        opened = self.opened()
        collecting = Collecting(STANDARD, COORDINATOR, self.set_up, opened)
        for code in sorted(set(self.lenders) - set(absent)):
            given = self.asked(code, self.ask(opened))
            assert isinstance(given, MaskedInput), given
            collecting.take_masked(given)
        return collecting.close()

    def total(self, closed: Closed) -> NDArray[np.int64]:
        """Opened by all survivors, released and absorbed."""
        assert self.set_up is not None
        opening = Opening(STANDARD, self.set_up, closed)
        for code in closed.survivors.alive:
            answer = self.asked(code, closed.survivors)
            assert isinstance(answer, Answer), answer
            opening.take_answer(answer)
        self.agreed = opening.agreed
        self.release(opening.total())
        return self.released[-1]

    def release(self, total: NDArray[np.int64]) -> None:
        """Known to everybody from the next question on."""
        self.released.append(total)
        self.run.absorb(total)

    def stage(self, absent: Iterable[str] = ()) -> NDArray[np.int64]:
        """One stage from question to total."""
        if self.run.question().length:
            return self.total(self.collected(absent))
        for code in sorted(set(self.lenders) - set(absent)):
            closing = self.asked(code, self.ask(None))
            assert isinstance(closing, Sum), closing
        self.release(np.empty(0, dtype=np.int64))
        return self.released[-1]

    def to_the_end(self) -> None:
        """All stages that are left."""
        while not self.run.finished:
            self.stage()


def signed_ask(ask: Ask) -> Ask:
    """As the coordinator sends it."""
    signature = STANDARD.sign(COORDINATOR.private, ask_transcript(ask))
    return replace(ask, coordinator=COORDINATOR.member.certificate, signature=signature)


def unproven(reply: Reply) -> bytes:
    """The round a lender wants to be shown the answers of."""
    assert isinstance(reply, Behind), reply
    return reply.unproven
