"""Time and memory of a whole federation in one process, up to two million rows.

    python tests/bench/scale.py                       0.1, 0.5, 1 and 2 million rows, 20 lenders
    python tests/bench/scale.py --rows 100000 500000  other points

Each point runs in a fresh process, so that its peak memory is its own; that process holds all
lenders and the coordinator. Writes bench-out/scale.json and bench-out/scale.png.

Goal: under 8 GB at two million rows, and time that grows no faster than the rows.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.machine import load_now, machine_line, today

HERE = Path(__file__).resolve()
REPOSITORY = HERE.parents[2]

POINTS = (100_000, 500_000, 1_000_000, 2_000_000)
LENDERS = 20
SEED = 0
GOAL_GB = 8.0
PARTS = (
    ("shared model", ("trees",), "s-"),
    ("lenders' own layers and evaluation", ("mixture", "evaluation"), "^-"),
    ("preparation", ("census", "refine", "bins"), "v-"),
)
"""Parts of a run as the plot shows them: name, stages, line."""
LINEAR_WITHIN = 1.1
"""Processor seconds per row at the largest point: at most this many times those at half."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure every point in its own process; write JSON and plot."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="+", default=list(POINTS), metavar="N")
    parser.add_argument("--lenders", type=int, default=LENDERS, metavar="N")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "bench-out", metavar="DIR")
    parser.add_argument("--point", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.point is not None:
        sys.stdout.write(json.dumps(measured(options.point, options.lenders)) + "\n")
        return 0
    options.out.mkdir(parents=True, exist_ok=True)
    load = load_now()
    points: list[dict[str, Any]] = []
    for rows in sorted(options.rows):
        points.append(_fresh_process(rows, options.lenders))
        print(_line(points[-1]), file=sys.stderr, flush=True)
        text = json.dumps(_document(points, load), indent=1, allow_nan=False)
        (options.out / "scale.json").write_text(text + "\n", encoding="utf-8")
    draw(points, options.out / "scale.png")
    sys.stdout.write(json.dumps(goal(points)) + "\n")
    return 0


def measured(rows: int, lenders: int) -> dict[str, Any]:
    """One point: seconds per phase and peak memory of this process."""
    import torch

    from server.coordinator.checkpoint import Checkpoints
    from server.coordinator.rounds import STAGES, read_agreement
    from shared.statistics import ranking
    from shared.training.run import Run
    from tests.bench.federation import conducted
    from tests.bench.synthetic import COLUMNS, write_federation

    torch.set_num_threads(1)
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="lianfang-scale-") as name:
        folder = Path(name)
        homes = write_federation(folder, rows, lenders, SEED)
        written, before = time.monotonic() - start, _peak_gb()
        processor = time.process_time()
        conducted(folder, homes)
        processor = time.process_time() - processor
        total = time.monotonic() - start - written
        run = Run(read_agreement(folder))
        _, records = Checkpoints(folder / STAGES).replay(run)
    phases: dict[str, float] = {}
    for record in records:
        phase = record.stage.split("/")[0]
        phases[phase] = round(phases.get(phase, 0.0) + record.seconds, 2)
    assert run.evaluation is not None, "a finished run is evaluated"
    return {
        "rows": rows,
        "columns": COLUMNS,
        "lenders": lenders,
        "rounds": sum(record.stage.startswith("trees/") for record in records),
        "seconds_writing": round(written, 2),
        "seconds": round(total, 2),
        "cpu_seconds": round(processor, 2),
        "seconds_by_phase": phases,
        "peak_gb_writing": before,
        "peak_gb": _peak_gb(),
        "auc_shared": ranking.auc(*run.evaluation.shared).value,
        "bytes_per_lender": round(sum(r.bytes_up + r.bytes_down for r in records) / lenders),
        "missing": [f"{record.stage}: {line}" for record in records for line in record.missing],
    }


def draw(points: Sequence[dict[str, Any]], path: Path) -> None:
    """Seconds by phase and peak memory over rows, each with a straight line to compare with."""
    import matplotlib as mpl
    import numpy as np

    mpl.use("Agg")
    from matplotlib import pyplot

    rows = np.array([point["rows"] for point in points]) / 1e6
    ends = np.array([0.0, rows.max()])
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    wall = np.array([point["seconds"] for point in points])
    seconds = np.array([point["cpu_seconds"] for point in points])
    left.plot(rows, wall, "o-", color="#1f5f8b", label="whole run")
    left.plot(rows, seconds, "D-", color="#d08020", label="whole run, processor time")
    for name, phases, style in PARTS:
        values = [sum(point["seconds_by_phase"].get(p, 0.0) for p in phases) for point in points]
        left.plot(rows, values, style, alpha=0.6, label=name)
    left.plot(
        ends,
        seconds[-1] / rows[-1] * ends,
        "--",
        color="grey",
        label="processor time, if proportional to rows",
    )
    left.set(ylabel="seconds", title="Time")
    memory = np.array([point["peak_gb"] for point in points])
    right.plot(rows, memory, "o-", color="#1f5f8b", label="peak memory, all lenders together")
    if len(rows) > 1:
        slope, base = np.polyfit(rows, memory, 1)
        label = f"{base:.1f} GB + {slope:.1f} GB per million rows"
        right.plot(ends, base + slope * ends, "--", color="grey", label=label)
    right.axhline(GOAL_GB, color="#b03030", linewidth=1, label=f"goal: under {GOAL_GB:g} GB")
    right.set(ylabel="GB", title="Memory")
    for axes in (left, right):
        axes.set(xlabel="million rows", xlim=(0, None), ylim=(0, None))
        axes.grid(alpha=0.3)
        axes.legend(frameon=False, fontsize=8)
    lost = [at for at, point in enumerate(points) if point["missing"]]
    if lost:
        ring = {"markersize": 14, "markerfacecolor": "none", "color": "#b03030"}
        for axes, series in ((left, wall), (right, memory)):
            axes.plot(rows[lost], series[lost], "o", label="lost answers: not complete", **ring)
            axes.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def goal(points: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Whether the goal was met at the largest point; linearity needs a point of half its rows.

    Linearity is judged by processor time, which other work on the machine moves little. A run that
    lost a lender's answer did less work than was asked, so it meets nothing.
    """
    largest = points[-1]
    half = [point for point in points if 2 * point["rows"] == largest["rows"]]
    growth = largest["cpu_seconds"] / (2 * half[0]["cpu_seconds"]) if half else None
    complete = not any(point["missing"] for point in (largest, *half))
    return {
        "rows": largest["rows"],
        "peak_gb": largest["peak_gb"],
        "goal_gb": GOAL_GB,
        "complete": complete,
        "memory_met": complete and largest["peak_gb"] < GOAL_GB,
        "time_per_row_against_half": None if growth is None else round(growth, 3),
        "goal_time_per_row_against_half": LINEAR_WITHIN,
        "time_met": None if growth is None else complete and growth <= LINEAR_WITHIN,
    }


def _document(points: Sequence[dict[str, Any]], load: float) -> dict[str, Any]:
    return {
        "machine": machine_line(),
        "date": today(),
        "load_before": load,
        "sums": "secure",
        "points": list(points),
        "goal": goal(points),
    }


def _fresh_process(rows: int, lenders: int) -> dict[str, Any]:
    command = [sys.executable, str(HERE), "--point", str(rows), "--lenders", str(lenders)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    point: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return point


def _peak_gb() -> float:
    """Peak resident memory of this process and of any it started, GB (10**9 bytes)."""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return round(sum(resource.getrusage(one).ru_maxrss for one in who) * 1024 / 1e9, 3)


def _line(point: dict[str, Any]) -> str:
    lost = f"  MISSING ANSWERS: {len(point['missing'])}" if point["missing"] else ""
    phases = ", ".join(f"{name} {value:.0f}" for name, value in point["seconds_by_phase"].items())
    return (
        f"{point['rows']:>9,} rows  {point['seconds']:.0f} s ({phases})  "
        f"{point['peak_gb']:.2f} GB{lost}"
    )


if __name__ == "__main__":
    raise SystemExit(main())
