"""What the secure sum adds to the time of the demo: the whole command, with and without it."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Seconds:
    """Of one demo: by the clock on the wall, and of all processors together."""

    wall: float
    cpu: float


def demo_overhead(pairs: int) -> dict[str, Any]:
    """Secure over plain, less 1: `overhead` in wall time, `cpu_overhead` in processor time; medians
    of `pairs` runs each, and all of them.

    Runs take turns, and who begins changes from pair to pair, so that a machine that becomes
    slower or faster favours nobody.
    """
    runs: dict[str, list[Seconds]] = {"secure": [], "plain": []}
    for pair in range(pairs):
        for kind in ("secure", "plain") if pair % 2 else ("plain", "secure"):
            took = _demo(kind)
            runs[kind].append(took)
            print(f"demo, {kind}: {took.wall:.1f} s", file=sys.stderr, flush=True)
    wall = {kind: [one.wall for one in taken] for kind, taken in runs.items()}
    cpu = {kind: [one.cpu for one in taken] for kind, taken in runs.items()}
    return {
        "overhead": median(wall["secure"]) / median(wall["plain"]) - 1,
        "cpu_overhead": median(cpu["secure"]) / median(cpu["plain"]) - 1,
        "wall_seconds": wall,
        "cpu_seconds": cpu,
    }


def _demo(kind: str) -> Seconds:
    with tempfile.TemporaryDirectory(prefix="lianfang-demo-") as folder:
        command = [sys.executable, "simulate.py", "--out", str(Path(folder) / "demo")]
        if kind == "plain":
            command.append("--plain")
        start, before = time.monotonic(), _children_cpu()
        done = subprocess.run(
            command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        took = Seconds(time.monotonic() - start, _children_cpu() - before)
        if done.returncode != 0:
            raise RuntimeError(f"the demo failed ({done.returncode}):\n{done.stderr[-2000:]}")
        return took


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
