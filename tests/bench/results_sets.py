"""The sections of docs/results.md on data sets, partitions, families and size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.bench.markdown import mean_sd, megabytes, plus_minus, table

Json = dict[str, Any]


def data_sets(model: Json) -> str:
    """Shared model against pooled LightGBM on every set."""
    rows = []
    for name, mine in by_set(model).items():
        one = mine[0]
        rows.append(
            (
                name,
                f"{one['rows']:,} × {one['features']}",
                f"{one['lenders']}: {one['lenders_are']}",
                over_seeds(mine, "auc_shared"),
                over_seeds(mine, "auc_personal"),
                f"{over_seeds(mine, 'auc_lightgbm')} ({one['lightgbm_trials']} trials)",
                plus_minus(*mean_sd([o["auc_shared"] - o["auc_lightgbm"] for o in mine]), sign="+"),
            )
        )
    head = (
        *("set", "rows × columns", "lenders", "shared", "own layer", "pooled LightGBM"),
        "shared − LightGBM",
    )
    missing = f"\n\nNot measured: {', '.join(model['missing'])}." if model["missing"] else ""
    return "## Every data set\n\n" + table(head, rows) + missing


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
                    over_seeds(here, "auc_shared"),
                    over_seeds(here, "auc_lightgbm"),
                    f"{max(apart):g}" if apart else "–",
                )
            )
    if not rows:
        return ""
    head = ("set", "lenders", "shared", "pooled LightGBM", "largest logit difference to the first")
    return (
        "## However rows are spread\n\nSums are exact whole numbers, so the model cannot depend on "
        "who holds a row. Same test rows, per seed; lenders' own layers left out.\n\n"
        + table(head, rows)
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
    return "## Model families\n\n" + table(head, rows)


def scaling(model: Json, scale: Json) -> str:
    """Time and memory, and seconds to score a million rows."""
    rows = [
        (
            f"{point['rows']:,}",
            str(point["lenders"]),
            f"{point['seconds']:.0f}",
            f"{point['cpu_seconds']:.0f}",
            f"{_seconds(point, 'trees'):.0f}",
            f"{_seconds(point, 'mixture', 'evaluation'):.0f}",
            f"{1e6 * point['cpu_seconds'] / point['rows']:.0f}",
            f"{point['peak_gb']:.2f}",
            megabytes(point["bytes_per_lender"]),
            str(len(point["missing"])),
        )
        for point in scale["points"]
    ]
    head = (
        *("rows", "lenders", "seconds", "processor seconds", "… shared model", "… own layers"),
        *("processor seconds per million rows", "peak GB", "traffic per lender", "missing answers"),
    )
    scored = "; ".join(
        f"{name} {seconds['wall']:.1f} s ({seconds['cpu']:.1f} s of processor time)"
        for name, seconds in model["scoring"].items()
    )
    columns = scale["points"][0]["columns"]
    return (
        f"## Size\n\n{columns} synthetic columns; coordinator and all lenders in one process.\n\n"
        + table(head, rows)
        + f"\n\nScoring a million checked rows on one thread: {scored}."
    )


def _seconds(point: Json, *stages: str) -> float:
    return sum(float(point["seconds_by_phase"].get(stage, 0.0)) for stage in stages)


def by_set(model: Json) -> dict[str, list[Json]]:
    """Figures of each set's first spread, seeds in order."""
    out: dict[str, list[Json]] = {}
    for one in model["figures"]:
        if one["difference"] is None:
            out.setdefault(one["set"], []).append(one)
    return out


def behind(mine: Sequence[Json]) -> float:
    """How far the shared model is below pooled LightGBM, mean over seeds; below 0 it is ahead."""
    return float(np.mean([one["auc_lightgbm"] - one["auc_shared"] for one in mine]))


def over_seeds(mine: Sequence[Json], key: str) -> str:
    """Mean ± sd over the seeds."""
    return plus_minus(*mean_sd([one[key] for one in mine]))
