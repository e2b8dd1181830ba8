"""A finished run as `report.json`: what each lender gains, and how the consortium does.

Invariants:
- Everything but `seconds` and `versions` follows from the study, the book and the seed.
- No lender is named but by its code.
"""

from __future__ import annotations

from dataclasses import asdict
from importlib.metadata import version
from platform import python_version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from server.simulation.book import Book
from server.simulation.comparison import Comparison
from server.simulation.curves import curves_of, drift_table, woe_charts
from server.simulation.gain import auc, gain_interval, ks, swap_set
from server.simulation.outcome import Outcome
from server.simulation.study import Study
from shared.statistics import ranking
from shared.training.small_cells import share_in_doubt

Report = dict[str, Any]
Floats = NDArray[np.float64]
_LEAST_TEST_ROWS = 30


def report_of(
    study: Study, book: Book, outcome: Outcome, comparison: Comparison, seconds: dict[str, float]
) -> Report:
    """The whole report, JSON-ready."""
    agreement = outcome.run.agreement
    lenders = [_lender(code, book, outcome, comparison, study) for code in book.codes]
    traffic = _traffic(outcome)
    return {
        "schema_version": 1,
        "title": study.title,
        "family": agreement.family,
        "seed": agreement.seed,
        "insecure": agreement.sums == "plain",
        "profile": agreement.profile,
        "versions": _versions(),
        "config_digest": agreement.digest(),
        "data": _data(study, book, outcome),
        "rounds": len(_training_records(outcome)),
        "lenders": lenders,
        "pooled": _pooled(book, outcome, comparison),
        "curves": curves_of(book, outcome, comparison, study.data.prevalence),
        "woe": woe_charts(outcome.run),
        "psi": drift_table(outcome),
        "traffic": traffic,
        "bytes_per_lender": traffic.pop("bytes_per_lender"),
        "seconds": seconds,
        "model": {
            "digest": outcome.model_digest,
            "parameters": outcome.run.model().parameters,
        },
        "warnings": _warnings(book, outcome, lenders),
    }


def _lender(
    code: str, book: Book, outcome: Outcome, comparison: Comparison, study: Study
) -> dict[str, Any]:
    table = book.table
    assert table.bad is not None  # a book is labelled
    everything = book.lender == code
    mine = everything[outcome.test]
    bad = table.bad[outcome.test][mine]
    scores = {
        "local": comparison.local,
        "local_tuned": comparison.tuned_local,
        "shared": outcome.shared,
        "personal": outcome.personal,
        "pooled": comparison.pooled,
    }
    out: dict[str, Any] = {
        "code": code,
        "rows": int(everything.sum()),
        "bad_rate": float(table.bad[everything].mean()),
        "test_rows": int(mine.sum()),
        "local_weight": outcome.results.get(code, {}).get("local_weight"),
    }
    for name, score in scores.items():
        out[f"auc_{name}"] = None if score is None else auc(bad, score[mine])
        out[f"ks_{name}"] = None if score is None else ks(bad, score[mine])
    out |= dict.fromkeys(("gain", "gain_low", "gain_high", "swap_set"))
    out["gain_over_tuned"] = _difference(out["auc_personal"], out["auc_local_tuned"])
    if comparison.local is not None:
        local, personal = comparison.local[mine], outcome.personal[mine]
        interval = gain_interval(bad, local, personal, seed=study.seed)
        if interval is not None:
            out |= {"gain": interval.gain, "gain_low": interval.low, "gain_high": interval.high}
        if len(bad):
            out["swap_set"] = _swap(bad, local, personal)
    return out


def _difference(value: float | None, other: float | None) -> float | None:
    return None if value is None or other is None else value - other


def _swap(bad: NDArray[np.int8], local: Floats, personal: Floats) -> dict[str, Any]:
    """Who changes sides at the approval rate of the lender's own share of good rows."""
    swapped = asdict(swap_set(bad, local, personal, round(float(1 - bad.mean()), 2)))
    swapped["bad_rate_local"] = swapped.pop("local_bad_rate")
    swapped["bad_rate_personal"] = swapped.pop("personal_bad_rate")
    return swapped


def _pooled(book: Book, outcome: Outcome, comparison: Comparison) -> dict[str, Any]:
    assert book.table.bad is not None  # a book is labelled
    bad = book.table.bad[outcome.test]
    scores = {
        "auc_shared": outcome.shared,
        "auc_personal": outcome.personal,
        "auc_local": comparison.local,
        "auc_local_tuned": comparison.tuned_local,
        "auc_lightgbm": comparison.pooled,
        "auc_lightgbm_knows_lender": comparison.knows_lender,
        "auc_fedavg_mlp": comparison.fedavg,
    }
    out: dict[str, Any] = {k: None if s is None else auc(bad, s) for k, s in scores.items()}
    out["ks_shared"] = ks(bad, outcome.shared)
    out["ks_personal"] = ks(bad, outcome.personal)
    evaluation = outcome.run.evaluation
    assert evaluation is not None  # a finished run is evaluated
    measured, separation = ranking.auc(*evaluation.shared), ranking.ks(*evaluation.shared)
    doubt = _share_in_doubt(outcome)
    out["federated"] = {
        "auc": _known(measured.value),
        "half_width": _known(measured.half_width + doubt),
        "ks": _known(separation.value),
        "ks_bound": _known(separation.bound + doubt),
    }
    return out


def _share_in_doubt(outcome: Outcome) -> float:
    """What joined small cells add to the certified error of AUC and KS."""
    evaluation = outcome.run.evaluation
    assert evaluation is not None  # a finished run is evaluated
    (record,) = (record for record in outcome.records if record.stage == "evaluation")
    minimum = outcome.run.agreement.minimum_cell
    return share_in_doubt(evaluation.shared, len(record.members), minimum)


def _known(value: float) -> float | None:
    """JSON has no NaN: a measure that test rows of one class do not give is None."""
    return None if np.isnan(value) else value


def _data(study: Study, book: Book, outcome: Outcome) -> dict[str, Any]:
    assert book.table.bad is not None  # a book is labelled
    return {
        "rows": book.table.rows,
        "lenders": len(book.codes),
        "features": len(book.table.schema.columns),
        "bad_rate": float(book.table.bad.mean()),
        "train_rows": len(outcome.roles.training) + len(outcome.roles.validation),
        "test_rows": len(outcome.test),
        "source": study.data.path.name,
        "prevalence": study.data.prevalence,
    }


def _training_records(outcome: Outcome) -> list[str]:
    return [r.stage for r in outcome.records if r.stage.split("/")[0] in ("trees", "network")]


def _traffic(outcome: Outcome) -> dict[str, Any]:
    """Bytes both ways and messages, per lender; training rounds are one line, as are set-ups."""
    stages: dict[str, dict[str, Any]] = {}
    for record in outcome.records:
        lenders = max(1, len(record.members))
        spent = (record.messages, record.bytes_up, record.bytes_down)
        for name, (messages, *sizes) in (("set-up", record.set_up), (record.stage, spent)):
            if messages:
                name = name.split("/")[0]
                entry = stages.setdefault(name, {"stage": name, "messages": 0.0, "bytes": 0.0})
                entry["messages"] += messages / lenders
                entry["bytes"] += sum(sizes) / lenders
    by_stage = [
        entry | {"messages": round(entry["messages"]), "bytes": round(entry["bytes"])}
        for entry in stages.values()
    ]
    return {
        "messages_per_lender": sum(entry["messages"] for entry in by_stage),
        "by_stage": by_stage,
        "bytes_per_lender": sum(entry["bytes"] for entry in by_stage),
    }


def _versions() -> dict[str, str]:
    names = ("lianfang", "flwr", "torch", "numpy", "pandas", "lightgbm")
    return {"python": python_version()} | {name: version(name) for name in names}


def _warnings(book: Book, outcome: Outcome, lenders: list[dict[str, Any]]) -> list[str]:
    found = list(book.warnings)
    for code, result in sorted(outcome.results.items()):
        suspect = [w for w in result.get("warnings", []) if "suspicious" in w or "value over" in w]
        found += [f"{code}: {warning}" for warning in suspect]
        found += [f"{code}: {w}" for w in result.get("warnings", []) if "bad rate" in w]
    for lender in lenders:
        if lender["auc_personal"] is None:
            found.append(f"{lender['code']}: its test rows are of one class; no measures")
        elif lender["test_rows"] < _LEAST_TEST_ROWS:
            found.append(
                f"{lender['code']}: only {lender['test_rows']} test rows; its figures are rough"
            )
    for code in sorted(set(book.codes) - set(outcome.results)):
        found.append(f"{code}: took no part to the end; it has no personal model")
    return found + _absences(outcome)


def _absences(outcome: Outcome) -> list[str]:
    """Who was missing at which stages, one line for each lender and reason; then who was in the
    sum and did not help to open it.
    """
    stages: dict[str, list[str]] = {}
    for record in outcome.records:
        for line in record.missing:
            stages.setdefault(f"went on without {line}", []).append(record.stage)
        for line in record.lost:
            told = f"opened without the help of {line} (its numbers are in the sum)"
            stages.setdefault(told, []).append(record.stage)
    return [
        f"stage {at[0]} {told}" if len(at) == 1 else f"{len(at)} stages, {at[0]} the first, {told}"
        for told, at in stages.items()
    ]
