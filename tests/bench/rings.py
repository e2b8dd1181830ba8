"""Time and memory of the detection of fraud rings, up to a million people.

    python tests/bench/rings.py                         0.1, 0.3, 1, 2.5, 5 and 7 million edges
    python tests/bench/rings.py --edges 100000 300000   other points

Edges are those of the simulation's made-up consortium of 12 lenders, grown in people. Each point
runs in a fresh process, so that its peak memory is its own; making the people is not counted in the
time but in the memory. Writes bench-out/rings.json, and a plot: docs/bench-rings.svg for the usual
points, beside the JSON for others. The last line of the output is JSON: `edges_5m_*` are of the
smallest point with five million edges, `people_1m_*` of the smallest with a million people, null
where none was measured. Time is processor time: other work on the machine moves it little.

Goal: a few minutes and a few GB at a million people, and time that grows as the edges do.
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
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.machine import load_now, machine_line, today

if TYPE_CHECKING:
    from server.simulation.rings.scenario import Scenario

HERE = Path(__file__).resolve()
REPOSITORY = HERE.parents[2]
DOCS = REPOSITORY / "docs"
POINTS = (100_000, 300_000, 1_000_000, 2_500_000, 5_000_000, 8_480_000)
"""Edges that are aimed at; about so many come out, of a million people in the last."""
_EDGES_PER_PERSON = 8.48
_PEOPLE_PER_RING = 450


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure every point in its own process; write JSON and plot."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--edges", type=int, nargs="+", default=list(POINTS), metavar="N")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "bench-out", metavar="DIR")
    parser.add_argument("--plot", type=Path, metavar="DIR", help="docs for the usual points, --out")
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
    usual = sorted(options.edges) == list(POINTS)
    draw(points, (options.plot or (DOCS if usual else options.out)) / "bench-rings.svg")
    sys.stdout.write(json.dumps(summary(points)) + "\n")
    return 0


def consortium(edges: int) -> Scenario:
    """Twelve made-up lenders whose people have about so many edges."""
    from server.simulation.rings.scenario import Planted, made_up

    people = round(edges / _EDGES_PER_PERSON)
    return made_up(12, people, Planted(people // _PEOPLE_PER_RING, people // 90), seed=0)


def measured(edges: int) -> dict[str, Any]:
    """One point: processor seconds of one detection from scratch and of one more week."""
    from server.simulation.rings.lenders import together
    from shared.rings.detect import detect
    from shared.rings.graph import Graph

    scenario = consortium(edges)
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
    """Time and memory at five million edges and a million people, if measured, and the slope of
    log time over log edges. `points` ascend.
    """
    import numpy as np

    slope = None
    if len(points) > 1:
        edges, cpu = ([point[name] for point in points] for name in ("edges", "cpu_s"))
        slope = round(float(np.polyfit(np.log(edges), np.log(cpu), 1)[0]), 3)
    many = _first(points, "edges", 5_000_000)
    crowd = _first([one for one in points if one["edges"] >= 5_000_000], "people", 1_000_000)
    return {
        "edges": points[-1]["edges"],
        "people": points[-1]["people"],
        "edges_5m_s": many["cpu_s"],
        "edges_5m_peak_mb": many["peak_mb"],
        "people_1m_edges": crowd["edges"],
        "people_1m_s": crowd["cpu_s"],
        "people_1m_peak_mb": crowd["peak_mb"],
        "growth_exponent": slope,
    }


def _first(points: Sequence[dict[str, Any]], name: str, least: int) -> dict[str, Any]:
    """The first point of at least so many; nothing for every figure where there is none."""
    nothing = dict.fromkeys(("edges", "cpu_s", "peak_mb"))
    return next((point for point in points if point[name] >= least), nothing)


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
