"""simulate.py over the rows and the schema that `consortium.founded` gives its lenders."""

from __future__ import annotations

import json
from pathlib import Path

import simulate
from client.desk import close_all
from tests.deployment.consortium import CODES, SIZES, TERMS
from tests.federation import table

_STUDY = """\
[data]
path = "applicants.csv"
schema = "schema.toml"
lender = "lender"
[run]
family = "{family}"
seed = {seed}
rounds = {rounds}
title = "three tiny lenders"
"""


def simulated(
    folder: Path, *, family: str, seed: int, rounds: int = 2
) -> tuple[str, dict[str, Path]]:
    """The model's digest as the report has it, and the lenders' folders by code."""
    folder.mkdir(parents=True)
    (folder / "schema.toml").write_text(TERMS[TERMS.index("[table]") :])
    table(SIZES).to_csv(folder / "applicants.csv", index=False)
    (folder / "study.toml").write_text(_STUDY.format(family=family, seed=seed, rounds=rounds))
    words = ["--config", str(folder / "study.toml"), "--out", str(folder / "out"), "--quick"]
    try:
        assert simulate.main(words) == 0
    finally:
        close_all()
    report = json.loads((folder / "out/report.json").read_text())
    homes = folder / "out/run/lenders"
    return str(report["model"]["digest"]), {code: homes / code for code in CODES}
