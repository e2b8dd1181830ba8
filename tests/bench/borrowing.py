"""Borrowing elsewhere: what its records cost, a batch over real processes, and what the demo's
pairs of loans say once the sampling is taken off.

    python tests/bench/borrowing.py                    all three
    python tests/bench/borrowing.py --only pairs       or records, or network

pairs     the demo's loans with an earlier one of the same borrower: the share that went bad, as it
          is in the file and with each pair weighted by both chances of being drawn (data/README.md)
records   a million made-up events of 300,000 subjects at 50 lenders, counted and banded, in a
          process of their own: processor time, peak memory, records
network   a coordinator and four lenders as processes on this machine, two batches with a training
          between them: seconds of both stages, processor time of all, bytes up of a lender

Writes bench-out/borrowing.json, where parts that are left out stay as they were; the last line of
the output is the same as JSON. Time of records is
processor time; that of the network is of the clock, and most of it is waiting.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.machine import load_now, machine_line, today
from tests.bench.process_tree import descendants

HERE = Path(__file__).resolve()
REPOSITORY = HERE.parents[2]
PARTS = ("pairs", "records", "network")
PAID_IN_FULL, CHARGED_OFF = 24.976, 5.532
"""Loans of the source for each one drawn (data/README.md)."""
NEAR_DAYS = 365
EVENTS, SUBJECTS, LENDERS = 1_000_000, 300_000, 50


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=PARTS, help="one part")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "bench-out", metavar="DIR")
    parser.add_argument("--in-this-process", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.in_this_process:
        sys.stdout.write(json.dumps(records()) + "\n")
        return 0
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "borrowing.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    found |= {"machine": machine_line(), "date": today(), "load": load_now()}
    measures = {"pairs": pairs, "records": _fresh_process, "network": network}
    for part in PARTS if options.only is None else (options.only,):
        found[part] = measures[part]()
        sys.stdout.write(f"{part}: {json.dumps(found[part])}\n")
    path.write_text(json.dumps(found, indent=1) + "\n")
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


def pairs() -> dict[str, dict[str, float]]:
    """Of the demo's pairs of loans of one borrower: how many, and how often the later went bad."""
    loans = pd.read_csv(
        REPOSITORY / "data/sba_demo.csv.gz", usecols=["loan_id", "lender", "charged_off"]
    )
    told = pd.read_csv(REPOSITORY / "data/sba_borrowers.csv.gz", parse_dates=["day"])
    told = told.merge(loans, on="loan_id")
    both = told.merge(told, on="borrower", suffixes=("", "_before"))
    both = both[both["day_before"] < both["day"]]
    near = (both["day"] - both["day_before"]).dt.days <= NEAR_DAYS
    elsewhere = both["lender_before"] != both["lender"]
    chosen = {
        "elsewhere_near": both[elsewhere & near],
        "elsewhere": both[elsewhere],
        "same_lender_near": both[~elsewhere & near],
        "same_lender": both[~elsewhere],
        "all_loans": loans.assign(charged_off_before=np.nan),
    }
    return {name: _shares(one) for name, one in chosen.items()}


def _shares(found: pd.DataFrame) -> dict[str, float]:
    """`bad` as in the file, `weighted` as in the source; `both_paid`: pairs of two good loans."""
    paid = (found["charged_off"] == 0) & (found["charged_off_before"] == 0)
    bad = found["charged_off"].to_numpy(dtype=float)
    weight = _weights(found["charged_off"]) * _weights(found["charged_off_before"])
    return {
        "pairs": len(found),
        "both_paid": int(paid.sum()),
        "bad": round(float(bad.mean()), 3),
        "weighted": round(float((bad * weight).sum() / weight.sum()), 3),
    }


def _weights(bad: pd.Series[float]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """How many loans of the source one that was drawn stands for; 1 where there is none."""
    drawn = np.where(bad == 1, CHARGED_OFF, PAID_IN_FULL)
    return np.where(bad.isna(), 1.0, drawn)


def records() -> dict[str, float]:
    """Count and band a million events, as the desk does once a day."""
    from shared.borrowing.events import Events
    from shared.borrowing.records import records_of
    from shared.borrowing.terms import Kind, LenderClass

    rng, today_is = np.random.default_rng(3), 740_000
    kind = rng.choice([Kind.APPLICATION, Kind.OPENED], EVENTS, p=[0.7, 0.3]).astype(np.int64)
    nothing = np.zeros(EVENTS, dtype=np.int64)
    events = Events(
        subject=rng.integers(0, SUBJECTS, EVENTS),
        kind=kind,
        day=today_is - rng.integers(1, 180, EVENTS),
        lender=rng.integers(0, LENDERS, EVENTS),
        id_kind=nothing,
        bits=rng.integers(0, 4, EVENTS) * (kind == Kind.APPLICATION),
        band=rng.integers(1, 6, EVENTS) * (kind == Kind.OPENED),
        reference=np.arange(EVENTS),
    )
    classes = rng.integers(0, len(LenderClass), LENDERS).astype(np.uint8)
    before = time.process_time()
    made = records_of(events, today_is, classes)
    spent = time.process_time() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"events": EVENTS, "records": len(made.subject), "cpu_seconds": round(spent, 1),
            "peak_gb": round(peak, 2)}  # fmt: skip


def _fresh_process() -> dict[str, float]:
    """`records` in a process of its own, so that the peak of memory is its own."""
    words = [sys.executable, str(HERE), "--in-this-process"]
    ran = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
    return found


def network() -> dict[str, Any]:
    """Two batches with a training between them."""
    from tests.deployment.asked_batches import CODES, FOLK, WITHIN, asked_consortium

    found: dict[str, Any] = {"lenders": len(CODES)}
    with tempfile.TemporaryDirectory() as home, asked_consortium(Path(home)) as asked:
        for name, code in (("asked-1", "L01"), ("spring", ""), ("asked-2", "L02")):
            words = ("--asked", asked.batch(code, *FOLK[:3]), *WITHIN) if code else ("--rounds", 2)
            before = _spent()
            assert asked.run("start", name, *words) == 0
            if code:
                spent, stages = _spent() - before, asked.stages(name)
                up = stages[0].bytes_up / len(CODES)  # what the set-up took is told apart
                found[name] = {one.stage: round(one.seconds, 1) for one in stages}
                found[name] |= {"bytes_up_of_a_lender": round(up), "cpu_seconds": round(spent, 1)}
    return found


def _spent() -> float:
    """Processor seconds of all processes below this one so far, those that have ended included."""
    ticks = 0
    for number in descendants(os.getpid()):
        with suppress(OSError):  # it ends just now, and its parent has its time
            fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
