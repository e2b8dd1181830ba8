"""What is said on the wire stays what it was: a change of format or cryptography is noticed here.

After a deliberate one: python -m tests.shared.secure_sum.write_transcript
"""

from __future__ import annotations

import json

import pytest

from shared.secure_sum import masks
from shared.secure_sum.encoding import read_text, text_of
from shared.secure_sum.statements import (
    Answer,
    Delivery,
    MemberKeys,
    Ready,
    Roll,
    RoundOpen,
    SealedShares,
    SetUpOpen,
    Survivors,
)
from tests.shared.secure_sum.transcript import FILE, transcript

VECTOR = json.loads(FILE.read_text())
KINDS = {
    kind.__name__: kind
    for kind in (
        Answer, Delivery, MemberKeys, Ready, Roll, RoundOpen, SealedShares, SetUpOpen, Survivors,
    )
}  # fmt: skip


def test_the_same_randomness_gives_the_same_transcript() -> None:
    """Every text, masked input, share and total, byte for byte."""
    assert transcript(VECTOR["members"]) == VECTOR


def test_every_text_of_the_transcript_is_canonical() -> None:
    """It is read as the statement it names, and written as it was."""
    texts = list(VECTOR["set-up"])
    for one in VECTOR["rounds"]:
        texts += [one["opened"], one["survivors"], *one["answers"]]
    assert {json.loads(text)[""] for text in texts} == set(KINDS)
    for text in texts:
        statement = read_text(KINDS[json.loads(text)[""]], text.encode())
        assert text_of(statement).decode() == text


def test_the_totals_are_the_sums_of_the_vectors_in_the_file() -> None:
    """Read from the file alone; the second round has three lenders."""
    assert [len(one["vectors"]) for one in VECTOR["rounds"]] == [4, 3]
    for one in VECTOR["rounds"]:
        columns = zip(*one["vectors"].values(), strict=True)
        assert [sum(column) for column in columns] == one["total"]


def test_another_key_schedule_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: totals stay right, masked inputs do not."""
    monkeypatch.setattr(
        masks, "self_key", lambda suite, seed, name: suite.derive(seed, name, b"other")
    )
    monkeypatch.setattr("shared.secure_sum.coordinator_round.self_key", masks.self_key)
    other = transcript(VECTOR["members"])
    assert other["set-up"] == VECTOR["set-up"]
    for new, old in zip(other["rounds"], VECTOR["rounds"], strict=True):
        assert new["total"] == old["total"]
        assert new["masked inputs"] != old["masked inputs"]
