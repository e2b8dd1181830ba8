"""Nothing unforeseen ends the thread that registers members' nodes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from server.deployment.fleet import Fleet


def test_an_unforeseen_error_is_told_once_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """By kind and place, without its text; registering goes on when it is over."""
    fleet = Fleet(tmp_path)

    def bad() -> bool:
        raise RecursionError("secret")

    looks: list[Callable[[], bool]] = [bad, bad, lambda: True]

    def registered() -> bool:
        if len(looks) == 1:
            fleet._ended.set()
        return looks.pop(0)()

    monkeypatch.setattr(fleet, "registered", registered)
    monkeypatch.setattr(fleet._ended, "wait", lambda seconds: None)
    fleet._run()
    assert fleet.ready.is_set()
    assert caplog.text.count("RecursionError at test_fleet_goes_on.py") == 1
    assert "secret" not in caplog.text
