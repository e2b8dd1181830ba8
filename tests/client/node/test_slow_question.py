"""A question whose parts come slowly, or not at all, ends no executor."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from flwr.app import RecordDict

from client.node import question
from client.node.flower import MOST_MISSING
from client.node.question import LostQuestionError, fetched, question_of, task_of
from tests.client.node.asked_node import AskedNode
from tests.client.node.test_long_answer import executor_in


@pytest.mark.parametrize("gone", ["part", "message"])
def test_a_question_that_was_given_up_is_told_and_left(
    gone: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """The SuperNode has forgotten it: nothing is answered, and the next one is looked for."""
    node = AskedNode(RecordDict())
    if gone == "part":
        node.parts.clear()
    else:
        monkeypatch.setattr(node, "PullMessages", lambda _: _Nothing())
    ours = executor_in(tmp_path, None)
    client: Any = nullcontext(node)
    monkeypatch.setattr(ours, "_connected", lambda _: client)
    monkeypatch.setattr(ours, "_allowed", lambda _: True)
    ours._carry("token")
    assert "a question did not come whole; it is asked again" in caplog.text


class _Nothing:
    messages_list: tuple[()] = ()
    message_object_trees: tuple[()] = ()


def test_the_task_is_kept_while_parts_are_on_their_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flower takes a task away that gives no sign for half a minute: there is one every ten
    seconds, and after a quarter of an hour without the part nobody waits any more.
    """
    clock, signs = [0.0], []
    monkeypatch.setattr(question.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(question.time, "sleep", lambda _: clock.__setitem__(0, clock[0] + 4.0))
    node = AskedNode(RecordDict())
    node.parts[node.number] = b""
    with pytest.raises(LostQuestionError):
        fetched(node, task_of(node), question_of(node), lambda: signs.append(clock[0]))
    assert clock[0] == 904.0
    assert node.beaten == 75
    assert len(signs) == 228


def test_the_executor_waits_for_longer_than_the_supernode() -> None:
    """Who gives a question up is the SuperNode, which knows whether something still comes."""
    assert question.MOST_WAIT > 100 * MOST_MISSING
