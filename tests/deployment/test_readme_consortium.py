"""The README's consortium over the network: its commands, in its order, by real processes."""

from __future__ import annotations

import io
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pandas as pd
import pytest

import client.cli
import server.cli
from server.deployment.loopback import free_port
from tests.deployment.consortium import ROOT

pytestmark = pytest.mark.slow
BIN = Path(sys.executable).parent
CODES = ("L01", "L02", "L03")
ROWS = 150
PROGRAMS: dict[str, Callable[[Sequence[str]], int]] = {
    "lianfang-client": client.cli.main,
    "lianfang-server": server.cli.main,
}


def blocks() -> list[list[str]]:
    """The commands of each `sh` block: of the coordinator, of an institution, of a run."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)
    return [block.splitlines() for block in found]


class Machine:
    """A folder with what the README takes for granted, and free ports in place of its own."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self._ports = {"8443": str(free_port()), "8444": str(free_port())}
        (folder / "configs").symlink_to(ROOT / "configs")
        rows = pd.read_csv(ROOT / "data" / "sba_demo.csv.gz")
        for code in CODES:
            own = rows[rows["lender"] == code].drop(columns="lender").head(ROWS)
            own.to_csv(folder / f"{code}.csv", index=False)
        own.drop(columns="charged_off").to_csv(folder / "applicants.csv", index=False)
        monkeypatch.chdir(folder)

    def words(self, command: str) -> list[str]:
        """As a shell would have them."""
        for told, free in self._ports.items():
            command = command.replace(f":{told}", f":{free}")
        return shlex.split(command)

    def run(self, command: str, *, given: str = "", attention: bool = False) -> None:
        """It ends with 0, or 1 where something deserves a look."""
        program, *rest = self.words(command)
        self._monkeypatch.setattr(sys, "stdin", io.StringIO(given))
        assert PROGRAMS[program](rest) in ((0, 1) if attention else (0,)), command

    @contextmanager
    def running(self, command: str) -> Iterator[subprocess.Popen[bytes]]:
        """`start`, once it has said that it is ready; ended at the end."""
        program, *rest = self.words(command)
        process = subprocess.Popen(
            [str(BIN / program), *rest],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert process.stdout is not None
        try:
            assert process.stdout.readline(), f"{command} ended with {process.wait()}"
            yield process
        finally:
            process.terminate()
            process.wait(60)
            process.stdout.close()


def test_the_readmes_consortium(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three lenders join, a run is trained, two operators promote its model, a lender scores."""
    coordinator, institution, run = blocks()
    machine = Machine(tmp_path, monkeypatch)
    init, start, invite = coordinator
    join, doctor, node = institution
    machine.run(init)
    with ExitStack() as stack:
        stack.enter_context(machine.running(start))
        for code in CODES:
            capsys.readouterr()
            machine.run(invite.replace("L01", code))
            own = join.replace("L01", code).replace("loans.csv", f"{code}.csv")
            machine.run(own, given=capsys.readouterr().out)
            assert "has joined" in capsys.readouterr().out
            machine.run(doctor.replace("L01", code), attention=True)
            assert "WRONG" not in capsys.readouterr().out
            stack.enter_context(machine.running(node.replace("L01", code)))
        for command in run:
            machine.run(command)
    assert "finished" in capsys.readouterr().out
    assert len(pd.read_csv("scored.csv")) == ROWS
