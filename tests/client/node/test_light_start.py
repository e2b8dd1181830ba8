"""What `start` loads, and in what form its processes write."""

from __future__ import annotations

import logging
import subprocess
import sys
from typing import Any

import pytest
import uvicorn
from flwr.supercore.http_logging import get_uvicorn_log_config

import client.node.child
import server.deployment.child


def test_the_command_loads_nothing_that_rows_need() -> None:
    """Neither pandas nor what else takes much memory: the executor does, which reads the rows."""
    heavy = "pandas", "pyarrow", "torch", "flwr", "sqlalchemy"
    script = f"import sys, client.commands.start\nprint([m for m in {heavy} if m in sys.modules])"
    words = [sys.executable, "-c", script]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize("module", [client.node.child, server.deployment.child])
def test_uvicorn_has_no_form_of_its_own(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lines go through our handler, whatever Flower asks for; without it they do not: the
    control.
    """
    names = ("uvicorn", "uvicorn.access", "uvicorn.error", "httpx", "httpcore")
    before = {name: (_of(name).handlers[:], _of(name).level, _of(name).propagate) for name in names}
    monkeypatch.setattr(uvicorn.Config, "configure_logging", uvicorn.Config.configure_logging)
    for name in names:  # servers of other tests may have left theirs
        _of(name).handlers[:] = []
    try:
        module._one_way_of_logging()
        _served()
        assert not any(_of(name).handlers for name in names)
        assert not _of("uvicorn.access").isEnabledFor(logging.INFO)
        monkeypatch.undo()
        _served()
        assert _of("uvicorn").handlers
    finally:
        for name, (handlers, level, propagate) in before.items():
            _of(name).handlers[:], _of(name).propagate = handlers, propagate
            _of(name).setLevel(level)


def _of(name: str) -> logging.Logger:
    return logging.getLogger(name)


def _served() -> None:
    uvicorn.Config(lambda: None, log_config=get_uvicorn_log_config(logging.INFO))
