"""Detection of fraud rings in parts over Ray, beside the one process of `shared/rings`.

    python tests/bench/rings_ray.py                   5 million edges in 8 parts on this machine
    python tests/bench/rings_ray.py --edges 30000 --parts 4 --cores 2
    python tests/bench/rings_ray.py --address auto    on the Ray cluster that this machine is in

Edges are those of `tests/bench/rings.py`. Writes bench-out/rings_ray.json; the last line of the
output is JSON: `same` says whether rings, members, scores, reasons and edges are the same, to the
last figure. It exits with 1 where they are not.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.machine import load_now, machine_line, today
from tests.bench.process_tree import descendants
from tests.bench.rings import consortium

REPOSITORY = Path(__file__).resolve().parents[2]
_TICKS = 100


def main(arguments: Sequence[str] | None = None) -> int:
    """Detect twice, compare, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--edges", type=int, default=5_000_000, metavar="N")
    parser.add_argument("--parts", type=int, default=8, metavar="N")
    parser.add_argument("--cores", type=int, metavar="N", help="of this machine; all unless given")
    parser.add_argument("--address", default="", help="of a Ray cluster, or auto")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "bench-out", metavar="DIR")
    options = parser.parse_args(arguments)
    load = load_now()
    found = measured(options.edges, options.parts, options.cores, options.address)
    options.out.mkdir(parents=True, exist_ok=True)
    document = {"machine": machine_line(), "date": today(), "load_before": load} | found
    (options.out / "rings_ray.json").write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    sys.stdout.write(json.dumps(found) + "\n")
    return 0 if found["same"] else 1


def measured(edges: int, parts: int, cores: int | None, address: str) -> dict[str, Any]:
    """Both detections over the same edges."""
    from server.large_rings.detect import dealt_out, detect_in_parts
    from server.large_rings.engine import workers
    from server.simulation.rings.lenders import together
    from shared.rings.detect import detect

    scenario = consortium(edges)
    view, seeds = together(scenario.traffic), scenario.truth.listed
    last, made = int(view.edges.week.max()), _own_peak_mb()
    start, wall = time.process_time(), time.perf_counter()
    alone = detect(view.edges, week=last, seeds=seeds, sources=view.sources)
    alone_cpu, alone_s = time.process_time() - start, time.perf_counter() - wall
    peak = _own_peak_mb()
    with workers(address, cores) as engine:
        pieces = [engine.kept(one) for one in dealt_out(view.edges, parts, view.sources)]
        start, wall = time.process_time(), time.perf_counter()
        found = detect_in_parts(engine, pieces, week=last, seeds=seeds)
        own_cpu, ray_s = time.process_time() - start, time.perf_counter() - wall
        cpu, most = _workers()
    return {
        "edges": len(view.edges),
        "parts": parts,
        "rings": len(alone.rings),
        "same": bool(found.rings == alone.rings and found.attached == alone.attached),
        "alone_s": round(alone_s, 1),
        "alone_cpu_s": round(alone_cpu, 1),
        "alone_peak_mb": peak,
        "made_peak_mb": made,
        "ray_s": round(ray_s, 1),
        "ray_cpu_s": round(own_cpu + cpu, 1),
        "ray_worker_peak_mb": most,
    }


def _workers() -> tuple[float, int]:
    """Processor seconds and the largest memory of Ray's workers on this machine."""
    import os

    seconds, most = 0.0, 0
    for number in descendants(os.getpid()):
        place = Path("/proc") / str(number)
        with suppress(OSError, ValueError, IndexError):
            name, _, rest = (place / "stat").read_text().rpartition(")")
            status = dict(
                line.split(":", 1) for line in (place / "status").read_text().splitlines()
            )
            if "ray::" not in name and "python" not in name:
                continue
            times = rest.split()
            seconds += (int(times[11]) + int(times[12])) / _TICKS
            most = max(most, int(status["VmHWM"].split()[0]) // 1024)
    return seconds, most


def _own_peak_mb() -> int:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    sys.exit(main())
