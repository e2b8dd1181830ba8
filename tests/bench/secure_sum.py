"""Our secure sum against Flower's SecAgg+ and a plain sum, in one run.

    python tests/bench/secure_sum.py                 all of it
    python tests/bench/secure_sum.py --skip-demo     not the demo, which wants a quiet machine
    python tests/bench/secure_sum.py --skip-large    not the sums of 500 lenders

One million weights, 5, 10 and 50 lenders, nobody absent. Processor time on one core, median over
lenders and rounds. Writes bench-out/secure_sum.json; the last line of output is one JSON line with
SecAgg+ over ours (above 1: ours is faster or smaller) and what the secure sum adds to the demo.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.machine import load_now, machine_line, today
from tests.bench.markdown import table
from tests.bench.secure_sum_costs import Costs, one_core
from tests.bench.secure_sum_demo import demo_overhead
from tests.bench.secure_sum_flower import FlowerRounds
from tests.bench.secure_sum_large import POINTS, fresh_process
from tests.bench.secure_sum_ours import OurRounds, plain_round

REPOSITORY = Path(__file__).resolve().parents[2]
LENDERS = (5, 10, 50)
LENGTH = 1_000_000
MEASUREMENTS = 30
"""At least that many masked inputs of each side are measured, in two rounds or more."""
RATIOS = {"mask": "mask_ratio", "share": "share_ratio", "unmask": "unmask_ratio"}
STEPS = {
    "set_up": "lender: whole set-up",
    "share": "lender: keys and shares, a round",
    "mask": "lender: mask, with rounding",
    "answer": "lender: answer",
    "collect": "coordinator: add up uploads",
    "unmask": "coordinator: unmask",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the tables and the JSON line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lenders", type=int, nargs="+", default=list(LENDERS), metavar="N")
    parser.add_argument("--length", type=int, default=LENGTH, metavar="N")
    parser.add_argument("--pairs", type=int, default=3, help="pairs of demo runs (default 3)")
    parser.add_argument("--skip-demo", action="store_true")
    parser.add_argument("--skip-large", action="store_true")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "bench-out", metavar="DIR")
    options = parser.parse_args(arguments)
    document: dict[str, Any] = {"machine": machine_line(), "date": today(), "load": load_now()}
    document["points"] = []
    for lenders in options.lenders:
        with one_core():
            document["points"].append(compared(lenders, options.length))
        print(point_table(document["points"][-1]), flush=True)
    if not options.skip_large:
        document["large"] = [large(lenders, length) for lenders, length in POINTS]
        print(large_table(document["large"]), flush=True)
    if not options.skip_demo:
        document["demo"] = demo_overhead(options.pairs)
        print(demo_line(document["demo"]), flush=True)
    options.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(document, indent=1, allow_nan=False)
    (options.out / "secure_sum.json").write_text(text + "\n", encoding="utf-8")
    print(json.dumps(summary(document)))
    return 0


def compared(lenders: int, length: int) -> dict[str, Any]:
    """Rounds of all three sums in turn."""
    ours, flower, plain = OurRounds(lenders, length), FlowerRounds(lenders, length), Costs()
    for _ in range(max(2, -(-MEASUREMENTS // lenders))):
        ours.round()
        flower.round()
        plain_round(lenders, length, plain)
    sides = {"ours": ours.costs, "secaggplus": flower.costs, "plain": plain}
    medians = {name: costs.medians() for name, costs in sides.items()}
    return {"lenders": lenders, "length": length, "slots": ours.slots, **medians}


def large(lenders: int, length: int) -> dict[str, Any]:
    """A large sum, each side in its own process."""
    sides = {side: fresh_process(side, lenders, length) for side in ("lender", "coordinator")}
    return {"lenders": lenders, "length": length, **sides}


def summary(document: dict[str, Any]) -> dict[str, Any]:
    """SecAgg+ over ours by number of lenders; the demo's overhead, null when not measured."""
    found: dict[str, Any] = {}
    for point in document["points"]:
        ours, peer = point["ours"], point["secaggplus"]
        ratios = {name: peer[step] / ours[step] for step, name in RATIOS.items()}
        ratios["bytes_ratio"] = peer["upload"] / ours["upload"]
        found[f"n{point['lenders']}"] = {name: round(ratio, 2) for name, ratio in ratios.items()}
    overhead = document.get("demo", {}).get("overhead")
    return found | {"demo_overhead": None if overhead is None else round(overhead, 3)}


def point_table(point: dict[str, Any]) -> str:
    """Processor milliseconds and bytes of one number of lenders."""
    ours, peer, plain = point["ours"], point["secaggplus"], point["plain"]
    rows = []
    for step, words in STEPS.items():
        over_ours = f"{peer[step] / ours[step]:.1f}" if peer[step] and ours[step] else "–"
        over_plain = f"{ours[step] / plain[step]:.1f}" if ours[step] and plain[step] else "–"
        times = [f"{side[step]:.2f}" if side[step] else "–" for side in (ours, peer, plain)]
        rows.append([words, *times, over_ours, over_plain])
    sizes = [f"{side['upload'] / 1e6:.2f} MB" for side in (ours, peer, plain)]
    bytes_ = (peer["upload"] / ours["upload"], ours["upload"] / plain["upload"])
    rows.append(["one upload", *sizes, *(f"{ratio:.1f}" for ratio in bytes_)])
    title = f"{point['lenders']} lenders, {point['length']:,} numbers; set-up of {point['slots']}"
    head = [f"CPU ms ({title} rounds)", "ours", "SecAgg+", "plain"]
    head += ["SecAgg+ / ours", "ours / plain"]
    return table(head, rows) + "\n"


def large_table(points: Sequence[dict[str, Any]]) -> str:
    """Time and memory of the large sums."""
    rows = []
    for point in points:
        lender, coordinator = point["lender"], point["coordinator"]
        rows.append(
            [
                f"{point['lenders']} x {point['length']:,}",
                *(f"{lender[name]:,.0f}" for name in ("set_up_ms", "mask_ms", "peak_mb")),
                *(f"{coordinator[name]:,.0f}" for name in ("set_up_ms", "collect_ms")),
                *(f"{coordinator[name]:,.0f}" for name in ("unmask_ms", "peak_mb")),
            ]
        )
    sides = ["lender: set-up ms", "mask ms", "peak MB"]
    sides += ["coordinator: set-up ms", "collect ms", "unmask ms", "peak MB"]
    return table(["ours, large", *sides], rows) + "\n"


def demo_line(demo: dict[str, Any]) -> str:
    """What the secure sum adds to the demo, in words."""
    wall = {kind: median(seconds) for kind, seconds in demo["wall_seconds"].items()}
    return (
        f"demo: {wall['secure']:.1f} s with the secure sum, {wall['plain']:.1f} s with --plain: "
        f"{demo['overhead']:+.1%} wall time, {demo['cpu_overhead']:+.1%} processor time\n"
    )


if __name__ == "__main__":
    raise SystemExit(main())
