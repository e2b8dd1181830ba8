"""One round of our secure sum, and of a plain one, with every step measured.

The real halves, joined in memory. Not measured, here and for the peer alike: network and disk.
"""

from __future__ import annotations

import os
from hashlib import sha256

import numpy as np
from flwr.common.serde import recorddict_to_proto
from numpy.typing import NDArray

from shared.secure_sum.coordinator_round import Collecting, Opening, open_round
from shared.secure_sum.coordinator_side import SetUp, SetUpUnderWay
from shared.secure_sum.fixed_point import lender_bits, stochastic
from shared.secure_sum.floors import Floors
from shared.secure_sum.lender_side import LenderSide, Terms
from shared.secure_sum.statements import MaskedInput, Payload
from shared.secure_sum.suite import STANDARD
from shared.wire.messages import Sum, pack_reply
from tests.bench.secure_sum_costs import CLIP, Clock, Costs, mean_of, rows_of, timed, weights_of
from tests.shared.secure_sum.federation import (
    AGREEMENT,
    MemoryJournal,
    MemoryStore,
    identity,
    trust,
)

LARGEST_SHARE = 1024
"""Lenders' rows are divided by this, a power of two above every lender's number of rows."""


def code_of(lender: int) -> str:
    """L0001, L0002, …"""
    return f"L{lender + 1:04d}"


def slots_for(lenders: int) -> int:
    """Slots of a set-up, as the coordinator chooses them."""
    return min(96, max(8, 6400 // lenders))


def fraction_bits(lenders: int) -> int:
    """Bits after the point, so that a weight within the clip fits a lender's part of the ring."""
    return lender_bits(lenders) - 1 - int(CLIP).bit_length()


def fixed(lender: int, weights: NDArray[np.float32], lenders: int) -> NDArray[np.int64]:
    """Weights times the lender's share of rows, clipped and rounded; last, its rows."""
    shared = np.zeros(len(weights) + 1)
    np.multiply(weights, rows_of(lender) / LARGEST_SHARE, out=shared[:-1])
    generator = np.random.default_rng(lender)
    vector = stochastic(shared, fraction_bits(lenders), CLIP, generator)
    vector[-1] = rows_of(lender)
    return vector


def side_of(lender: int) -> LenderSide:
    """A lender with vault and journal in memory."""
    terms = Terms(STANDARD, identity(code_of(lender)), trust(), Floors.of("demo"), AGREEMENT)
    return LenderSide(terms, MemoryStore(), MemoryJournal(), os.urandom)


def payload_of(number: int, length: int, lenders: int) -> Payload:
    """What round `number` asks for."""
    run = sha256(f"round {number}".encode()).digest()
    return Payload(run, f"network/{number}", "weights", length, fraction_bits(lenders), CLIP, 1)


def opened_set_up(slots: int) -> SetUpUnderWay:
    """A set-up the coordinator has opened."""
    return SetUpUnderWay(
        STANDARD, identity("coordinator", "coordinator"), trust(), agreement=AGREEMENT, counter=1,
        nonce=os.urandom(32), slots=slots,
    )  # fmt: skip


class OurRounds:
    """A set-up of `lenders` and as many rounds as are asked for."""

    def __init__(self, lenders: int, length: int) -> None:
        self.costs = Costs()
        self._lenders, self._length = lenders, length
        self._sides = [side_of(lender) for lender in range(lenders)]
        self._agreed: tuple[tuple[str, bytes], ...] = ()
        self._slot = 0
        self.slots = slots_for(lenders)
        self._set_up = self._made_set_up()

    def _made_set_up(self) -> SetUp:
        clocks = [Clock() for _ in self._sides]
        under_way = opened_set_up(self.slots)
        for side, clock in zip(self._sides, clocks, strict=True):
            with clock.running():
                keys = side.keys(under_way.opened)
            under_way.take_keys(keys)
        roll = under_way.close_keys()
        for side, clock in zip(self._sides, clocks, strict=True):
            with clock.running():
                sealed = side.shares(roll)
            under_way.take_shares(sealed)
        for lender, (side, clock) in enumerate(zip(self._sides, clocks, strict=True)):
            delivery = under_way.delivery(code_of(lender))
            with clock.running():
                ready = side.ready(delivery)
            under_way.take_ready(ready)
        self.costs.set_up += [clock.milliseconds for clock in clocks]
        self.costs.share += [clock.milliseconds / self.slots for clock in clocks]
        return under_way.finished()

    def round(self) -> None:
        """One round with all lenders; the total is compared with the mean it must be."""
        coordinator = identity("coordinator", "coordinator")
        asked = payload_of(self._slot, self._length + 1, self._lenders)
        opened = open_round(STANDARD, coordinator, self._set_up, self._slot, asked)
        collecting, adding = Collecting(STANDARD, coordinator, self._set_up, opened), Clock()
        for lender, side in enumerate(self._sides):
            weights = weights_of(lender, self._length)
            with timed(self.costs.mask):
                vector = fixed(lender, weights, self._lenders)
                given = side.mask(opened, asked, vector, purpose="", agreed=self._agreed)
            self.costs.upload.append(wire_bytes(given))
            with adding.running():
                collecting.take_masked(given)
        self.costs.collect.append(adding.milliseconds)
        closed = collecting.close()
        answers = []
        for side in self._sides:
            with timed(self.costs.answer):
                answers.append(side.answer(closed.survivors))
        opening = Opening(STANDARD, self._set_up, closed)
        with timed(self.costs.unmask):
            for answer in answers:
                opening.take_answer(answer)
            total = opening.total()
        self._agreed = opening.agreed
        self._slot += 1
        check_mean(total, self._lenders)


def plain_round(lenders: int, length: int, costs: Costs) -> None:
    """One round of the plain sum: the same whole numbers, shown to the coordinator."""
    total, adding = np.zeros(length + 1, np.int64), Clock()
    for lender in range(lenders):
        weights = weights_of(lender, length)
        with timed(costs.mask):
            vector = fixed(lender, weights, lenders)
        costs.upload.append(wire_bytes(Sum(code_of(lender), "network/0", vector)))
        with adding.running():
            total += vector
    costs.collect.append(adding.milliseconds)
    check_mean(total, lenders)


def wire_bytes(reply: MaskedInput | Sum) -> int:
    """Bytes of a reply as Flower sends it."""
    return int(recorddict_to_proto(pack_reply(reply)).ByteSize())


def check_mean(total: NDArray[np.int64], lenders: int) -> None:
    """The total's mean is the mean of all weights, to what rounding may do."""
    step = 2.0 ** -fraction_bits(lenders)
    found = total[:-1] * step * LARGEST_SHARE / total[-1]
    worst = np.abs(found - mean_of(lenders, len(found))).max()
    assert worst <= lenders * step * LARGEST_SHARE / total[-1], worst
