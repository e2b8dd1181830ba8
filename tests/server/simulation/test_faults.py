"""Faults are read as documented, and anything else is refused with an example."""

import pytest

from server.simulation.faults import Fault, parse_fault
from shared.errors import OperatorError


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("drop L03 trees/5", Fault("drop", "L03", "trees/5")),
        ("error L03 census", Fault("error", "L03", "census")),
        ("slow  L03 trees/5 2.5", Fault("slow", "L03", "trees/5", "2.5")),
        ("slow L03 trees/5 0", Fault("slow", "L03", "trees/5", "0")),
        ("away L03 trees/5 trees/9", Fault("away", "L03", "trees/5", "trees/9")),
        ("kill coordinator trees/5", Fault("kill", "coordinator", "trees/5")),
    ],
)
def test_each_kind_is_read_and_written_back(text: str, fault: Fault):
    assert parse_fault(text) == fault
    assert str(fault) == " ".join(text.split())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "drop",
        "drop L03",
        "drop L03 trees/5 3",
        "explode L03 trees/5",
        "slow L03 trees/5",
        "slow L03 trees/5 soon",
        "slow L03 trees/5 -1",
        "slow L03 trees/5 .",
        "slow L03 trees/5 ²",
        "kill L03 trees/5",
        "drop coordinator trees/5",
    ],
)
def test_anything_else_is_refused_with_the_text_and_an_example(text: str):
    with pytest.raises(OperatorError) as caught:
        parse_fault(text)
    assert repr(text) in caught.value.what
    assert "'" in caught.value.remedy
