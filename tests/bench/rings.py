"""Time and memory of the detection of fraud rings, up to five million edges.

    python tests/bench/rings.py                         0.1, 0.3, 1, 2.5 and 5 million edges
    python tests/bench/rings.py --edges 100000 300000   other points

Edges are those of the simulation's made-up consortium of 12 lenders, grown in people. Each point
runs in a fresh process, so that its peak memory is its own; making the people is not counted in the
time but in the memory. Writes bench-out/rings.json and docs/bench-rings.svg; the last line of the
output is JSON. Time is processor time: other work on the machine moves it little.

Goal: a few minutes and a few GB at five million edges, and time that grows as the edges do.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.machine import load_now, machine_line, today

HERE = Path(__file__).resolve()
REPOSITORY = HERE.parents[2]
POINTS = (100_000, 300_000, 1_000_000, 2_500_000, 5_000_000)
_EDGES_PER_PERSON = 6.85
_PEOPLE_PER_RING = 450


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure every point in its own process; write JSON and plot."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--edges", type=int, nargs="+", default=list(POINTS), metavar="N")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "bench-out", metavar="DIR")
    parser.add_argument("--plot", type=Path, default=REPOSITORY / "docs", metavar="DIR")
    parser.add_argument("--point", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.point is not None:
        sys.stdout.write(json.dumps(measured(options.point)) + "\n")
        return 0
    options.out.mkdir(parents=True, exist_ok=True)
    load, points = load_now(), []
    for edges in sorted(options.edges):
        points.append(_fresh_process(edges))
        print(points[-1], file=sys.stderr, flush=True)
    document = {"machine": machine_line(), "date": today(), "load_before": load, "points": points}
    (options.out / "rings.json").write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    draw(points, options.plot / "bench-rings.svg")
    sys.stdout.write(json.dumps(summary(points)) + "\n")
    return 0


def measured(edges: int) -> dict[str, Any]:
    """One point: processor seconds of one detection from scratch and of one more week."""
    from server.simulation.rings.lenders import together
    from server.simulation.rings.scenario import Planted, made_up
    from shared.rings.detect import detect
    from shared.rings.graph import Graph

    people = round(edges / _EDGES_PER_PERSON)
    planted = Planted(people // _PEOPLE_PER_RING, people // 90)
    scenario = made_up(12, people, planted, seed=0)
    view = together(scenario.traffic)
    everything, sources = view.edges, view.sources
    last = int(everything.week.max())
    made = _peak_mb()
    start = time.process_time()
    found = detect(everything, week=last, seeds=scenario.truth.listed, sources=sources)
    whole = time.process_time() - start
    early, late = everything.week < last, everything.week == last
    graph = Graph.of(everything.take(early), sources=sources[early])
    start = time.process_time()
    graph.with_week(everything.take(late), sources[late])
    return {
        "edges": len(everything),
        "people": scenario.traffic.subjects,
        "rings": len(found.rings),
        "cpu_s": round(whole, 2),
        "week_cpu_s": round(time.process_time() - start, 2),
        "peak_mb_made": made,
        "peak_mb": _peak_mb(),
    }


def summary(points: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Time and memory of the largest point, and the slope of log time over log edges."""
    import numpy as np

    largest = points[-1]
    slope = None
    if len(points) > 1:
        edges, cpu = ([point[name] for point in points] for name in ("edges", "cpu_s"))
        slope = round(float(np.polyfit(np.log(edges), np.log(cpu), 1)[0]), 3)
    return {
        "edges": largest["edges"],
        "edges_5m_s": largest["cpu_s"],
        "edges_5m_peak_mb": largest["peak_mb"],
        "growth_exponent": slope,
    }


def draw(points: Sequence[dict[str, Any]], path: Path) -> None:
    """Processor seconds and peak memory over edges, both axes logarithmic."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "rings"
    from matplotlib import pyplot

    edges = [point["edges"] for point in points]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
    left.loglog(edges, [point["cpu_s"] for point in points], "o-", label="from scratch")
    left.loglog(edges, [point["week_cpu_s"] for point in points], "s--", label="one more week")
    left.set(ylabel="processor seconds", xlabel="edges")
    left.legend(frameon=False)
    right.loglog(edges, [point["peak_mb"] for point in points], "o-")
    right.set(ylabel="peak MB (making the people included)", xlabel="edges")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def _fresh_process(edges: int) -> dict[str, Any]:
    command = [sys.executable, str(HERE), "--point", str(edges)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _peak_mb() -> int:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    sys.exit(main())
