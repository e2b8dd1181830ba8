"""What one week's bulletin costs a case desk, in processor seconds by part.

    python tests/bench/case_desk.py                    300,000 people: two and a half million edges
    python tests/bench/case_desk.py --people 15000     any other number

Edges are those of the simulation's made-up consortium of 12 lenders over 26 weeks, sent in pages as
lenders make them. `week` is `Graph.with_week` on a held graph of all weeks but the last: what the
desk would do instead of `detect`, if anything were to be gained; `analysed` is the share of people
whom it analyses again. The last line of the output is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from tests.bench.machine import load_now, machine_line, today

if TYPE_CHECKING:
    from server.cases.collected import Collected
    from server.simulation.rings.lenders import View

Result = TypeVar("Result")
PAGE_ROWS = 512


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print a line of JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=int, default=300_000, metavar="N")
    found = measured(parser.parse_args(arguments).people)
    named = {"machine": machine_line(), "date": today(), "load": load_now()}
    sys.stdout.write(json.dumps(named | found) + "\n")
    return 0


def measured(people: int) -> dict[str, Any]:
    """Processor seconds of each part of a bulletin over all weeks."""
    from server.cases.collected import collected
    from server.cases.findings import findings
    from server.simulation.rings.lenders import together
    from server.simulation.rings.scenario import Planted, made_up
    from shared.cases.pages import EdgePage
    from shared.rings.detect import detect
    from shared.secure_sum.encoding import read_text

    scenario = made_up(12, people, Planted(people // 450, people // 90), seed=0)
    view, listed = together(scenario.traffic), np.array(sorted(scenario.truth.listed))
    texts = [*_pages(view, listed)]
    pages, read = _timed(lambda: [(by, read_text(EdgePage, text)) for by, text in texts])
    graph, collect = _timed(lambda: collected(pages))
    seeds, last = np.flatnonzero(graph.listed).tolist(), int(graph.edges.week.max())
    detection, found = _timed(
        lambda: detect(graph.edges, week=last, seeds=seeds, sources=graph.sources)
    )
    told, tell = _timed(lambda: findings(graph, detection, {}, os.urandom))
    parts = {"read": read, "collect": collect, "detect": found, "tell": tell}
    return {
        "people": people,
        "edges": len(graph.edges),
        "pages": len(pages),
        "rings": len(told.rings),
        "parts_cpu_s": parts,
        "bulletin_cpu_s": round(sum(parts.values()), 1),
        **_one_more_week(graph, last),
    }


def _one_more_week(graph: Collected, last: int) -> dict[str, float]:
    import shared.rings.graph as module

    late = graph.edges.week == last
    held = module.Graph.of(graph.edges.take(~late), sources=graph.sources[~late])
    analyse, seen = module.analyse, [0]

    def counted(edges: Any, which: Any, *more: Any) -> Any:
        seen[0] = len(which)
        return analyse(edges, which, *more)

    module.analyse = counted
    try:
        _, week = _timed(lambda: held.with_week(graph.edges.take(late), graph.sources[late]))
    finally:
        module.analyse = analyse
    return {"week_cpu_s": week, "analysed": round(seen[0] / len(graph.subjects), 4)}


def _pages(view: View, listed: np.ndarray) -> Iterator[tuple[str, bytes]]:
    """Lender and text of each page, only as many as have an edge."""
    from shared.cases.pages import EdgeRows, edge_pages
    from shared.secure_sum.encoding import text_of
    from tests.case_lenders import CASE, member

    draw, edges = np.random.default_rng(0), view.edges
    people, things = (
        draw.integers(0, 256, (int(one.max()) + 1, 32), dtype=np.uint8)
        for one in (edges.subject, edges.attribute)
    )
    marked = np.isin(edges.subject, listed)
    for lender in np.unique(view.sources).tolist():
        code = f"L{lender + 1:02}"
        identity = member(code)
        for week in range(int(edges.week.max()) + 1):
            at = np.flatnonzero((view.sources == lender) & (edges.week == week))
            case = replace(CASE, edge_pages=max(1, -(-len(at) // PAGE_ROWS)))
            rows = EdgeRows(
                people[edges.subject[at]],
                things[edges.attribute[at]],
                edges.kind[at],
                edges.week[at],
                edges.band[at],
                marked[at],
            )
            for page in edge_pages(case, week, rows, identity, draw.bytes, bytes([lender]) * 32):
                yield code, text_of(page)


def _timed(work: Callable[[], Result]) -> tuple[Result, float]:
    start = time.process_time()
    result = work()
    return result, round(time.process_time() - start, 2)


if __name__ == "__main__":
    sys.exit(main())
