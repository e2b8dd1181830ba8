"""A question whose parts come slowly, or not at all, ends no executor."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flwr.supercore.inflatable import inflatable_utils
from flwr.supercore.inflatable.inflatable_utils import ObjectPullError
from flwr.supernode.runtime import run_clientapp

from client.node import executor
from client.node.executor import MOST_WAIT
from client.node.flower import MOST_MISSING, look_often
from tests.client.node.test_long_answer import executor_in


@pytest.mark.parametrize("error", [ObjectPullError("part", "gone"), RuntimeError("no messages")])
def test_a_question_that_was_given_up_is_told_and_left(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The SuperNode has forgotten it: nothing is answered, and the next one is looked for."""

    def gone(_: Any) -> None:
        raise error

    ours = executor_in(Path("/nowhere"), None)
    client: Any = nullcontext(SimpleNamespace(PullObject=None))
    monkeypatch.setattr(ours, "_connected", lambda _: client)
    monkeypatch.setattr(run_clientapp, "pull_task_input", gone)
    ours._carry("token")
    assert "a question did not come whole; it is asked again" in caplog.text


def test_the_task_is_kept_while_parts_are_on_their_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flower takes a task away that gives no sign for half a minute: there is one every ten
    seconds.
    """
    clock, beaten = [0.0], []

    def pulled(part: str) -> str:
        clock[0] += 4.0
        return part

    client: Any = SimpleNamespace(PullObject=pulled, SendTaskHeartbeat=beaten.append)
    monkeypatch.setattr(executor.time, "monotonic", lambda: clock[0])
    signing = executor_in(Path("/nowhere"), None)._signing(client)
    assert [signing.PullObject(str(number)) for number in range(10)][-1] == "9"
    assert len(beaten) == 3


def test_the_executor_waits_for_longer_than_the_supernode(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who gives a question up is the SuperNode, which knows whether something still comes."""
    pull = inflatable_utils.pull_objects
    monkeypatch.setattr(pull, "__kwdefaults__", dict(pull.__kwdefaults__ or {}))
    other = inflatable_utils.pull_and_inflate_object_from_tree
    monkeypatch.setattr(other, "__kwdefaults__", dict(other.__kwdefaults__ or {}))
    waits = []
    for most in (MOST_MISSING, MOST_WAIT):
        look_often(most)
        waits.append((pull.__kwdefaults__ or {})["max_time"])
    assert waits == [8.0, 900.0]
