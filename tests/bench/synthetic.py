"""Made-up lenders of any size, written straight to their folders: for time and memory, not for AUC.

Thirty columns: sixteen skewed amounts, eight counts or ratios, six categories. The logit of being
bad is a sum of steps, one product and a lender's own shift, so that there is something to learn.
A lender's rows are a function of the seed and the lender's number alone; one lender is in memory at
a time.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd

from server.coordinator.rounds import AGREEMENT
from server.simulation.founding import LENDERS
from shared.schema import Schema, parse_schema
from shared.training.agreement import Agreement

AMOUNTS, RATIOS, CATEGORIES = 16, 8, 6
COLUMNS = AMOUNTS + RATIOS + CATEGORIES
LEVELS = tuple(f"v{level:02d}" for level in range(12))
MISSING_SHARE = 0.05
_BLOCK_COLUMN, _BAD_COLUMN, _KEY_COLUMN = "c{:02d}", "bad", "loan_id"


def synthetic_schema() -> Schema:
    """The consortium's schema, through the same parser as a declared one."""
    names = [_BLOCK_COLUMN.format(number) for number in range(COLUMNS)]
    columns = [
        {"name": name, "kind": "number"}
        if number < AMOUNTS + RATIOS
        else {"name": name, "kind": "category", "levels": list(LEVELS)}
        for number, name in enumerate(names)
    ]
    return parse_schema(
        {
            "table": {"version": 1, "row_key": _KEY_COLUMN},
            "label": {"column": _BAD_COLUMN, "bad": ["1"], "good": ["0"]},
            "columns": columns,
        }
    )


def write_federation(folder: Path, rows: int, lenders: int, seed: int) -> list[Path]:
    """Folders of a run with `rows` rows over `lenders` equal lenders; returns the lenders'."""
    agreement = Agreement(name="scale", schema=synthetic_schema(), seed=seed)
    terms = json.dumps(agreement.to_dict())
    homes = []
    for number in range(lenders):
        code = f"L{number + 1:02d}"
        home = folder / LENDERS / code
        home.mkdir(parents=True)
        (home / "agreement.json").write_text(terms, encoding="utf-8")
        (home / "client.toml").write_text(_settings(code, seed), encoding="utf-8")
        share = rows // lenders + (number < rows % lenders)
        lender_rows(share, number, seed).to_parquet(home / "table.parquet", index=False)
        homes.append(home)
    (folder / AGREEMENT).write_text(terms, encoding="utf-8")
    return homes


def lender_rows(rows: int, number: int, seed: int) -> pd.DataFrame:
    """One lender's file as its export would hold it: numbers, texts, a key and a label."""
    rng = np.random.default_rng([seed, number])
    columns: dict[str, object] = {_KEY_COLUMN: [f"{number:03d}-{row:08d}" for row in range(rows)]}
    logit = np.full(rows, -2.2 + 0.3 * rng.standard_normal())
    kept = np.zeros((2, rows))
    for position in range(AMOUNTS + RATIOS):
        values = _numbers(rng, rows, position)
        logit += (0.5 / (1 + position)) * np.sign(values - np.median(values))
        kept[position % 2] += values > np.median(values)
        values[rng.random(rows) < MISSING_SHARE] = np.nan
        columns[_BLOCK_COLUMN.format(position)] = values
    logit += 0.4 * (kept[0] > AMOUNTS // 2) * (kept[1] > AMOUNTS // 2)
    for position in range(AMOUNTS + RATIOS, COLUMNS):
        level = rng.integers(len(LEVELS), size=rows)
        logit += 0.05 * (level - len(LEVELS) / 2) / (1 + position - AMOUNTS - RATIOS)
        columns[_BLOCK_COLUMN.format(position)] = np.array(LEVELS)[level]
    columns[_BAD_COLUMN] = (rng.random(rows) < 1 / (1 + np.exp(-logit))).astype(np.int8)
    return pd.DataFrame(columns)


def _numbers(rng: np.random.Generator, rows: int, position: int) -> np.ndarray:
    if position < AMOUNTS:
        return np.round(np.exp(rng.normal(8.0, 1.0, rows)), 2)
    if position % 2:
        return rng.poisson(4.0, rows).astype(np.float64)
    return np.round(rng.beta(2.0, 5.0, rows), 4)


def _settings(code: str, seed: int) -> str:
    secret = int.from_bytes(hashlib.sha256(f"scale|{seed}|{code}".encode()).digest()[:7], "big")
    return (
        f'[lender]\nmember = "{code}"\ntable = "table.parquet"\n'
        f'agreement = "agreement.json"\nsecret = {secret}\n'
    )
