"""Tokens: what an item costs each party, and a book against a list beside openmined-psi.

    python tests/bench/tokens.py            100,000 against 100,000; about four minutes
    python tests/bench/tokens.py --quick    small sizes, to see that it runs

Processor time of all threads, so a busy machine disturbs little; both sides in the same run. Writes
bench-out/tokens.json; the last line is one JSON line, whose names README.md beside this file
explains. Lookups, a book against a million and single requests over TLS are measured by lookup.py,
tokens_million.py and tokens_single.py: measure(quick) -> figures, which go into the line.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from shared.tokens.lanes.group import compiled
from tests.bench.machine import load_now, machine_line, today
from tests.bench.markdown import table
from tests.bench.tokens_steps import steps, two_cores
from tests.bench.tokens_work import both

REPOSITORY = Path(__file__).resolve().parents[2]
ELSEWHERE = {
    "tests.bench.lookup": ("lookup_us_1m", "lookup_us_10m", "rescreen_1m_cpu_s"),
    "tests.bench.tokens_million": (
        "million_lender_cpu_s",
        "million_holders_cpu_s",
        "million_match_cpu_s",
    ),
    "tests.bench.tokens_single": (
        "single_p50_ms",
        "single_p99_ms",
        "evaluations_per_second_per_core",
        "evaluations_per_second_per_core_large",
    ),
}
WORDS = {
    "blind_us": "lender: hash to group, blind",
    "holder_us": "one holder: evaluate, proof",
    "combine_us": "lender: add up three answers",
    "verify_us": "lender: three proofs, both sides of the sum check",
    "finalise_us": "lender: unblind, hash",
    "lender_us": "lender: blind, combine, finalise",
    "lender_all_us": "lender: the same and the verification",
    "unavoidable_us": "hash to group and two multiplications",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the tables and the JSON line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "bench-out", metavar="DIR")
    options = parser.parse_args(arguments)
    document = measured(options.quick)
    print(step_table(document["steps"]), work_table(document), sep="\n\n", flush=True)
    options.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(document, indent=1, allow_nan=False)
    (options.out / "tokens.json").write_text(text + "\n", encoding="utf-8")
    print(json.dumps(summary(document)))
    return 0


def measured(quick: bool) -> dict[str, Any]:
    """All figures of one run."""
    rounds, items, work = (1, 200, 300) if quick else (7, 4095, 100_000)
    document: dict[str, Any] = {"machine": machine_line(), "date": today(), "load": load_now()}
    document["items"] = work
    document["steps"] = steps(rounds, items)
    document["two_cores"] = two_cores(items)
    document["ours"], document["openmined"] = both(work)
    document["compiled"] = compiled.cache_info().currsize > 0 and compiled() is not None
    for module, names in ELSEWHERE.items():
        found = import_module(module).measure(quick) if find_spec(module) else {}
        document |= dict.fromkeys(names) | found
    return document


def summary(document: dict[str, Any]) -> dict[str, Any]:
    """The line: microseconds per item, processor seconds, and ratios (below 1: ours is cheaper).

    Every name: README.md beside this file.
    """
    each, peer = document["steps"], document["openmined"]
    spent = document["ours"]
    line = {name: each[name] for name in WORDS}
    line["lender_ratio"] = each["lender_us"] / each["unavoidable_us"]
    line["lender_all_ratio"] = each["lender_all_us"] / each["unavoidable_us"]
    line["two_cores"] = document["two_cores"]
    line["total_cpu_s_100k"] = sum(spent.values())
    line["book_cpu_s_100k"] = spent["book_lender"] + spent["book_holders"] + spent["match"]
    line["openmined_cpu_s_100k"] = None if peer is None else sum(peer.values())
    line["total_ratio"] = None if peer is None else sum(spent.values()) / sum(peer.values())
    line["lender_client_ratio"] = None if peer is None else spent["book_lender"] / peer["client"]
    line["compiled_additions"] = document["compiled"]
    line |= {name: document[name] for names in ELSEWHERE.values() for name in names}
    return {name: _rounded(value) for name, value in line.items()}


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def step_table(each: dict[str, float]) -> str:
    """Microseconds per item."""
    rows = [
        [words, f"{each[name]:.1f}", f"{each[name] / each['unavoidable_us']:.2f}"]
        for name, words in WORDS.items()
    ]
    return table(["step, 3 of 5", "µs of CPU per item", "of the unavoidable"], rows)


def work_table(document: dict[str, Any]) -> str:
    """Processor seconds of book against list."""
    spent, peer, items = document["ours"], document["openmined"], document["items"]
    rows = [
        ["ours: book", f"{spent['book_lender']:.2f}", f"{spent['book_holders']:.2f}"],
        ["ours: list", f"{spent['list_lender']:.2f}", f"{spent['list_holders']:.2f}"],
        ["ours: match", f"{spent['match']:.2f}", "–"],
    ]
    if peer is not None:
        rows.append(["openmined-psi: both", f"{peer['client']:.2f}", f"{peer['server']:.2f}"])
    head = [f"{items:,} against {items:,}, CPU s", "lender or client", "holders or server"]
    return f"{table(head, rows)}\n\n{more_lines(document)}"


def more_lines(document: dict[str, Any]) -> str:
    """What the tables do not hold."""
    spent, total = document["ours"], sum(document["ours"].values())
    book = spent["book_lender"] + spent["book_holders"] + spent["match"]
    lines = [f"all parties, book and list: {total:.2f} CPU s; the book alone: {book:.2f}"]
    lines += [
        f"{name}: {document[name]:.4g}"
        for names in ELSEWHERE.values()
        for name in names
        if document[name] is not None
    ]
    return "\n".join([*lines, f"two threads over one, by the clock: {document['two_cores']:.2f}"])


if __name__ == "__main__":
    raise SystemExit(main())
