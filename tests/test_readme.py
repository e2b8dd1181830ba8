"""The README's commands do what it says, in its order, on a fresh folder."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import client.cli
import server.cli
import simulate
from client.desk import close_all
from tests.pictures import undrawn  # noqa: F401

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
MAKE_RUNS = {"make demo": "simulate.py", "make test": "pytest"}
DEMO = ".venv/bin/python simulate.py"
PROGRAMS: dict[str, Callable[[Sequence[str]], int]] = {
    DEMO: simulate.main,
    ".venv/bin/lianfang-client": client.cli.main,
    ".venv/bin/lianfang-server": server.cli.main,
}


def commands() -> list[str]:
    """Every line of the README's console blocks; for `make demo` the command that it runs."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```console\n(.*?)```", text, flags=re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line]
    return [DEMO if line == "make demo" else line for line in lines if line != "make test"]


def of_the_demo(command: str) -> bool:
    """Whether a command makes the demo's run, looks at one, or needs none."""
    return command == DEMO or not command.startswith(DEMO)


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what a clone has, so that nothing is written into the real one; work there."""
    for name in ("simulate.py", "configs", "data", "Makefile"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_alone(command: str, folder: Path) -> None:
    """In a process of its own."""
    words = [word.replace(".venv/bin/", f"{BIN}/") for word in shlex.split(command)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, timeout=400
    )
    assert done.returncode == 0, f"{command}\n{done.stderr[-3000:]}"


def run_here(command: str, capture: pytest.CaptureFixture[str]) -> None:
    """In this process, whose libraries are there already."""
    program = next(name for name in PROGRAMS if command.startswith(f"{name} "))
    status = PROGRAMS[program](shlex.split(command.removeprefix(program)))
    close_all()
    assert status == 0, f"{command}\n{capture.readouterr().err[-3000:]}"


@pytest.mark.parametrize("target", MAKE_RUNS)
def test_what_make_is_to_run_is_what_the_readme_says(target: str) -> None:
    """`make demo` stands for the command it runs, since the environment exists already."""
    planned = subprocess.run(
        ["make", "-n", target.split()[1]], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert MAKE_RUNS[target] in planned.stdout


@pytest.mark.slow
def test_the_demo_keeps_its_promise_and_every_command_that_follows_it_succeeds(
    clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each program runs once in a process of its own."""
    alone = set(PROGRAMS)
    for command in filter(of_the_demo, commands()):
        program = next(name for name in PROGRAMS if command.startswith(name))
        if program in alone:
            alone.remove(program)
            run_alone(command, clone)
        else:
            run_here(command, capsys)
    assert alone == set()
    demo = json.loads((clone / "out/demo/report.json").read_text(encoding="utf-8"))
    assert demo["insecure"] is False
    pooled = demo["pooled"]
    assert pooled["auc_personal"] >= pooled["auc_lightgbm"]
    assert pooled["auc_shared"] >= pooled["auc_fedavg_mlp"] + 0.05
    gains = [lender["gain"] for lender in demo["lenders"]]
    assert len(gains) == 12
    assert sum(gains) / 12 >= 0.012
    scored = (clone / "out/scored.csv").read_text(encoding="utf-8-sig").splitlines()
    assert scored[0] == "row_key,pd,score,tier,reason_1,reason_2,reason_3"
    assert len(scored) == 1 + demo["data"]["rows"]


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_every_other_simulation_of_the_readme_succeeds(
    clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their pages have no pictures here: those of the demo are drawn above, a sweep's and those of
    each family in tests/simulate.
    """
    others = [command for command in commands() if not of_the_demo(command)]
    assert others
    for command in others:
        run_here(command, capsys)
    plain = json.loads((clone / "out/plain/report.json").read_text(encoding="utf-8"))
    assert plain["insecure"] is True


def test_every_path_the_readme_links_to_exists() -> None:
    """A link that leads nowhere is worse than none."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
