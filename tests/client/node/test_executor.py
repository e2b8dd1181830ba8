"""The executor runs the code installed here and none that the coordinator sends."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from client.node.flower import ENVIRONMENT
from client.node.loopback import HOST, Loopback
from shared.wire.messages import Ask, Refused, pack_question, parse_reply
from tests.client.node.flower_node import FlowerNode, changed_bundle, flower_node

QUESTION = pack_question(Ask("ab" * 32, "census", 0, "cd" * 32, (np.arange(3),)))


@pytest.fixture
def node(tmp_path: Path) -> Iterator[tuple[Path, FlowerNode]]:
    """A lender's folder, and a SuperNode that holds a changed bundle."""
    folder = tmp_path / "L01"
    (folder / "own").mkdir(mode=0o700, parents=True)
    (folder / "client.toml").write_text('[lender]\nmember = "L01"\n')
    (folder / "bundles.json").write_text("[]")
    loopback = Loopback(folder)
    loopback.renew()
    with flower_node(loopback, changed_bundle(tmp_path / "marker")) as served:
        yield folder, served


@contextmanager
def executor(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The process, which ends with the block."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "client.node.child", str(os.getpid()), "executor", folder],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def workers_of(process: int) -> list[int]:
    """Numbers of a process's own processes."""
    found = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(number) for number in found.split()]


def test_a_changed_bundle_is_refused_unheard_and_never_run(
    node: tuple[Path, FlowerNode], tmp_path: Path
) -> None:
    """Not on the list: one word, and the log has the digest. On the list: the lender's own code
    answers, under the bundle's name; a worker that is killed is replaced; a question whose parts
    never come ends nothing.
    """
    folder, served = node
    digest = hashlib.sha256(served.bundle).hexdigest()
    with executor(folder) as process:
        served.ask(QUESTION)
        assert parse_reply(served.reply().content) == Refused("L01", "operator")
        assert f"refused: the bundle {digest}" in (folder / "log").read_text()
        assert not (folder / "own/secret").exists()
        (folder / "bundles.json").write_text(json.dumps([digest]))
        served.lose(QUESTION)
        for _ in range(2):
            served.ask(QUESTION)
            assert parse_reply(served.reply().content) == Refused("L01", "operator")
            (worker,) = workers_of(process.pid)
            os.kill(worker, signal.SIGKILL)
        said = (folder / "log").read_text()
        assert said.count("refused: the bundle") == 1
        assert "question refused" in said  # by the desk, for want of a table: our own code
        assert "another one takes the message" in said
        assert process.poll() is None
    assert not (tmp_path / "marker").exists()


def test_flowers_own_process_runs_what_is_in_the_bundle(
    node: tuple[Path, FlowerNode], tmp_path: Path
) -> None:
    """The control: the same bundle and message, given to `flwr-clientapp`."""
    folder, served = node
    token = served.state.claim_task(served.ask(QUESTION))
    command = Path(sys.executable).with_name("flwr-clientapp")
    subprocess.run(
        [command, "--runtime-api-address", f"{HOST}:{Loopback(folder).port('supernode')}",
         "--token", token, "--root-certificates", Loopback(folder).certificate],
        env={**os.environ, **ENVIRONMENT, "FLWR_HOME": str(tmp_path / "home")},
        capture_output=True, check=False, timeout=120,
    )  # fmt: skip
    assert (tmp_path / "marker").read_text() == "this code ran"
