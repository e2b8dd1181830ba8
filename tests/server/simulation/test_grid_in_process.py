"""The in-process grid carries messages as Flower does; its faults happen as they are written."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp

from server.coordinator.checkpoint import Checkpoints, StageRecord
from server.coordinator.exchange import Policy
from server.simulation.faults import Faults, parse_fault
from server.simulation.grid import InProcessGrid
from shared.training.run import Run
from tests.federation import STAGES, Consortium, founded_in, model_of

FOLDERS = [Path("lenders") / code for code in ("L01", "L02", "L03")]
NODES = (1000, 1001, 1002)
Handler = Callable[[Message], RecordDict]
Made = Callable[..., InProcessGrid]


@pytest.fixture
def made() -> Iterator[Made]:
    """made(handler, *faults) → a grid of three lenders that answer with `handler`."""
    grids: list[InProcessGrid] = []

    def make(handler: Handler, *faults: str) -> InProcessGrid:
        app = ClientApp()

        @app.query("answer")
        def answer(message: Message, context: Context) -> Message:
            return Message(handler(message), reply_to=message)

        planned = Faults(tuple(parse_fault(text) for text in faults))
        grids.append(InProcessGrid(app, FOLDERS, faults=planned))
        return grids[-1]

    yield make
    for grid in grids:
        grid.close()


def _content(stage: str = "trees/5") -> RecordDict:
    values = ArrayRecord({"values": Array(np.arange(3))})
    return RecordDict({"ask": ConfigRecord({"stage": stage, "lengths": [3]}), "totals": values})


def _ask(grid: InProcessGrid, node: int, stage: str = "trees/5") -> Message:
    message = grid.create_message(_content(stage), "query.answer", node, "g")
    (reply,) = grid.send_and_receive([message])
    return reply


def test_a_message_arrives_equal_but_is_not_the_same_object(made: Made):
    seen: list[Message] = []

    def keep(message: Message) -> RecordDict:
        seen.append(message)
        return message.content

    grid = made(keep)
    sent = grid.create_message(_content(), "query.answer", NODES[0], "g")
    (reply,) = grid.send_and_receive([sent])
    assert seen[0].content == sent.content == reply.content
    for a, b in ((sent, seen[0]), (seen[0], reply)):
        assert a is not b
        assert a.content is not b.content
        assert a.content["totals"]["values"] is not b.content["totals"]["values"]
    assert seen[0].metadata is not sent.metadata
    assert reply.metadata.reply_to_message_id == sent.metadata.message_id


def test_what_a_lender_does_to_a_message_or_to_its_answer_reaches_nobody(made: Made):
    kept: list[RecordDict] = []

    def spoil(message: Message) -> RecordDict:
        message.content["ask"]["stage"] = "spoilt"
        message.content["ask"]["lengths"].append(9)
        message.metadata.__dict__["_group_id"] = "spoilt"
        kept.append(_content("answer"))
        return kept[-1]

    grid = made(spoil)
    sent = grid.create_message(_content(), "query.answer", NODES[0], "g")
    (reply,) = grid.send_and_receive([sent])
    kept[0]["ask"]["stage"] = "changed afterwards"
    assert dict(sent.content["ask"]) == {"stage": "trees/5", "lengths": [3]}
    assert sent.metadata.group_id == "g"
    assert reply.content["ask"]["stage"] == "answer"


def test_an_exception_becomes_an_error_with_its_name_and_without_its_text(made: Made):
    def fail(message: Message) -> RecordDict:
        raise KeyError("Zhang San")

    reply = _ask(made(fail), NODES[0])
    assert reply.has_error()
    assert reply.error.reason == "KeyError"
    assert "Zhang" not in repr(reply)


def test_an_answer_that_flower_cannot_carry_is_an_error(made: Made):
    reply = _ask(made(lambda message: None), NODES[0])
    assert reply.has_error()


def test_a_dropped_answer_was_worked_out_but_does_not_arrive(made: Made):
    worked: list[int] = []
    grid = made(lambda m: worked.append(m.metadata.dst_node_id) or m.content, "drop L02 trees/5")
    replies = [_ask(grid, node) for node in NODES]
    assert [reply.has_error() for reply in replies] == [False, True, False]
    assert worked == list(NODES)
    assert not _ask(grid, NODES[1], "trees/6").has_error()


def test_a_failing_lender_does_not_work_at_that_stage_and_does_at_others(made: Made):
    worked: list[str] = []
    grid = made(lambda m: worked.append(m.content["ask"]["stage"]) or m.content, "error L02 bins")
    assert [_ask(grid, NODES[1], stage).has_error() for stage in ("bins", "trees/0")] == [
        True,
        False,
    ]
    assert worked == ["trees/0"]


def test_a_slow_lender_answers_late_and_holds_up_nobody(made: Made):
    grid = made(lambda m: m.content, "slow L01 trees/5 0.4")
    start = time.monotonic()
    first, second = (grid.create_message(_content(), "query.answer", n, "g") for n in NODES[:2])
    numbers = grid.push_messages([first, second])
    early: list[Message] = []
    while not early:
        early = grid.pull_messages(numbers)
    assert [m.metadata.reply_to_message_id for m in early] == numbers[1:]
    assert time.monotonic() - start < 0.4
    while not (late := grid.pull_messages(numbers[:1])):
        time.sleep(0.01)
    assert time.monotonic() - start >= 0.4
    assert not late[0].has_error()


def test_a_lender_works_on_one_message_at_a_time_in_the_order_they_were_sent(made: Made):
    busy, order = threading.Lock(), []

    def work(message: Message) -> RecordDict:
        assert busy.acquire(blocking=False)
        time.sleep(0.02)
        order.append(message.content["ask"]["stage"])
        busy.release()
        return message.content

    grid = made(work)
    stages = [f"trees/{i}" for i in range(5)]
    sent = [grid.create_message(_content(s), "query.answer", NODES[0], "g") for s in stages]
    assert not any(reply.has_error() for reply in grid.send_and_receive(sent))
    assert order == stages


def test_a_lender_that_is_away_is_not_connected_and_hears_nothing_until_it_is_back(made: Made):
    worked: list[str] = []
    grid = made(
        lambda m: worked.append(m.content["ask"]["stage"]) or m.content, "away L02 trees/1 trees/3"
    )
    assert _ask(grid, NODES[1], "trees/0").has_content()
    assert _ask(grid, NODES[1], "trees/1").has_error()  # it left while being asked
    assert grid.get_node_ids() == [NODES[0], NODES[2]]
    assert _ask(grid, NODES[1], "trees/2").has_error()
    assert _ask(grid, NODES[0], "trees/3").has_content()
    assert grid.get_node_ids() == list(NODES)
    assert _ask(grid, NODES[1], "trees/3").has_content()
    assert worked == ["trees/0", "trees/3", "trees/3"]


def test_the_run_a_grid_serves_is_an_error_until_it_is_set(made: Made):
    grid = made(lambda m: m.content)
    with pytest.raises(RuntimeError, match="no run was set"):
        grid.run  # noqa: B018


@pytest.fixture(scope="module")
def consortium(tmp_path_factory: pytest.TempPathFactory) -> Consortium:
    return founded_in(tmp_path_factory.mktemp("grid") / "run")


@pytest.fixture(scope="module")
def undisturbed(consortium: Consortium) -> str:
    return model_of(consortium.conducted())


def _faults(*texts: str) -> Faults:
    return Faults(tuple(parse_fault(text) for text in texts))


def _records(consortium: Consortium) -> dict[str, StageRecord]:
    stages = Checkpoints(consortium.folder / "stages")
    return {record.stage: record for record in stages.replay(Run(consortium.agreement))[1]}


def test_lenders_that_are_only_slow_give_the_undisturbed_model(
    consortium: Consortium, undisturbed: str
):
    faults = _faults("slow L02 census 0.2", "slow L04 trees/0 0.3", "slow L01 evaluation 0.2")
    assert model_of(consortium.conducted(faults=faults)) == undisturbed
    assert faults.idle == ()
    assert all(len(record.members) == 5 for record in _records(consortium).values())


def test_a_lender_slower_than_patience_is_left_out_of_that_stage_and_catches_up(
    consortium: Consortium, undisturbed: str
):
    faults, hasty = _faults("slow L02 trees/0 3.5"), Policy(3, patience=2.5, deadline=60.0)
    run = consortium.conducted(faults=faults, policy=hasty)
    records = _records(consortium)
    assert records["trees/0"].missing == ("L02: no answer in time",)
    assert "L02" in records["mixture"].members
    assert "L02" in records["close"].members
    assert model_of(run) != undisturbed


def test_a_lender_that_was_away_is_named_while_away_and_takes_part_again(consortium: Consortium):
    consortium.conducted(faults=_faults("away L05 trees/0 trees/1"))
    records = _records(consortium)
    assert records["trees/0"].missing == ("L05: unavailable",)
    assert records["trees/1"].missing == ("L05: not heard from",)
    for stage in STAGES[STAGES.index("mixture") :]:
        assert "L05" in records[stage].members


def test_faults_happen_in_every_phase_of_a_secure_run(consortium: Consortium):
    phases = ("set-up/keys", "set-up/shares", "set-up/ready", "census/unmask", "bins/unmask")
    faults = _faults(*[f"slow L0{i + 1} {phase} 0.05" for i, phase in enumerate(phases)])
    consortium.conducted(faults=faults)
    assert faults.idle == ()


def test_faults_for_a_lender_or_stage_that_is_not_there_are_told(consortium: Consortium):
    faults = _faults("drop L77 trees/0", "drop L01 trees/77", "slow L01 bins 0")
    consortium.conducted(faults=faults)
    assert [str(fault) for fault in faults.idle] == ["drop L77 trees/0", "drop L01 trees/77"]


def test_who_hands_out_shares_takes_no_core() -> None:
    """Such a lender waits for its disk only: it answers while the only core is taken."""
    working, done = threading.Event(), threading.Event()
    app = ClientApp()

    @app.query("answer")
    def answer(message: Message, context: Context) -> Message:
        if message.content["ask"]["kind"] == "ask":
            working.set()
            done.wait(10)
        return Message(RecordDict(), reply_to=message)

    grid = InProcessGrid(app, FOLDERS, workers=1)
    try:
        asks = [RecordDict({"ask": ConfigRecord({"kind": kind})}) for kind in ("ask", "Survivors")]
        first, second = (
            grid.create_message(content, "query.answer", node, "g")
            for content, node in zip(asks, NODES, strict=False)
        )
        (number,) = grid.push_messages([first])
        assert working.wait(10)
        assert not grid.send_and_receive([second], timeout=10)[0].has_error()
        assert not grid.pull_messages([number])
    finally:
        done.set()
        grid.close()
