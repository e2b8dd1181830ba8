"""The README's commands do what it says, in its order, on a fresh folder."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
MAKE_RUNS = {"make demo": "simulate.py", "make test": "pytest"}


def commands() -> list[str]:
    """Every line of the README's console blocks."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```console\n(.*?)```", text, flags=re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what a clone has, so that nothing is written into the real one."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("simulate.py", "configs", "data", "Makefile"):
        (folder / name).symlink_to(ROOT / name)
    return folder


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    words = [word.replace(".venv/bin/", f"{BIN}/") for word in shlex.split(command)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, timeout=400
    )


@pytest.mark.slow
def test_every_command_of_the_readme_succeeds_and_the_demo_keeps_its_promise(clone: Path) -> None:
    """`make demo` stands for the command it runs, since the environment exists already."""
    for command in commands():
        if command in MAKE_RUNS:
            planned = run(f"make -n {command.split()[1]}", ROOT).stdout
            assert MAKE_RUNS[command] in planned
            command = ".venv/bin/python simulate.py"
            if (clone / "out/demo/report.json").exists():
                continue
        done = run(command, clone)
        assert done.returncode == 0, f"{command}\n{done.stderr[-3000:]}"
    demo = json.loads((clone / "out/demo/report.json").read_text(encoding="utf-8"))
    assert demo["insecure"] is False
    plain = json.loads((clone / "out/plain/report.json").read_text(encoding="utf-8"))
    assert plain["insecure"] is True
    pooled = demo["pooled"]
    assert pooled["auc_personal"] >= pooled["auc_lightgbm"]
    assert pooled["auc_shared"] >= pooled["auc_fedavg_mlp"] + 0.05
    gains = [lender["gain"] for lender in demo["lenders"]]
    assert len(gains) == 12
    assert sum(gains) / 12 >= 0.012
    scored = (clone / "out/scored.csv").read_text(encoding="utf-8-sig").splitlines()
    assert scored[0] == "row_key,pd,score,tier,reason_1,reason_2,reason_3"
    assert len(scored) == 1 + demo["data"]["rows"]


def test_every_path_the_readme_links_to_exists() -> None:
    """A link that leads nowhere is worse than none."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
