"""Write docs/results.md from what was measured; no figure in it is typed by hand.

    python tests/bench/results.py       (after: make results, which runs all three below)

    out/results/report.json    simulate.py --seeds 0 1 2 --out out/results
    bench-out/model.json       tests/bench/model.py --partitions all --families … --out …
    bench-out/scale.json       tests/bench/scale.py

A measurement that is not there is an error: a page of results is whole or it is not written.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[2]
NO_WORSE_THAN_POOLED = 0.001
"""Promise on every data set: the shared model's mean AUC is at most this far below LightGBM's."""

Json = dict[str, Any]

NOT_SHOWN = """\
## What these figures do not show

- **No privacy.** Lenders' sums are added in the clear here; the coordinator's process could read a
  single lender's. Time and traffic are those of plain sums.
- **No network.** Coordinator and lenders share one machine and one process; messages take Flower's
  own form but no wire. Over a network every round waits for the slowest lender.
- **Made lenders are not lenders.** Only the demo and pakdd have real ones. Elsewhere rows were
  dealt out; a lender's own layer has nothing of its own to learn when lenders are alike.
- **Accepted applicants only.** Every row has an outcome, so none was declined; how a score ranks
  the declined is not known.
- **Test rows are of the same years as training rows**, except where a section says out of time.
- **A demo chosen by outcome.** As many of its loans were charged off as paid in full. Ranking
  measures hold; a probability of default from it does not.
- **Few test rows per lender.** A lender's gain on a few hundred rows is uncertain by a point of AUC
  or more; read the sd, and the intervals of the report, before the mean.
- **sd is over seeds only**: each seed draws test rows and trees anew. It is not the error of
  another sample of applicants.
- **LightGBM is tuned by a short random search** (trials in the table; 0 means its default), on
  splits that are not shown here. A longer search may find a little more; so may one of our recipe.
- **Synthetic rows in the scale test**: for time and memory. Their AUC means nothing.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the three files, write the page; 2 when one of them is missing."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, default in (
        ("report", "out/results/report.json"),
        ("model", "bench-out/model.json"),
        ("scale", "bench-out/scale.json"),
        ("out", "docs/results.md"),
    ):
        parser.add_argument(f"--{name}", type=Path, default=REPOSITORY / default, metavar="FILE")
    options = parser.parse_args(arguments)
    paths = (options.report, options.model, options.scale)
    if absent := [path.name for path in paths if not path.is_file()]:
        print(f"not measured yet: {', '.join(absent)}; run: make results", file=sys.stderr)
        return 2
    report, model, scale = (json.loads(path.read_text(encoding="utf-8")) for path in paths)
    options.out.write_text(page(report, model, scale), encoding="utf-8")
    return 0


def page(report: Json, model: Json, scale: Json) -> str:
    """The whole page, Markdown."""
    parts = [
        "# Results",
        "Written by `tests/bench/results.py` (`make results`); do not edit. AUC on test rows no "
        "model has trained on; mean ± sd over seeds.",
        _measured_on(model, scale),
        promises(report, model, scale),
        demo(report),
        data_sets(model),
        partitions(model),
        families(model),
        scaling(model, scale),
        NOT_SHOWN,
    ]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def promises(report: Json, model: Json, scale: Json) -> str:
    """What was promised and whether it was kept, each from the figures below."""
    gains = _gains(report)
    far = [name for name, mine in _by_set(model).items() if _behind(mine) > NO_WORSE_THAN_POOLED]
    apart = [one["difference"] for one in model["figures"] if one["difference"] is not None]
    goal = scale["goal"]
    growth = goal["time_per_row_against_half"]
    rows = [
        (
            "no lender ranks its own applicants worse than alone (demo, mean over seeds)",
            f"{sum(gain >= 0 for gain in gains)} of {len(gains)} lenders",
            all(gain >= 0 for gain in gains),
        ),
        (
            f"shared at most {NO_WORSE_THAN_POOLED:g} AUC below pooled LightGBM on every data set",
            f"{len(_by_set(model)) - len(far)} of {len(_by_set(model))} sets"
            + (f"; behind on {', '.join(far)}" if far else ""),
            not far,
        ),
        (
            "the same model however rows are spread over lenders",
            f"largest logit difference {max(apart):g}, {len(apart)} runs" if apart else "not run",
            max(apart) == 0.0 if apart else None,
        ),
        (
            f"under {goal['goal_gb']:g} GB at {goal['rows']:,} rows, all lenders in one process",
            f"{goal['peak_gb']:.2f} GB",
            goal["memory_met"],
        ),
        (
            "time grows no faster than rows",
            "not run" if growth is None else f"{growth:.2f} times the seconds per row of half",
            goal["time_met"],
        ),
    ]
    words = {True: "met", False: "**not met**", None: "not measured"}
    return "## Promises\n\n" + _table(
        ("promise", "measured", ""), [(promise, said, words[met]) for promise, said, met in rows]
    )


def demo(report: Json) -> str:
    """The demo: pooled figures, then lender by lender."""
    sweep, data = report["sweep"], report["data"]
    names = {
        "auc_local": "each lender alone (tuned LightGBM on its own rows)",
        "auc_fedavg_mlp": "FedAvg network as in tutorials",
        "auc_shared": "**shared model**",
        "auc_personal": "**shared model with each lender's own layer**",
        "auc_lightgbm": "pooled LightGBM, which nobody may train",
        "auc_lightgbm_knows_lender": "pooled LightGBM that also knows the lender",
    }
    mean, sd = sweep["mean"]["pooled"], sweep["sd"]["pooled"]
    pooled = [(text, _plus(mean[key], sd[key])) for key, text in names.items() if key in mean]
    gains = _gains(report)
    spread = ", ".join(str(seed) for seed in sweep["seeds"])
    text = (
        f"## Demo: {report['title']}\n\n"
        f"{data['rows']:,} rows, {data['lenders']} lenders, {data['features']} features, "
        f"{report['rounds']} rounds, {_megabytes(report['bytes_per_lender'])} per lender; seeds "
        f"{spread}. AUC over all lenders' test rows together (a lender's level counts here):\n\n"
        + _table(("model", "AUC"), pooled)
        + "\n\nLender by lender, on its own test rows. Gain: own layer less alone.\n\n"
        + _lenders(report)
        + f"\n\nGain: mean {np.mean(gains):+.4f}, smallest {min(gains):+.4f}, largest "
        f"{max(gains):+.4f}; {sum(gain > 0 for gain in gains)} of {len(gains)} lenders gain on the "
        "mean over seeds."
    )
    return text + _out_of_time(report)


def data_sets(model: Json) -> str:
    """Shared model against pooled LightGBM on every set."""
    rows = []
    for name, mine in _by_set(model).items():
        one = mine[0]
        rows.append(
            (
                name,
                f"{one['rows']:,} × {one['features']}",
                f"{one['lenders']}: {one['lenders_are']}",
                _over(mine, "auc_shared"),
                _over(mine, "auc_personal"),
                f"{_over(mine, 'auc_lightgbm')} ({one['lightgbm_trials']} trials)",
                _plus(*_mean_sd([o["auc_shared"] - o["auc_lightgbm"] for o in mine]), sign="+"),
            )
        )
    head = (
        *("set", "rows × columns", "lenders", "shared", "own layer", "pooled LightGBM"),
        "shared − LightGBM",
    )
    missing = f"\n\nNot measured: {', '.join(model['missing'])}." if model["missing"] else ""
    return "## Every data set\n\n" + _table(head, rows) + missing


def partitions(model: Json) -> str:
    """The same rows spread over lenders in several ways."""
    uneven = {one["set"] for one in model["figures"] if one["difference"] is not None}
    rows = []
    for name in sorted(uneven):
        mine = [one for one in model["figures"] if one["set"] == name]
        for spread in dict.fromkeys(one["spread"] for one in mine):
            here = [one for one in mine if one["spread"] == spread]
            apart = [one["difference"] for one in here if one["difference"] is not None]
            rows.append(
                (
                    name,
                    here[0]["lenders_are"],
                    _over(here, "auc_shared"),
                    _over(here, "auc_lightgbm"),
                    f"{max(apart):g}" if apart else "–",
                )
            )
    if not rows:
        return ""
    head = ("set", "lenders", "shared", "pooled LightGBM", "largest logit difference to the first")
    return (
        "## However rows are spread\n\nSums are exact whole numbers, so the model cannot depend on "
        "who holds a row. Same test rows, per seed; lenders' own layers left out.\n\n"
        + _table(head, rows)
    )


def families(model: Json) -> str:
    """The other model families beside the boosted one, one seed."""
    if not model["families"]:
        return ""
    asked = {(one["set"], one["seed"], one["spread"]) for one in model["families"]}
    beside = [one for one in model["figures"] if (one["set"], one["seed"], one["spread"]) in asked]
    rows = [
        [
            *(one["set"], one["family"], str(one["seed"]), str(one["rounds"])),
            *(f"{one[key]:.4f}" for key in ("auc_shared", "auc_personal", "auc_lightgbm")),
        ]
        for one in sorted([*beside, *model["families"]], key=lambda one: one["set"])
    ]
    head = ("set", "family", "seed", "rounds", "shared", "own layer", "pooled LightGBM")
    return "## Model families\n\n" + _table(head, rows)


def scaling(model: Json, scale: Json) -> str:
    """Time and memory, and seconds to score a million rows."""
    rows = [
        (
            f"{point['rows']:,}",
            str(point["lenders"]),
            f"{point['seconds']:.0f}",
            f"{point['seconds_by_phase'].get('trees', 0):.0f}",
            f"{point['seconds_by_phase'].get('evaluation', 0):.0f}",
            f"{1e6 * point['seconds'] / point['rows']:.0f}",
            f"{point['peak_gb']:.2f}",
            _megabytes(point["bytes_per_lender"]),
            str(len(point["missing"])),
        )
        for point in scale["points"]
    ]
    head = (
        *("rows", "lenders", "seconds", "… shared model", "… own layers"),
        *("seconds per million rows", "peak GB", "traffic per lender", "missing answers"),
    )
    scored = "; ".join(
        f"{name} {seconds['wall']:.1f} s ({seconds['cpu']:.1f} s of processor time)"
        for name, seconds in model["scoring"].items()
    )
    columns = scale["points"][0]["columns"]
    return (
        f"## Size\n\n{columns} synthetic columns; coordinator and all lenders in one process.\n\n"
        + _table(head, rows)
        + f"\n\nScoring a million checked rows on one thread: {scored}."
    )


def _measured_on(model: Json, scale: Json) -> str:
    """Machine and date of each measurement, and how busy the machine was with other work."""
    lines = []
    for what, one in (("data sets and scoring", model), ("size", scale)):
        lines.append(
            f"- {what}: {one['date']}, {one['machine']}; load average before the start "
            f"{one['load_before']:.1f}"
        )
    return "Measured on:\n\n" + "\n".join(lines)


def _lenders(report: Json) -> str:
    first = {one["code"]: one for one in report["lenders"]}
    rows: list[Sequence[str]] = []
    for one in report["sweep"]["lenders"]:
        known = first[one["code"]]
        keys = ("auc_local", "auc_shared", "auc_personal", "auc_pooled")
        rows.append(
            [
                *(one["code"], f"{known['rows']:,}", f"{known['bad_rate']:.3f}"),
                *("–" if one[key] is None else f"{one[key]:.4f}" for key in keys),
                _plus(one["gain"], one["gain_sd"], sign="+"),
            ]
        )
    keyed = [one for one in report["sweep"]["lenders"] if one["gain"] is not None]
    means = tuple(
        f"{np.mean([one[key] for one in keyed]):.4f}"
        for key in ("auc_local", "auc_shared", "auc_personal", "auc_pooled")
    )
    gain = f"{np.mean([one['gain'] for one in keyed]):+.4f}"
    rows.append(("mean", "", "", *means, gain))
    head = ("lender", "rows", "bad rate", "alone", "shared", "own layer", "pooled LightGBM", "gain")
    return _table(head, rows)


def _out_of_time(report: Json) -> str:
    later = report.get("out_of_time")
    if not later:
        return ""
    figures = ", ".join(
        f"{name} {later[key]:.4f}"
        for key, name in (
            ("auc_shared", "shared"),
            ("auc_personal", "own layer"),
            ("auc_lightgbm", "pooled LightGBM"),
        )
        if later[key] is not None
    )
    return (
        f"\n\nOut of time (seed {report['seed']}): trained up to {later['cutoff']:g} on "
        f"{later['train_rows']:,} rows, tested on {later['test_rows']:,} later ones: {figures}."
    )


def _gains(report: Json) -> list[float]:
    return [one["gain"] for one in report["sweep"]["lenders"] if one["gain"] is not None]


def _by_set(model: Json) -> dict[str, list[Json]]:
    """Figures of each set's first spread, seeds in order."""
    out: dict[str, list[Json]] = {}
    for one in model["figures"]:
        if one["difference"] is None:
            out.setdefault(one["set"], []).append(one)
    return out


def _behind(mine: Sequence[Json]) -> float:
    return float(np.mean([one["auc_lightgbm"] - one["auc_shared"] for one in mine]))


def _over(mine: Sequence[Json], key: str) -> str:
    return _plus(*_mean_sd([one[key] for one in mine]))


def _mean_sd(values: Sequence[float]) -> tuple[float, float | None]:
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None


def _plus(mean: float | None, sd: float | None, sign: str = "") -> str:
    if mean is None:
        return "–"
    return f"{mean:{sign}.4f}" + ("" if sd is None else f" ± {sd:.4f}")


def _megabytes(count: float) -> str:
    return f"{count / 1e6:.1f} MB"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    raise SystemExit(main())
