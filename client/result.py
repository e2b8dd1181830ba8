"""What a lender keeps of a run, in its own folder. Nothing here is ever sent.

own/result.json            rows, measures on its own test rows, drift, weight of its local model
own/test_scores.parquet    row key, label, shared and personal logit of its test rows
own/model/                 the shared model (JSON and safetensors)
own/model/personal.*       its personal layer
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from client.drift import column_drift, drift
from client.files import write_whole
from client.personal import PersonalModel
from client.saved_personal import personal_files
from client.settings import ClientSettings
from shared.errors import InternalError
from shared.model.saved import digest_of, to_files
from shared.statistics.ranking import auc, ks
from shared.statistics.scores import SCORE_BINS, SCORE_LOW, logit_histogram, score_of_logit
from shared.training.rows import LenderRows
from shared.training.run import Run


def write_result(
    settings: ClientSettings,
    run: Run,
    rows: LenderRows,
    model: PersonalModel,
    warnings: tuple[str, ...] = (),
) -> None:
    """Write everything; each file appears whole or not at all.

    The result of another run is kept under own/earlier/: a message may end a run, but never the
    only copy of a model in use.
    """
    _keep_earlier(settings.own, run)
    shared, test = run.logit(rows), rows.roles.test
    codes = model.shared.transform.codes(rows.table.take(test))
    personal = model.layer.logit(shared[test], codes)
    files = to_files(model.shared) | personal_files(model.layer)
    for name, content in files.items():
        write_whole(settings.own / "model" / name, content)
    scores = pd.DataFrame(
        {
            "row_key": rows.table.row_key[test].astype(str),
            "bad": rows.bad[test],
            "shared": shared[test],
            "personal": personal,
        }
    )
    write_whole(settings.own / "test_scores.parquet", scores.to_parquet(index=False))
    result = _measures(run, rows, shared, personal) | {
        "member": settings.member,
        "agreement": settings.agreement.digest(),
        "model": digest_of(model.shared),
        "run": run.digest,
        "warnings": list(warnings),
        "intercept": model.layer.intercept,
        "local_weight": model.layer.local_weight,
        "residual_scale": model.layer.residual_scale,
    }
    text = json.dumps(result, indent=1, sort_keys=True, ensure_ascii=False)
    write_whole(settings.own / "result.json", text.encode())


def _keep_earlier(own: Path, run: Run) -> None:
    path = own / "result.json"
    if not path.exists():
        return
    earlier = str(json.loads(path.read_text(encoding="utf-8")).get("run", "unknown"))
    if earlier == run.digest:
        return
    kept = own / "earlier" / hashlib.sha256(earlier.encode()).hexdigest()[:12]
    kept.mkdir(parents=True, exist_ok=True)
    for name in ("model", "test_scores.parquet", "result.json"):
        if (own / name).exists() and not (kept / name).exists():
            (own / name).rename(kept / name)


def _measures(
    run: Run, rows: LenderRows, shared: NDArray[np.float64], personal: NDArray[np.float64]
) -> dict[str, object]:
    test = rows.roles.test
    out: dict[str, object] = {
        "rows": rows.table.rows,
        "bad_rate": float(rows.bad.mean()),
        "training_rows": len(rows.roles.training),
        "validation_rows": len(rows.roles.validation),
        "test_rows": len(test),
        "psi": _drifts(run, rows, shared),
    }
    for name, logit in (("shared", shared[test]), ("personal", personal)):
        good, bad = logit_histogram(logit, rows.bad[test])
        measured, separation = auc(good, bad), ks(good, bad)
        out[f"auc_{name}"] = None if np.isnan(measured.value) else measured.value
        out[f"auc_{name}_half_width"] = None if np.isnan(measured.value) else measured.half_width
        out[f"ks_{name}"] = None if np.isnan(separation.value) else separation.value
    return out


def _drifts(run: Run, rows: LenderRows, shared: NDArray[np.float64]) -> dict[str, float | None]:
    transform, bins, evaluation = run.preparation.transform, run.preparation.bins, run.evaluation
    if transform is None or bins is None or evaluation is None:
        raise InternalError("a result is asked for before the run is evaluated")
    training = rows.roles.training
    codes = transform.codes(rows.table.take(training))
    points = score_of_logit(shared[training]) - SCORE_LOW
    own = np.bincount(points, minlength=SCORE_BINS).astype(np.int64)
    columns = {
        name: column_drift(bins.counts[name], row)
        for name, row in zip(transform.names, codes, strict=True)
    }
    return {"score": drift(evaluation.drift, own)} | columns
