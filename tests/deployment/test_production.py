"""The production profile from founding to scoring, with five lenders as real processes: by the
commands of docs/deployment.md and docs/institution.md, letter for letter but for folders and ports.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pandas as pd
import pytest

from server.deployment.loopback import free_port
from tests.deployment.consortium import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.soak]
BIN = Path(sys.executable).parent
CODES = ("L01", "L02", "L03", "L04", "L05")
ROWS = 150
COORDINATOR, LENDER = "/srv/lianfang/consortium", "/srv/lender"
ANNA, BEN = "/home/anna/lianfang", "/home/ben/lianfang"


def told_in(page: str, begins: str) -> str:
    """The first command of a page's code blocks that begins so, without what explains it."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    blocks = "\n".join(re.findall(r"```\w*\n(.*?)```", text, flags=re.DOTALL))
    lines = re.sub(r" *\\\n *", " ", blocks).splitlines()
    found = next(
        (line for line in lines if line.split()[: len(begins.split())] == begins.split()), ""
    )
    assert found, f"{page} has no command {begins!r}"
    program, *rest = re.split(r"  +(?=/srv)", found)  # columns, in a list of commands
    return re.split(r"   +", " ".join([program, *rest]))[0]


class Machines:
    """One folder for all that the pages put under /srv and /home."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._ports = {
            f"coordinator.example:{told}": f"127.0.0.1:{free_port()}" for told in (8443, 8444)
        }

    def words(self, command: str, code: str = "L01") -> list[str]:
        """As a shell on these machines would have them."""
        places = {
            COORDINATOR: "consortium",
            LENDER: code,
            ANNA: "anna",
            BEN: "ben",
        }
        for told, there in places.items():
            command = command.replace(told, str(self.home / there))
        for told, there in self._ports.items():
            command = command.replace(told, there)
        program, *rest = shlex.split(command.replace("loans.parquet", f"{code}.parquet"))
        return [str(BIN / program), *rest]

    def run(self, command: str, code: str = "L01", *, given: str = "", status: int = 0) -> str:
        """What it says; AssertionError when it ends with another status."""
        done = subprocess.run(
            self.words(command, code),
            input=given,
            cwd=self.home / code if (self.home / code / "own/model").exists() else self.home,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == status, (command, done.returncode, done.stdout, done.stderr)
        return done.stdout

    @contextmanager
    def running(self, command: str, code: str = "L01") -> Iterator[subprocess.Popen[bytes]]:
        """A command that runs until the end, once it has said that it is ready."""
        with (self.home / f"{code}-{len(command)}.log").open("wb") as log:
            process = subprocess.Popen(
                self.words(command, code), stdout=subprocess.PIPE, stderr=log, cwd=self.home
            )
        assert process.stdout is not None
        try:
            yield process
        finally:
            process.terminate()
            process.wait(60)
            process.stdout.close()


def ready(process: subprocess.Popen[bytes]) -> None:
    """It has said its line."""
    assert process.stdout is not None
    assert process.stdout.readline(), process.args


def tables(home: Path) -> None:
    """The schema, each lender's rows, and applicants."""
    text = (ROOT / "configs/consortium.toml").read_text(encoding="utf-8")
    (home / "schema.toml").write_text(text[text.index("[table]") :], encoding="utf-8")
    rows = pd.read_csv(ROOT / "data" / "sba_demo.csv.gz")
    for code in CODES:
        own = rows[rows["lender"] == code].drop(columns="lender").head(ROWS)
        own.to_parquet(home / f"{code}.parquet", index=False)


def test_five_lenders_train_promote_and_score(tmp_path: Path) -> None:
    """Each pins the others' keys, the run is over all five, and two operators promote its model."""
    tables(tmp_path)
    machines = Machines(tmp_path)
    run = machines.run
    run(told_in("deployment.md", "lianfang-server init") + " --rounds 3")
    with ExitStack() as stack:
        coordinator = stack.enter_context(machines.running(f"lianfang-server start {COORDINATOR}"))
        ready(coordinator)
        invite = told_in("deployment.md", "lianfang-server invite")
        for code in CODES:
            line = run(invite.replace("L01", code))
            run(told_in("institution.md", "lianfang-client join -"), code, given=line)
        members = told_in("institution.md", "lianfang-client members")
        accept = told_in("institution.md", f"lianfang-client members {LENDER} --accept")
        for number, code in enumerate(CODES):
            later = CODES[number + 1 :]
            assert run(members, code, status=1 if later else 0).count("NEW") == len(later)
            for other in later:
                run(accept.replace("L04", other), code, status=0 if other == later[-1] else 1)
            doctor = machines.words(told_in("institution.md", "lianfang-client doctor"), code)
            looked = subprocess.run(
                [*doctor, "--json"], cwd=tmp_path, capture_output=True, text=True, check=False
            )
            assert looked.returncode in (0, 1), looked.stdout
        node = told_in("institution.md", "lianfang-client start")
        started = [stack.enter_context(machines.running(node, code)) for code in CODES]
        for process in started:
            ready(process)
        told = run(told_in("deployment.md", "lianfang-server run start") + " --json")
        status = json.loads(told)
        assert (status["state"], sorted(status["lenders"])) == ("finished", list(CODES))
        enrol = told_in("deployment.md", "lianfang-server authority enrol")
        run(enrol)
        run(enrol.replace("anna", "ben"))
        run(told_in("deployment.md", "lianfang-server model propose"))
        promote = told_in("deployment.md", "lianfang-server model promote")
        run(promote.replace("/home/ben", "/home/anna"), status=2)
        run(promote)
        assert "1" in run(told_in("deployment.md", "lianfang-server model list"))
    for code in CODES:
        book = pd.read_parquet(tmp_path / f"{code}.parquet").drop(columns="charged_off")
        book.to_csv(tmp_path / code / "applicants.csv", index=False)
        run(told_in("institution.md", "lianfang-client score"), code)
        assert len(pd.read_csv(tmp_path / code / "scored.csv")) == ROWS
        run(told_in("institution.md", "lianfang-client result"), code)
        run(told_in("institution.md", "lianfang-client outbox"), code)
