"""A worker that is long over a question is told in the log, by the kind of question alone, and is
ended when it is over it for too long.
"""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.app.message import make_message
from flwr.app.metadata import Metadata

from client.node import executor, worker
from client.node.executor import Executor
from client.node.heartbeat import Heartbeat
from client.node.worker import Worker
from client.settings import answer_seconds, read_node
from shared.errors import OperatorError
from shared.wire.failures import WORKER_LATE, shown
from shared.wire.messages import Ask, pack_question


class _Slow:
    """A worker that answers after some seconds of the clock; each wait takes half a minute."""

    def __init__(self, clock: list[float], seconds: float) -> None:
        self._clock, self._until = clock, clock[0] + seconds

    def reply(self, _: float) -> str | None:
        """Nothing before its time."""
        self._clock[0] += 30.0
        return "done" if self._clock[0] > self._until else None


def executor_in(folder: Path, worker: Any, most: float = 1800.0) -> Executor:
    """One whose worker is given."""
    ours = Executor.__new__(Executor)
    ours._folder, ours._worker, ours._most = folder, worker, most
    ours._heart = Heartbeat(folder, "executor")
    return ours


def told(
    content: RecordDict, seconds: float, monkeypatch: pytest.MonkeyPatch, log: Any
) -> list[str]:
    """What the log has when the answer takes so long."""
    clock = [0.0]
    monkeypatch.setattr(executor.time, "monotonic", lambda: clock[0])
    ours = executor_in(Path("/nowhere"), _Slow(clock, seconds))
    client: Any = SimpleNamespace(SendTaskHeartbeat=lambda _: None)
    log.clear()
    message: Any = SimpleNamespace(content=content, has_content=lambda: True)
    answer: object = ours._awaited(client, message)
    assert answer == "done"
    return [record.message for record in log.records]


def test_a_question_that_takes_long_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """After a minute, and again; one that is soon answered is not."""
    asked = pack_question(Ask("ab" * 32, "census", 0, "cd" * 32, (np.arange(3),)))
    assert told(asked, 20.0, monkeypatch, caplog) == []
    lines = told(asked, 200.0, monkeypatch, caplog)
    assert lines[0] == "question 'census': no answer yet after 90 s"
    assert len(lines) == 2


@pytest.mark.parametrize("hangs", [True, False])
def test_a_worker_that_hangs_is_ended_and_the_message_fails(
    hangs: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Another worker is there for the next question, which it answers; one that is in time is left
    alone: the control.
    """
    monkeypatch.setattr(worker, "_answered", _hanging if hangs else _prompt)
    monkeypatch.setattr(executor, "REPLY_SECONDS", 0.05)
    first = Worker.forked(tmp_path)
    ours = executor_in(tmp_path, first, most=0.2 if hangs else 60.0)
    client: Any = SimpleNamespace(SendTaskHeartbeat=lambda _: None)
    try:
        reply = ours._answer(client, question("a"), context(), 1)
        assert reply.has_error() is hangs
        assert (ours._worker.process != first.process) is hangs
        if hangs:
            assert shown(reply.error.reason) == WORKER_LATE
            assert "the worker is ended" in caplog.text
            assert not Path(f"/proc/{first.process}").exists()
            monkeypatch.setattr(worker, "_answered", _prompt)
            ours._replace()
            assert not ours._answer(client, question("b"), context(), 2).has_error()
    finally:
        ours._worker.end()


def test_a_reply_to_an_earlier_question_is_dropped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Who was interrupted while it waited gets the reply to what it asks then."""
    monkeypatch.setattr(worker, "_answered", _prompt)
    ours = Worker.forked(tmp_path)
    try:
        ours.ask(question("a"), context(), 1)
        ours.ask(question("b"), context(), 2)
        assert ours.reply(30.0) is None
        reply = ours.reply(30.0)
        assert reply is not None
        assert reply.metadata.reply_to_message_id == "b"
    finally:
        ours.end()


def test_a_worker_that_takes_nothing_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Writing to it ends after a while as if it had ended."""
    monkeypatch.setattr(worker, "_serve", lambda told, folder: time.sleep(600))
    monkeypatch.setattr(worker, "PIPE_SECONDS", 1)
    ours = Worker.forked(tmp_path)
    try:
        with pytest.raises(BlockingIOError):
            ours.ask(question("a", size=1 << 20), context(), 1)
    finally:
        ours.end()


@pytest.mark.parametrize(
    ("entry", "seconds"), [("", 1800), ("answer_minutes = 2", 120), ("answer_minutes = 0", 1800)]
)
def test_the_bound_is_a_setting(entry: str, seconds: float, tmp_path: Path) -> None:
    """In minutes, above 0; half an hour without it."""
    text = '[lender]\nmember = "L01"\ntable = "t"\nterms = "c"\n[node]\n'
    (tmp_path / "client.toml").write_text(text + entry)
    assert answer_seconds(tmp_path) == seconds
    if "0" in entry:
        with pytest.raises(OperatorError, match="answer_minutes"):
            read_node(tmp_path)


def question(number: str, size: int = 0) -> Message:
    """A message of this number."""
    about = Metadata(
        run_id=1,
        message_id=number,
        src_node_id=1,
        dst_node_id=7,
        reply_to_message_id="",
        group_id="",
        created_at=1.0,
        ttl=9.0,
        message_type="query",
    )
    content = RecordDict({"ask": ConfigRecord({"stage": "census", "filler": b"x" * size})})
    return make_message(about, content=content)


def context() -> Context:
    return Context(1, 7, {}, RecordDict(), {})


def _hanging(message: Message, _: Context) -> Message:
    time.sleep(600)
    raise AssertionError


def _prompt(message: Message, _: Context) -> Message:
    return Message(RecordDict(), reply_to=message)


@pytest.mark.parametrize(
    "content",
    [
        RecordDict({"ask": ConfigRecord({"stage": "\x1b[2J"})}),
        RecordDict({"ask": ConfigRecord({"stage": "x" * 1000})}),
        RecordDict({"ask": ConfigRecord({"stage": 7})}),
        RecordDict(),
    ],
)
def test_what_is_no_stages_name_is_not_quoted(
    content: RecordDict, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A name of ours is short and plain; nothing else that was sent is written."""
    lines = told(content, 100.0, monkeypatch, caplog)
    assert lines == ["a question: no answer yet after 90 s"]
