"""Memory and time of large sums, each side in a process of its own.

    lender        one real lender in a set-up with all others, then one round: set-up, mask, answer
    coordinator   a set-up of all lenders, then one round: uploads one at a time, answers, total

The others are made only as far as this side can see of them: their keys and signatures are real,
the boxes to the coordinator are not (it cannot look into them), and the pairwise masks, which
cancel in the sum, are left out of the uploads it is sent.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.secure_sum.boxes import _info
from shared.secure_sum.coordinator_round import Collecting, Opening, open_round
from shared.secure_sum.coordinator_side import SetUp, SetUpUnderWay
from shared.secure_sum.masks import self_key
from shared.secure_sum.shamir import SHARE_BYTES, split
from shared.secure_sum.statements import (
    Answer,
    Delivery,
    MaskedInput,
    MemberKeys,
    Ready,
    Roll,
    SealedShares,
    SetUpOpen,
    Survivors,
    accepting_transcript,
    answer_transcript,
    masked_transcript,
    name_of,
    signed,
)
from shared.secure_sum.suite import STANDARD
from tests.bench.secure_sum_costs import Clock, weights_of
from tests.bench.secure_sum_ours import (
    code_of,
    fixed,
    opened_set_up,
    payload_of,
    side_of,
    slots_for,
)
from tests.shared.secure_sum.federation import identity

REPOSITORY = Path(__file__).resolve().parents[2]
POINTS = ((50, 10_000_000), (500, 1_000_000), (500, 10_000_000))
SEALED = 16


@dataclass(frozen=True)
class Other:
    """Another lender: its keys for the set-up and the secrets behind them."""

    keys: MemberKeys
    transport: bytes
    seed: bytes


def other(number: int, opened: SetUpOpen, name: bytes) -> Other:
    """A lender of which only what others see is made; one seed stands for all slots."""
    own, transport, seed = identity(code_of(number)), os.urandom(32), os.urandom(32)
    masks = tuple(STANDARD.public_key(os.urandom(32)) for _ in range(opened.slots))
    keys = MemberKeys(
        name, own.member.code, own.member.certificate, STANDARD.public_key(transport),
        masks, (STANDARD.digest(seed),) * opened.slots,
    )  # fmt: skip
    return Other(signed(STANDARD, own.private, keys), transport, seed)


def lender_point(lenders: int, length: int) -> dict[str, Any]:
    """What one lender of `lenders` needs for a set-up and a round of `length` numbers."""
    set_up, mask, answer = Clock(), Clock(), Clock()
    slots, side = slots_for(lenders), side_of(0)
    under_way = opened_set_up(slots)
    name = name_of(STANDARD, under_way.opened)
    others = [other(number, under_way.opened, name) for number in range(1, lenders)]
    with set_up.running():
        own = side.keys(under_way.opened)
    under_way.take_keys(own)
    for one in others:
        under_way.take_keys(one.keys)
    roll = under_way.close_keys()
    base = peak_mb()
    with set_up.running():
        sealed = side.shares(roll)
    delivery = delivered(roll, own, others, slots)
    with set_up.running():
        side.ready(delivery)
    known = SetUp(under_way.opened, roll, sealed.set_up, (), roll.members)
    coordinator = identity("coordinator", "coordinator")
    asked = payload_of(0, length + 1, lenders)
    opened = open_round(STANDARD, coordinator, known, 0, asked)
    ready = peak_mb()
    weights = weights_of(0, length)
    with mask.running():
        given = side.mask(opened, asked, fixed(0, weights, lenders), purpose="")
    survivors = signed(STANDARD, coordinator.private, Survivors(given.round, roll.members))
    with answer.running():
        side.answer(survivors)
    return {
        "slots": slots,
        "set_up_ms": round(set_up.milliseconds, 1),
        "share_ms": round(set_up.milliseconds / slots, 2),
        "mask_ms": round(mask.milliseconds, 1),
        "answer_ms": round(answer.milliseconds, 1),
        "peak_mb_before": base,
        "peak_mb_set_up": ready,
        "peak_mb": peak_mb(),
    }


def delivered(roll: Roll, own: MemberKeys, others: list[Other], slots: int) -> Delivery:
    """Boxes for the real lender, sealed as the others' would be; the shares in them are noise."""
    name, boxes = name_of(STANDARD, roll), []
    for one in others:
        code = one.keys.member
        info = _info(code, own.member)
        secret = STANDARD.agree(one.transport, own.transport)
        content = bytes(2 * SHARE_BYTES * slots)
        box = STANDARD.seal(STANDARD.derive(secret, name, info), content, name + info)
        accepted = STANDARD.sign(identity(code).private, accepting_transcript(name))
        boxes.append((code, box, accepted))
    return Delivery(name, tuple(boxes))


def coordinator_point(lenders: int, length: int) -> dict[str, Any]:
    """What the coordinator needs for a set-up of `lenders` and a round of `length` numbers."""
    making, collecting, unmasking = Clock(), Clock(), Clock()
    slots = slots_for(lenders)
    under_way = opened_set_up(slots)
    name = name_of(STANDARD, under_way.opened)
    others = [other(number, under_way.opened, name) for number in range(lenders)]
    base = peak_mb()
    set_up = finished(under_way, others, slots, making)
    ready = peak_mb()
    asked = payload_of(0, length + 1, lenders)
    coordinator = identity("coordinator", "coordinator")
    opened = open_round(STANDARD, coordinator, set_up, 0, asked)
    taking, expected = Collecting(STANDARD, coordinator, set_up, opened), np.zeros(1, np.int64)
    vector = fixed(0, weights_of(0, length), lenders)
    for given in uploads(taking.name, others, vector):
        with collecting.running():
            taking.take_masked(given)
    expected = vector * lenders
    closed = taking.close()
    answers = answered(set_up, others, closed.survivors)
    opening = Opening(STANDARD, set_up, closed)
    with unmasking.running():
        for answer in answers:
            opening.take_answer(answer)
        total = opening.total()
    assert (total == expected).all(), "the total is not the sum"
    return {
        "slots": slots,
        "set_up_ms": round(making.milliseconds, 1),
        "collect_ms": round(collecting.milliseconds, 1),
        "unmask_ms": round(unmasking.milliseconds, 1),
        "peak_mb_before": base,
        "peak_mb_set_up": ready,
        "peak_mb": peak_mb(),
    }


def finished(under_way: SetUpUnderWay, others: list[Other], slots: int, clock: Clock) -> SetUp:
    """The set-up with everybody's keys, boxes and word."""
    with clock.running():
        for one in others:
            under_way.take_keys(one.keys)
        roll = under_way.close_keys()
    name = name_of(STANDARD, roll)
    text = accepting_transcript(name)
    for one in others:
        me, private = one.keys.member, identity(one.keys.member).private
        boxes = tuple(
            (code, os.urandom(2 * SHARE_BYTES * slots + SEALED))
            for code in roll.members
            if code != me
        )
        with clock.running():
            under_way.take_shares(SealedShares(name, me, boxes, STANDARD.sign(private, text)))
    for one in others:
        private = identity(one.keys.member).private
        ready = signed(STANDARD, private, Ready(name, one.keys.member))
        with clock.running():
            under_way.delivery(one.keys.member)
            under_way.take_ready(ready)
    with clock.running():
        return under_way.finished()


def uploads(name: bytes, others: list[Other], vector: NDArray[np.int64]) -> Iterator[MaskedInput]:
    """Everybody's upload, one at a time: the numbers under the lender's own mask."""
    for one in others:
        values = vector.astype(np.uint32)
        STANDARD.add_streams(values, [self_key(STANDARD, one.seed, name)], [])
        text = masked_transcript(STANDARD, name, one.keys.member, values)
        sign = STANDARD.sign(identity(one.keys.member).private, text)
        yield MaskedInput(name, one.keys.member, values, sign)


def answered(set_up: SetUp, others: list[Other], survivors: Survivors) -> list[Answer]:
    """Answers of as many lenders as the threshold asks for."""
    shares = [split(one.seed, set_up.threshold, len(others), os.urandom) for one in others]
    text = answer_transcript(survivors.round, survivors.alive)
    return [
        Answer(
            survivors.round,
            one.keys.member,
            tuple(of[place] for of in shares),
            STANDARD.sign(identity(one.keys.member).private, text),
        )
        for place, one in enumerate(others[: set_up.threshold])
    ]


def peak_mb() -> float:
    """Peak resident memory of this process so far, MB (10**6 bytes).

    From /proc: `getrusage` would count the process this one was started from.
    """
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return round(int(line.split()[1]) * 1024 / 1e6, 1)
    raise RuntimeError("this system does not tell the peak memory of a process")


def fresh_process(side: str, lenders: int, length: int) -> dict[str, Any]:
    """One side of one point, measured in a process of its own."""
    command = [sys.executable, "-m", __name__, side, str(lenders), str(length)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)
    point: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return point


if __name__ == "__main__":
    of = {"lender": lender_point, "coordinator": coordinator_point}[sys.argv[1]]
    print(json.dumps(of(int(sys.argv[2]), int(sys.argv[3]))))
