"""One whole transcript with fixed randomness: four lenders, two slots, L02 absent from the second.

python -m tests.shared.secure_sum.write_transcript    after a deliberate change
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from shared.identity.certificate import Identity, read_member
from shared.secure_sum.coordinator_round import Collecting, Opening, open_round
from shared.secure_sum.coordinator_side import SetUp, SetUpUnderWay
from shared.secure_sum.encoding import text_of
from shared.secure_sum.floors import Floors
from shared.secure_sum.lender_side import LenderSide, Terms
from shared.secure_sum.suite import STANDARD
from shared.secure_sum.trust import Trust
from tests.shared.secure_sum.federation import (
    AGREEMENT,
    NOW,
    MemoryJournal,
    MemoryStore,
    payload,
    seeded,
    vectors_of,
)

FILE = Path(__file__).with_name("transcript_v1.json")
LENDERS = ("L01", "L02", "L03", "L04")
ABSENT = "L02"
Document = dict[str, Any]


def transcript(members: Document) -> Document:
    """All that is said, from the members' certificates and private keys (hex) alone."""
    authority = bytes.fromhex(members["authority"])
    trust = Trust(authority, lambda: NOW)
    own = {code: _identity(of, authority) for code, of in members["identities"].items()}
    sides = {
        code: LenderSide(
            Terms(STANDARD, own[code], trust, Floors.of("demo"), AGREEMENT),
            MemoryStore(), MemoryJournal(), seeded(f"transcript|{code}"),
        )
        for code in LENDERS
    }  # fmt: skip
    set_up, said = _set_up(own["coordinator"], trust, sides)
    rounds, agreed = [], ()
    for slot, codes in enumerate([LENDERS, tuple(c for c in LENDERS if c != ABSENT)]):
        held, agreed = _round(own["coordinator"], set_up, sides, slot, codes, agreed)
        rounds.append(held)
    return {"suite": STANDARD.name, "members": members, "set-up": said, "rounds": rounds}


def _identity(of: Document, authority: bytes) -> Identity:
    certificate, private = bytes.fromhex(of["certificate"]), bytes.fromhex(of["private"])
    return Identity(read_member(certificate, authority, NOW), private)


def _set_up(
    coordinator: Identity, trust: Trust, sides: dict[str, LenderSide]
) -> tuple[SetUp, list[str]]:
    under_way = SetUpUnderWay(
        STANDARD, coordinator, trust, agreement=AGREEMENT, counter=1,
        nonce=seeded("transcript|nonce")(32), slots=2,
    )  # fmt: skip
    said: list[object] = [under_way.opened]
    for side in sides.values():
        said.append(side.keys(under_way.opened))
        under_way.take_keys(said[-1])
    roll = under_way.close_keys()
    said.append(roll)
    for side in sides.values():
        said.append(side.shares(roll))
        under_way.take_shares(said[-1])
    for code, side in sides.items():
        said.append(under_way.delivery(code))
        said.append(side.ready(said[-1]))
        under_way.take_ready(said[-1])
    return under_way.finished(), [text_of(statement).decode() for statement in said]


def _round(
    coordinator: Identity, set_up: SetUp, sides: dict[str, LenderSide], slot: int,
    codes: tuple[str, ...], agreed: tuple[tuple[str, bytes], ...],
) -> tuple[Document, tuple[tuple[str, bytes], ...]]:  # fmt: skip
    opened = open_round(STANDARD, coordinator, set_up, slot, payload(slot, 5))
    collecting = Collecting(STANDARD, coordinator, set_up, opened)
    vectors, inputs = vectors_of(codes, 5, seed=slot), []
    for code, vector in vectors.items():
        given = sides[code].mask(opened, opened.payload, vector, purpose="a test", agreed=agreed)
        collecting.take_masked(given)
        inputs.append([code, given.values.astype("<u4").tobytes().hex(), given.signature.hex()])
    closed = collecting.close()
    opening, answers = Opening(STANDARD, set_up, closed), []
    for code in codes:
        answer = sides[code].answer(closed.survivors)
        opening.take_answer(answer)
        answers.append(text_of(answer).decode())
    total = opening.total()
    np.testing.assert_array_equal(total, sum(vectors.values()))
    said = {
        "opened": text_of(opened).decode(), "round": collecting.name.hex(),
        "vectors": {code: vector.tolist() for code, vector in vectors.items()},
        "masked inputs": inputs, "survivors": text_of(closed.survivors).decode(),
        "answers": answers, "total": total.tolist(),
    }  # fmt: skip
    return said, opening.agreed
