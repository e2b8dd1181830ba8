"""The deployment measured: ours with everything on, beside Flower's as it comes, in one run.

    python tests/bench/deploy.py                   all of it: 10 to 20 minutes on two cores
    python tests/bench/deploy.py --skip-flower     not Flower's own, which takes most of the time

The last line of output is one JSON line: `round_s` (median of steady training rounds under the
secure sum, three lenders, 100,000 parameters), `round_s_flower_default` (the same work over
Flower's defaults, without a secure sum), `up_s` (from founded folders until all are
connected: coordinator and three lenders), `resume_s_max`, `kill_points`, `lost` (as in
docs/faults.md).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch

from tests.bench.deploy_flower import flower_round_seconds
from tests.bench.deploy_ours import (
    RUN,
    laid_down,
    round_seconds,
    run_command,
    sent_by_each,
    stages_table,
    up,
)
from tests.bench.deploy_work import FEATURES, ROWS, parameters
from tests.bench.machine import load_now, machine_line, today
from tests.deployment.faults_page import document, summary
from tests.deployment.test_kill_points import struck

REPOSITORY = Path(__file__).resolve().parents[2]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the stages and the JSON line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--flower-rounds", type=int, default=4)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--skip-flower", action="store_true")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "bench-out", metavar="DIR")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    about: dict[str, Any] = {"machine": machine_line(), "date": today(), "load": load_now()}
    about |= {"parameters": parameters(), "rows": ROWS}
    found: dict[str, Any] = {"round_s_flower_default": None}
    found |= ours(options.rounds)
    if not options.skip_flower:
        with TemporaryDirectory(prefix="lianfang-bench-") as home:
            found["round_s_flower_default"] = flower_round_seconds(
                Path(home), rounds=options.flower_rounds, features=FEATURES, rows=ROWS
            )
    if options.kills:
        with TemporaryDirectory(prefix="lianfang-bench-") as home:
            faults = document(struck(Path(home), options.kills))
        about["faults"] = faults
        found |= summary(faults)
    options.out.mkdir(exist_ok=True)
    (options.out / "deploy.json").write_text(json.dumps(about | found, indent=1))
    print(f"{about['parameters']:,} parameters, {ROWS} rows a lender; {about['machine']}")
    print(json.dumps(found))
    return 0


def ours(rounds: int) -> dict[str, float]:
    """`up_s` and `round_s` of our deployment; AssertionError when the run fails."""
    with TemporaryDirectory(prefix="lianfang-bench-") as home:
        consortium = laid_down(Path(home), rounds)
        with up(consortium) as (_, seconds):
            status, told = run_command(consortium, "start", str(consortium.coordinator), RUN)
        assert status == 0, told
        for stage, spent in stages_table(consortium):
            print(f"{stage:<12} {spent:6.2f} s")
        numbers = sent_by_each(consortium)
        assert numbers >= 3 * parameters(), f"{numbers} numbers were sent"
        return {"round_s": round_seconds(consortium), "up_s": round(seconds, 1)}


if __name__ == "__main__":
    sys.exit(main())
