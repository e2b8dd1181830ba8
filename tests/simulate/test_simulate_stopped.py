"""A simulation that is killed or stopped goes on with --resume to the same result."""

import signal
import subprocess
import sys
import time

import pytest
from researcher import NO_EXTRAS, Desk, timeless

from tests.datasets import REPOSITORY

OFTEN = 0.05


def _started(desk: Desk, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(REPOSITORY / "simulate.py"), "--config", str(desk.config)]
    return subprocess.Popen(
        [*command, "--out", str(desk.out), *NO_EXTRAS, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def _stages(desk: Desk) -> list[str]:
    return sorted(path.name for path in (desk.out / "run" / "stages").glob("*.stage"))


def _same_but_for_traffic(desk: Desk) -> None:
    """The resumed run's report is the undisturbed one's, but that some was sent again."""
    resumed = timeless(desk.report("--resume"))
    undisturbed = timeless(desk.report(*NO_EXTRAS, out=desk.folder / "undisturbed"))
    for report in (resumed, undisturbed):
        report.pop("bytes_per_lender")
        report.pop("traffic")
    assert resumed == undisturbed


@pytest.mark.parametrize(
    ("stage", "released"), [("set-up/shares", 0), ("trees/1", 4), ("trees/1/unmask", 4)]
)
def test_a_killed_simulation_goes_on_where_it_was(stage: str, released: int, desk: Desk):
    """The fifth stage is trees/1, after census, refine, bins and trees/0."""
    process = _started(desk, "--fault", f"kill coordinator {stage}")
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    assert _stages(desk) == [f"{i:05d}.stage" for i in range(released)]
    _same_but_for_traffic(desk)


def test_ctrl_c_leaves_a_run_that_goes_on_and_says_how(desk: Desk):
    process = _started(desk, "--fault", "slow L01 trees/1 600")
    patience = time.monotonic() + 120
    while len(_stages(desk)) < 4 and process.poll() is None and time.monotonic() < patience:
        time.sleep(OFTEN)
    time.sleep(0.5)  # the fifth stage is being asked
    process.send_signal(signal.SIGINT)
    try:
        out, told = process.communicate(timeout=30)
    except subprocess.TimeoutExpired:  # a signal that Python dropped: a person presses again
        process.send_signal(signal.SIGINT)
        out, told = process.communicate(timeout=60)
    assert process.returncode == 130, told.decode()
    assert out == b""
    assert f"--resume --out {desk.out}" in " ".join(told.decode().split())
    assert b"Traceback" not in told
    assert len(_stages(desk)) == 4
    _same_but_for_traffic(desk)
