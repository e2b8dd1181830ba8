"""The eight ristretto255-SHA512 vectors of RFC 9497, appendix A.1."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import poprf
import pytest

from shared.tokens import dleq
from shared.tokens.group import ORDER, inverses, points_of, scalars_of
from shared.tokens.oprf import OPRF, POPRF, Suite, expand, finalize, with_length
from shared.tokens.sodium import Sodium

SUITES = json.loads((Path(__file__).parent / "rfc9497_ristretto255.json").read_text("utf-8"))
VECTORS = [
    pytest.param(suite, vector, id=f"{suite['mode']}-{number}")
    for suite in SUITES
    for number, vector in enumerate(suite["vectors"])
]
GROUP = Sodium()
BASE = GROUP.multiply_base(scalars_of([1]))


def many(text: str) -> list[bytes]:
    return [bytes.fromhex(part) for part in text.split(",")]


def number(text: str) -> int:
    return int.from_bytes(bytes.fromhex(text), "little")


def test_all_eight_vectors_are_there() -> None:
    """No mode and no vector was left out."""
    assert [len(suite["vectors"]) for suite in SUITES] == [2, 3, 3]


def derived_key(suite: Suite, seed: bytes, info: bytes) -> int:
    """DeriveKeyPair, section 3.2.1, of a first attempt: our holders draw their keys together."""
    text = seed + with_length(info) + b"\0"
    return int.from_bytes(expand(text, b"DeriveKeyPair" + suite.context), "little") % ORDER


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite["mode"])
def test_key(suite: dict[str, Any]) -> None:
    """The key derived from seed and info is the vector's, and so is its public key."""
    assert bytes.fromhex(suite["groupDST"]) == b"HashToGroup-" + Suite(suite["mode"]).context
    info = bytes.fromhex(suite["keyInfo"])
    key = derived_key(Suite(suite["mode"]), bytes.fromhex(suite["seed"]), info)
    assert key == number(suite["skSm"])
    if suite["mode"] != OPRF:
        assert GROUP.multiply_base(scalars_of([key])).tobytes().hex() == suite["pkSm"]


@pytest.mark.parametrize(("suite", "vector"), VECTORS)
def test_vector(suite: dict[str, Any], vector: dict[str, Any]) -> None:
    """Blinded element, evaluation, proof and output are the vector's, byte for byte."""
    mode = Suite(suite["mode"])
    inputs, blinds = many(vector["Input"]), [number(text.hex()) for text in many(vector["Blind"])]
    blinded = GROUP.multiply(mode.hash_to_group(GROUP, inputs), scalars_of(blinds))
    assert [row.tobytes() for row in blinded] == many(vector["BlindedElement"])

    info = bytes.fromhex(vector.get("Info", ""))
    key = number(suite["skSm"])
    if suite["mode"] == POPRF:
        key = poprf.tweaked(mode, key, info)
    factor = inverses([key])[0] if suite["mode"] == POPRF else key
    evaluated = GROUP.multiply(blinded, scalars_of([factor]))
    assert [row.tobytes() for row in evaluated] == many(vector["EvaluationElement"])

    if suite["mode"] != OPRF:
        _check_proof(mode, key, suite, vector, blinded, evaluated)

    elements = GROUP.multiply(evaluated, scalars_of(inverses(blinds)))
    if suite["mode"] == POPRF:
        rows = zip(inputs, elements, strict=True)
        outputs = [poprf.finalize(item, info, row.tobytes()) for item, row in rows]
    else:
        outputs = [row.tobytes() for row in finalize(inputs, elements)]
    assert outputs == many(vector["Output"])


def _check_proof(
    mode: Suite,
    key: int,
    suite: dict[str, Any],
    vector: dict[str, Any],
    blinded: np.ndarray,
    evaluated: np.ndarray,
) -> None:
    public = points_of([bytes.fromhex(suite["pkSm"])])
    asked, answered = blinded, evaluated
    if mode.mode == POPRF:
        added = poprf.tweak(mode, bytes.fromhex(vector["Info"]))
        public = GROUP.add(public, GROUP.multiply_base(scalars_of([added])))
        asked, answered = evaluated, blinded
    nonce = number(vector["Proof"]["r"])
    # a nonce is drawn as 1 + (64 bytes modulo ORDER - 1)
    drawn = (nonce - 1).to_bytes(64, "little")
    proof = dleq.prove(GROUP, mode, key, BASE, public, asked, answered, lambda size: drawn[:size])
    assert proof.hex() == vector["Proof"]["proof"]
    dleq.verify(GROUP, mode, BASE, public, asked, answered, proof)


def test_expand_message() -> None:
    """expand_message_xmd in parts is the definition of RFC 9380 section 5.3.1, done at once."""
    from hashlib import sha512

    message, tag = b"abc", b"QUUX-V01-CS02-with-expander-SHA512-256"
    domain = tag + bytes([len(tag)])
    first = sha512(bytes(128) + message + b"\x00\x40\x00" + domain).digest()
    assert expand(message, tag) == sha512(first + b"\x01" + domain).digest()
