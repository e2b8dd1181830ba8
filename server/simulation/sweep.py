"""Several seeds side by side: mean and standard deviation of every figure."""

from __future__ import annotations

from typing import Any

import numpy as np

Report = dict[str, Any]
AUCS = ("auc_local", "auc_local_tuned", "auc_shared", "auc_personal", "auc_pooled")


def swept(reports: list[Report]) -> Report:
    """The first seed's report with a `sweep` section over all of them (seeds in order),
    and the seconds of all of them together.
    """
    pooled = [report["pooled"] for report in reports]
    known = {name: [one[name] for one in pooled if one[name] is not None] for name in pooled[0]}
    figures = {name: values for name, values in known.items() if _numbers(values)}
    section = {
        "seeds": [report["seed"] for report in reports],
        "mean": {"pooled": {name: float(np.mean(values)) for name, values in figures.items()}},
        "sd": {"pooled": {name: _deviation(values) for name, values in figures.items()}},
        "lenders": [
            _lender([report["lenders"][i] for report in reports])
            for i in range(len(reports[0]["lenders"]))
        ],
    }
    spent = [report["seconds"] for report in reports]
    seconds = {name: round(sum(one[name] for one in spent), 2) for name in spent[0]}
    return reports[0] | {"sweep": section, "seconds": seconds}


def _lender(rows: list[dict[str, Any]]) -> dict[str, Any]:
    out: dict[str, Any] = {"code": rows[0]["code"]}
    for name in (*AUCS, "gain", "gain_over_tuned"):
        known = [row[name] for row in rows if row[name] is not None]
        out[name] = float(np.mean(known)) if known else None
        if name == "gain":
            out["gain_sd"] = _deviation(known)
    return out


def _numbers(values: list[Any]) -> bool:
    return bool(values) and all(isinstance(value, float) for value in values)


def _deviation(values: list[float]) -> float | None:
    """Sample standard deviation; None with fewer than two values."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else None
