"""The shared model against LightGBM on all rows in one place, on every data set.

    python tests/bench/model.py                              every set, lenders alike, seeds 0 1 2
    python tests/bench/model.py --partitions all             also uneven lenders (uci, gmsc)
    python tests/bench/model.py --sets uci --families network blend --out bench-out/model.json

Every run is the real federation (`federation.py`). LightGBM has the tuned settings of
configs/lightgbm.toml and reads the same training and test rows. A table and the progress go to
standard error; the last line of standard output is one JSON line. A data set that is not there is
reported, and listed under "missing".

Invariants:
- Test rows depend on the seed alone, so partitions are compared on the very same rows.
- LightGBM is trained once per data set and seed: it does not see who holds a row.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import torch

from server.simulation.gain import auc
from server.simulation.lightgbm_parameters import tuned_lightgbm
from server.simulation.outcome import split
from server.simulation.references import pooled_lightgbm
from shared.training.agreement import Family
from tests.bench.federation import Federated, federated
from tests.bench.machine import load_now, machine_line, today
from tests.bench.scoring import ScoringTime, scoring_time
from tests.bench.studies import (
    SETS,
    SPREADS,
    MissingDataError,
    Spread,
    lenders_of,
    spreads_of,
    study_of,
)

SEEDS = (0, 1, 2)
SCORED = ("uci", "demo")
"""Sets whose model is timed at scoring; the last line holds the first of them that was run."""
COMPARED = ("uci", "demo")
"""Sets on which `--families` are run."""


@dataclass(frozen=True)
class Figures:
    """One run. `difference`: largest |logit difference| to the same seed's first partition."""

    set: str
    family: str
    spread: str
    lenders_are: str
    seed: int
    rows: int
    features: int
    lenders: int
    test_rows: int
    rounds: int
    auc_shared: float
    auc_personal: float | None
    auc_lightgbm: float | None
    lightgbm_trials: int
    difference: float | None
    model_digest: str
    seconds: float


@dataclass(frozen=True)
class Asked:
    """The command line."""

    sets: tuple[str, ...]
    seeds: tuple[int, ...]
    spreads: tuple[Spread, ...]
    families: tuple[Family, ...]


class Bench:
    """Collects figures; `document` is everything measured so far, JSON-ready."""

    def __init__(self, asked: Asked, out: Path | None) -> None:
        self._asked = asked
        self._out = out
        self.figures: list[Figures] = []
        self.missing: list[str] = []
        self.scoring: dict[str, ScoringTime] = {}
        self._load = load_now()

    def run(self) -> None:
        """Every set, seed and partition, then the other families; writes `out` after each run."""
        for name in self._asked.sets:
            try:
                for seed in self._asked.seeds:
                    self._seed(name, seed)
            except MissingDataError as missing:
                self.missing.append(name)
                _say(f"MISSING {missing}")

    def document(self) -> dict[str, Any]:
        """Machine, date and all single figures."""
        return {
            "machine": machine_line(),
            "date": today(),
            "load_before": self._load,
            "sums": "secure",
            "figures": [asdict(one) for one in self.figures if one.family == "boosted"],
            "families": [asdict(one) for one in self.figures if one.family != "boosted"],
            "scoring": {name: asdict(one) for name, one in self.scoring.items()},
            "missing": self.missing,
        }

    def _seed(self, name: str, seed: int) -> None:
        first: Federated | None = None
        lightgbm: float | None = None
        for spread in spreads_of(name, self._asked.spreads):
            frame, study = study_of(name, seed, spread, "boosted")
            got = federated(frame, study, personal=first is None)
            lightgbm = _lightgbm(got, name, seed) if first is None else lightgbm
            self._keep(_figures(name, spread, got, lightgbm, first))
            first = first or got
            if seed == self._asked.seeds[0] and name not in self.scoring and name in SCORED:
                self._time(name, got)
        if seed == self._asked.seeds[0] and name in COMPARED:
            for family in self._asked.families:
                frame, study = study_of(name, seed, "iid", family)
                self._keep(_figures(name, "iid", federated(frame, study), lightgbm, None))

    def _time(self, name: str, got: Federated) -> None:
        taken = self.scoring[name] = scoring_time(got.outcome.run.model(), got.book.table)
        _say(f"{name}: {taken.wall} s to score a million rows ({taken.cpu} s of processor time)")

    def _keep(self, figures: Figures) -> None:
        self.figures.append(figures)
        _say(_line(figures))
        if self._out is not None:
            text = json.dumps(self.document(), indent=1, allow_nan=False)
            self._out.write_text(text + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print; 0, or 2 when not a single data set is there."""
    options = _parser().parse_args(arguments)
    torch.set_num_threads(1)
    if options.out is not None:
        options.out.parent.mkdir(parents=True, exist_ok=True)
    spreads = SPREADS if "all" in options.partitions else tuple(dict.fromkeys(options.partitions))
    asked = Asked(tuple(options.sets), tuple(options.seeds), spreads, tuple(options.families))
    bench, start = Bench(asked, options.out), time.monotonic()
    bench.run()
    _say(_table(bench.figures))
    _say(f"{time.monotonic() - start:.0f} s in all")
    sys.stdout.write(json.dumps(_last_line(bench), allow_nan=False) + "\n")
    return 0 if bench.figures else 2


def summary(figures: Sequence[Figures]) -> dict[str, dict[str, float | int | None]]:
    """Means over seeds per set, of the first partition, boosted trees."""
    out: dict[str, dict[str, float | int | None]] = {}
    for name in dict.fromkeys(one.set for one in figures):
        mine = [one for one in figures if one.set == name and one.family == "boosted"]
        mine = [one for one in mine if one.spread == mine[0].spread]
        out[name] = {
            key: _mean([getattr(one, key) for one in mine])
            for key in ("auc_shared", "auc_personal", "auc_lightgbm")
        }
        out[name]["seeds"] = len(mine)
    return out


def _figures(
    name: str, spread: Spread, got: Federated, lightgbm: float | None, first: Federated | None
) -> Figures:
    book, outcome = got.book, got.outcome
    terms = outcome.run.agreement
    return Figures(
        set=name,
        family=terms.family,
        spread=spread,
        lenders_are=lenders_of(name, spread),
        seed=terms.seed,
        rows=book.table.rows,
        features=len(book.table.schema.columns),
        lenders=len(book.codes),
        test_rows=len(outcome.test),
        rounds=sum(r.stage.split("/")[0] in ("trees", "network") for r in outcome.records),
        auc_shared=_auc(got, outcome.shared),
        auc_personal=_auc(got, outcome.personal) if first is None else None,
        auc_lightgbm=lightgbm,
        lightgbm_trials=tuned_lightgbm(name).trials,
        difference=None if first is None else _difference(got, first),
        model_digest=outcome.model_digest,
        seconds=round(got.seconds, 1),
    )


def _difference(got: Federated, first: Federated) -> float:
    """Largest |difference| of shared logits on the test rows, which are the same for both."""
    assert np.array_equal(got.outcome.test, first.outcome.test), "test rows differ"
    return float(np.abs(got.outcome.shared - first.outcome.shared).max())


def _auc(got: Federated, logit: np.ndarray) -> float:
    bad = got.book.table.bad
    value = None if bad is None else auc(bad[got.outcome.test], logit)
    assert value is not None, "test rows need labels of both classes"
    return value


def _lightgbm(got: Federated, name: str, seed: int) -> float:
    train, test = split(got.book, got.outcome)
    return _auc(got, pooled_lightgbm(train, test, tuned_lightgbm(name).parameters, seed, threads=1))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _last_line(bench: Bench) -> dict[str, Any]:
    scored = [name for name in SCORED if name in bench.scoring]
    return {
        "sets": summary(bench.figures),
        "seconds_per_million_rows": bench.scoring[scored[0]].wall if scored else None,
        "missing": bench.missing,
    }


def _line(one: Figures) -> str:
    values = {
        "shared": one.auc_shared,
        "personal": one.auc_personal,
        "LightGBM": one.auc_lightgbm,
    }
    shown = "  ".join(f"{key} {value:.4f}" for key, value in values.items() if value is not None)
    apart = "" if one.difference is None else f"  max |Δlogit| {one.difference:g}"
    head = f"{one.set:8s} {one.family:8s} {one.spread:9s} seed {one.seed}"
    return f"{head}  {shown}{apart}  {one.seconds:.0f} s"


def _table(figures: Sequence[Figures]) -> str:
    lines = ["set       shared  personal  LightGBM  shared − LightGBM"]
    for name, mean in summary(figures).items():
        shared, personal, pooled = (
            float(mean[key] or 0) for key in ("auc_shared", "auc_personal", "auc_lightgbm")
        )
        figures_line = f"{name:8s}  {shared:.4f}  {personal:.4f}    {pooled:.4f}"
        lines.append(f"{figures_line}    {shared - pooled:+.4f}")
    return "\n".join(lines)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    summary, _, rest = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS), metavar="S")
    parser.add_argument("--partitions", nargs="+", choices=(*SPREADS, "all"), default=["iid"])
    parser.add_argument(
        "--families", nargs="*", choices=get_args(Family)[1:], default=[],
        help="other families: first seed, uci and demo",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, metavar="FILE", help="all single figures, JSON")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
