"""A lender that answers wrongly, whatever it sends, changes nothing for the others."""

import logging

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Error, RecordDict
from hypothesis import given
from hypothesis import strategies as st
from scripted_grid import SILENT, TERMS, Lender, Node, asking, honest, sums

from server.coordinator.exchange import VoidStageError
from shared.training.run import Run
from shared.wire.messages import Behind, Refused, Sum, pack_reply

LENGTH = Run(TERMS).question().length
ROW = "row 17: Zhang San, 110101199003070000"


def _sum(vector: np.ndarray, *, stage: str = "census", member: str = "L04") -> RecordDict:
    config = ConfigRecord({"kind": "sum", "member": member, "stage": stage})
    return RecordDict({"reply": config, "sum": ArrayRecord({"values": Array(vector)})})


def _with_huge() -> np.ndarray:
    vector = np.ones(LENGTH, dtype=np.int64)
    vector[3] = 2**31
    return vector


WRONG: dict[str, tuple[object, str]] = {
    "another stage": (_sum(np.ones(LENGTH, np.int32), stage="bins"), "another stage"),
    "too short": (_sum(np.ones(LENGTH - 1, np.int32)), f"expected {LENGTH} integers"),
    "too long": (_sum(np.ones(LENGTH + 1, np.int32)), f"expected {LENGTH} integers"),
    "nothing": (_sum(np.ones(0, np.int32)), f"expected {LENGTH} integers"),
    "too large a value": (_sum(_with_huge()), "does not fit 31 bits"),
    "real numbers": (_sum(np.ones(LENGTH)), "not one flat row of whole numbers"),
    "not a number": (_sum(np.full(LENGTH, np.nan)), "not one flat row of whole numbers"),
    "two dimensions": (_sum(np.ones((1, LENGTH), np.int64)), "not one flat row of whole numbers"),
    "no vector": (
        RecordDict({"reply": ConfigRecord({"kind": "sum", "member": "L04", "stage": "census"})}),
        "other parts than reply, sum",
    ),
    "unknown kind": (
        RecordDict({"reply": ConfigRecord({"kind": "total", "member": "L04"})}),
        "unknown kind",
    ),
    "no reply record": (RecordDict(), "without its reply record"),
    "a code that hides": (Sum("L04\x1b[2J", "census", np.ones(LENGTH, np.int64)), "printable"),
    "flower's error": (Error(code=0, reason=ROW), "unavailable"),
    "refusal": (Refused("L04", "operator"), "refused (operator error; see the lender's own log)"),
    "always behind": (Behind("L04", 0), "keeps falling behind"),
    "behind beyond reason": (Behind("L04", 10**9), "keeps falling behind"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_answer_is_left_out_with_its_reason_and_the_others_are_untouched(
    name: str, caplog: pytest.LogCaptureFixture
):
    answer, reason = WRONG[name]
    caplog.set_level(logging.DEBUG)
    exchange, clock = asking(honest(3) | {4: Node(lambda ask: answer)})
    got = exchange.collect(Run(TERMS), [])
    assert np.unique(got.total).tolist() == [111]
    assert got.members == ("L01", "L02", "L03")
    assert len(got.missing) == 1
    assert reason in got.missing[0]
    assert "Zhang" not in got.missing[0] + caplog.text
    assert clock.now < 1  # it has answered: nobody waits for it


def test_a_void_stage_does_not_quote_an_error_either():
    exchange, _ = asking({i: Node(lambda ask: Error(code=0, reason=ROW)) for i in (1, 2, 3)})
    with pytest.raises(VoidStageError) as caught:
        exchange.collect(Run(TERMS), [])
    assert "Zhang" not in str(caught.value)


def test_a_second_node_under_a_lenders_code_is_refused():
    exchange, _ = asking(honest(3) | {9: Node(sums("L02", 7777))})
    got = exchange.collect(Run(TERMS), [])
    assert np.unique(got.total).tolist() == [111]
    assert got.missing == ("a lender as L02: another node answers under the same code",)


def test_a_node_cannot_change_its_code_during_a_run():
    nodes = honest(4)
    exchange, _ = asking(nodes)
    exchange.collect(Run(TERMS), [])
    nodes[4].lender = sums("L99", 1000)
    got = exchange.collect(Run(TERMS), [])
    assert got.members == ("L01", "L02", "L03")
    assert got.missing == ("L04: answers under another code than before",)


def test_a_lender_that_refuses_at_first_may_answer_the_next_stage():
    nodes = honest(4)
    good, nodes[4].lender = nodes[4].lender, lambda ask: Refused("a-folder", "unexpected")
    exchange, _ = asking(nodes)
    assert exchange.collect(Run(TERMS), []).total[0] == 111
    nodes[4].lender = good
    assert exchange.collect(Run(TERMS), []).total[0] == 1111


def test_an_answer_to_an_earlier_stage_that_comes_late_is_in_no_total():
    nodes = honest(4)
    nodes[4].delay = 10.5  # a little after patience
    exchange, clock = asking(nodes)
    assert exchange.collect(Run(TERMS), []).total[0] == 111
    nodes[4].delay, clock.now = 0.0, 20.0
    assert exchange.collect(Run(TERMS), []).total[0] == 1111


def test_answers_that_add_up_beyond_the_ring_make_the_stage_void_not_wrong():
    nodes = honest(2) | {i: Node(sums(f"L{i:02d}", 2**31 - 1)) for i in (3, 4)}
    exchange, _ = asking(nodes)
    with pytest.raises(VoidStageError, match="more than a sum can carry"):
        exchange.collect(Run(TERMS), [])


def test_a_reply_with_an_odd_group_is_an_answer_like_any_other():
    exchange, _ = asking(honest(3))
    exchange._conversation._grid.group = "not a number"
    assert exchange.collect(Run(TERMS), []).total[0] == 111


def test_a_lender_that_keeps_falling_behind_is_asked_a_bounded_number_of_times():
    stuck = Node(lambda ask: Behind("L04", 0))
    exchange, _ = asking(honest(3) | {4: stuck})
    exchange.collect(Run(TERMS), [])
    assert len(stuck.asked) == 4


GOOD = "good"


@given(behaviour=st.lists(st.sampled_from([GOOD, *WRONG, "silent"]), min_size=1, max_size=9))
def test_the_total_is_that_of_the_good_lenders_whatever_the_others_do(behaviour: list[str]):
    nodes = {i: _behaving(kind, i) for i, kind in enumerate(behaviour, start=1)}
    good = [i for i, kind in enumerate(behaviour, start=1) if kind == GOOD]
    exchange, _ = asking(nodes)
    if len(good) < 3:
        with pytest.raises(VoidStageError):
            exchange.collect(Run(TERMS), [])
        return
    got = exchange.collect(Run(TERMS), [])
    assert np.unique(got.total).tolist() == [sum(2**i for i in good)]
    assert got.members == tuple(f"L{i:02d}" for i in good)


def _behaving(kind: str, number: int) -> Node:
    if kind == GOOD:
        return Node(sums(f"L{number:02d}", 2**number))
    if kind == "silent":
        return Node(lambda ask: SILENT)
    answer = WRONG[kind][0]
    reply: Lender = lambda ask: _renamed(answer, f"L{number:02d}")  # noqa: E731
    return Node(reply)


def _renamed(answer: object, member: str) -> object:
    """The wrong answer under a code of its own, so that it is not refused as a double."""
    content = answer if isinstance(answer, RecordDict | Error) else pack_reply(answer)
    if isinstance(content, RecordDict) and "reply" in content:
        config = dict(content["reply"])
        if str(config["member"]).isprintable():
            config["member"] = member
        return RecordDict({**content, "reply": ConfigRecord(config)})
    return content
