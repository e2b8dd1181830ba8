"""The demo in docs/results.md: pooled figures, then lender by lender, then later years."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.bench.markdown import megabytes, plus_minus, table

Json = dict[str, Any]
USUAL, TUNED = "gain", "gain_over_tuned"
"""Gain of the own layer over a local LightGBM: with usual settings, or tuned on the demo."""
NEAR = 0.003


def demo(report: Json) -> str:
    """The demo: pooled figures, then lender by lender."""
    sweep, data = report["sweep"], report["data"]
    names = {
        "auc_local": "each lender alone (LightGBM with usual settings, its own rows)",
        "auc_local_tuned": "each lender alone, tuned as hard as we could",
        "auc_fedavg_mlp": "FedAvg network as in tutorials",
        "auc_shared": "**shared model**",
        "auc_personal": "**shared model with each lender's own layer**",
        "auc_lightgbm": "pooled LightGBM, which nobody may train",
        "auc_lightgbm_knows_lender": "pooled LightGBM that also knows the lender",
    }
    mean, sd = sweep["mean"]["pooled"], sweep["sd"]["pooled"]
    pooled = [(text, plus_minus(mean[key], sd[key])) for key, text in names.items() if key in mean]
    gains = gains_of(report)
    spread = ", ".join(str(seed) for seed in sweep["seeds"])
    text = (
        f"## Demo: {report['title']}\n\n"
        f"{data['rows']:,} rows, {data['lenders']} lenders, {data['features']} features, "
        f"{report['rounds']} rounds, {megabytes(report['bytes_per_lender'])} per lender; seeds "
        f"{spread}. AUC over all lenders' test rows together (a lender's level counts here):\n\n"
        + table(("model", "AUC"), pooled)
        + "\n\nLender by lender, on its own test rows. Gain: own layer less alone.\n\n"
        + _lenders(report)
        + f"\n\nGain: mean {np.mean(gains):+.4f}, smallest {min(gains):+.4f}, largest "
        f"{max(gains):+.4f}; {sum(gain > 0 for gain in gains)} of {len(gains)} lenders gain on the "
        "mean over seeds." + _over_tuned(report)
    )
    return text + _out_of_time(report)


def gains_of(report: Json, over: str = USUAL) -> list[float]:
    """Mean gain over seeds of every lender that has one; empty when it was not measured."""
    lenders = report["sweep"]["lenders"]
    return [one[over] for one in lenders if one.get(over) is not None]


def _over_tuned(report: Json) -> str:
    """The same against local models tuned as hard as the researcher could; "" when not measured."""
    gains = gains_of(report, TUNED)
    if not gains:
        return ""
    return (
        f" Against local models tuned as hard as we could: mean {np.mean(gains):+.4f}, smallest "
        f"{min(gains):+.4f}; {sum(gain >= 0 for gain in gains)} of {len(gains)} lenders are not "
        f"below, {sum(gain >= -NEAR for gain in gains)} not more than {NEAR:g} below."
    )


def _lenders(report: Json) -> str:
    first = {one["code"]: one for one in report["lenders"]}
    lenders = report["sweep"]["lenders"]
    keys = ("auc_local", "auc_local_tuned", "auc_shared", "auc_personal", "auc_pooled")
    rows: list[Sequence[str]] = []
    for one in lenders:
        known = first[one["code"]]
        rows.append(
            [
                *(one["code"], f"{known['rows']:,}", f"{known['bad_rate']:.3f}"),
                *(plus_minus(one.get(key), None) for key in keys),
                plus_minus(one[USUAL], one["gain_sd"], sign="+"),
                plus_minus(one.get(TUNED), None, sign="+"),
            ]
        )
    means = (plus_minus(_mean(lenders, key), None) for key in keys)
    gains = (plus_minus(_mean(lenders, key), None, sign="+") for key in (USUAL, TUNED))
    rows.append(["mean", "", "", *means, *gains])
    head = (
        *("lender", "rows", "bad rate", "alone, usual", "alone, tuned", "shared", "own layer"),
        *("pooled LightGBM", "gain over usual", "gain over tuned"),
    )
    return table(head, rows)


def _mean(lenders: Sequence[Json], key: str) -> float | None:
    known = [one[key] for one in lenders if one.get(key) is not None]
    return float(np.mean(known)) if known else None


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
