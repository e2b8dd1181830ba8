"""A worker that is long over a question is told in the log, by the kind of question alone."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from flwr.app import ConfigRecord, RecordDict

from client.node import executor
from client.node.executor import Executor
from shared.wire.messages import Ask, pack_question


class _Slow:
    """A worker that answers after some seconds of the clock; each wait takes half a minute."""

    def __init__(self, clock: list[float], seconds: float) -> None:
        self._clock, self._until = clock, clock[0] + seconds

    def reply(self, _: float) -> str | None:
        """Nothing before its time."""
        self._clock[0] += 30.0
        return "done" if self._clock[0] > self._until else None


def told(
    content: RecordDict, seconds: float, monkeypatch: pytest.MonkeyPatch, log: Any
) -> list[str]:
    """What the log has when the answer takes so long."""
    clock = [0.0]
    monkeypatch.setattr(executor.time, "monotonic", lambda: clock[0])
    ours = Executor.__new__(Executor)
    ours._worker = _Slow(clock, seconds)  # type: ignore[assignment]
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
