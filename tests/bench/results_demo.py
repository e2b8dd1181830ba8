"""The demo in docs/results.md: pooled figures, then lender by lender, then later years."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.bench.markdown import megabytes, plus_minus, table

Json = dict[str, Any]


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


def gains_of(report: Json) -> list[float]:
    """Mean gain over seeds of every lender that has one: own layer less its own local model."""
    return [one["gain"] for one in report["sweep"]["lenders"] if one["gain"] is not None]


def _over_tuned(report: Json) -> str:
    """The same against local models tuned as hard as the researcher could; "" when not measured."""
    lenders = report["sweep"]["lenders"]
    gains = [one["gain_over_tuned"] for one in lenders if one.get("gain_over_tuned") is not None]
    if not gains:
        return ""
    near = sum(gain >= -0.003 for gain in gains)
    return (
        f" Against local models tuned as hard as we could: mean {np.mean(gains):+.4f}, smallest "
        f"{min(gains):+.4f}; {near} of {len(gains)} lenders are not more than 0.003 below."
    )


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
                plus_minus(one["gain"], one["gain_sd"], sign="+"),
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
    return table(head, rows)


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
