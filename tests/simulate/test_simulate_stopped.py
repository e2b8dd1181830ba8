"""A simulation that is killed or stopped goes on with --resume to the same result."""

import signal
import subprocess
import sys
import time
from typing import Any

import pytest
from researcher import NO_EXTRAS, Desk, timeless

from tests.datasets import REPOSITORY

OFTEN = 0.05
pytestmark = pytest.mark.usefixtures("undrawn")


def _started(desk: Desk, *arguments: str) -> subprocess.Popen[bytes]:
    """As from a terminal: also where the tests themselves were started to ignore Ctrl-C."""
    command = [sys.executable, str(REPOSITORY / "simulate.py"), "--config", str(desk.config)]
    return subprocess.Popen(
        [*command, "--out", str(desk.out), *NO_EXTRAS, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def _stages(desk: Desk) -> list[str]:
    return sorted(path.name for path in (desk.out / "run" / "stages").glob("*.stage"))


def _same_but_for_traffic(desk: Desk, undisturbed: dict[str, Any]) -> None:
    """The resumed run's report is the undisturbed one's, but that some was sent again."""
    resumed, whole = timeless(desk.report("--resume")), timeless(undisturbed)
    for report in (resumed, whole):
        report.pop("bytes_per_lender")
        report.pop("traffic")
    assert resumed == whole


@pytest.mark.parametrize(
    ("stage", "released"), [("set-up/shares", 0), ("trees/1", 4), ("trees/1/unmask", 4)]
)
def test_a_killed_simulation_goes_on_where_it_was(
    stage: str, released: int, desk: Desk, undisturbed: dict[str, Any]
):
    """The fifth stage is trees/1, after census, refine, bins and trees/0."""
    process = _started(desk, "--fault", f"kill coordinator {stage}")
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    assert _stages(desk) == [f"{i:05d}.stage" for i in range(released)]
    _same_but_for_traffic(desk, undisturbed)


def test_ctrl_c_leaves_a_run_that_goes_on_and_says_how(desk: Desk, undisturbed: dict[str, Any]):
    process = _started(desk, "--fault", "slow L01 trees/1 600")
    patience = time.monotonic() + 120
    while len(_stages(desk)) < 4 and process.poll() is None and time.monotonic() < patience:
        time.sleep(OFTEN)
    time.sleep(0.5)  # the fifth stage is being asked
    process.send_signal(signal.SIGINT)
    out, told = process.communicate(timeout=60)
    assert process.returncode == 130, told.decode()
    assert out == b""
    assert f"--resume --out {desk.out}" in " ".join(told.decode().split())
    assert b"Traceback" not in told
    assert len(_stages(desk)) == 4
    _same_but_for_traffic(desk, undisturbed)
