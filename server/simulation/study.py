"""What a researcher asks for: a data set, who the lenders are, how to train. Read from a TOML file.

[data]
path   = "sba_demo.csv.gz"        CSV or Parquet, relative to the TOML file
schema = "consortium.toml"        a declared schema; without it, one is inferred from:
label  = "bad"                    the label column; bad = "1" its bad value
row_key, time, categories         optional
lender = "lender"                 the column that names the lender, or instead of it
[data.partition]                  kind = iid | dirichlet | quantile | sizes, lenders = 8,
                                  alpha = 0.5, column = "amount", sizes = [0.5, 0.3, 0.2]
[run]
family, seed, rounds, test_share, validation_share, out_of_time, title
[references]
lightgbm = "demo"                 a section of lightgbm.toml; fedavg_mlp = true
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from server.simulation.partition import Kind
from shared.errors import OperatorError
from shared.training.agreement import Family

_KEYS = {
    "data": {
        "path",
        "schema",
        "label",
        "bad",
        "row_key",
        "time",
        "categories",
        "lender",
        "partition",
        "prevalence",
    },
    "partition": {"kind", "lenders", "alpha", "column", "sizes"},
    "run": {
        *("title", "family", "seed", "rounds", "test_share", "validation_share"),
        *("out_of_time", "minimum_lenders"),
    },
    "references": {"lightgbm", "fedavg_mlp", "pooled", "local"},
}


@dataclass(frozen=True)
class Partition:
    """Lenders that are made, not found: see `partition.py`."""

    kind: Kind = "iid"
    lenders: int = 8
    alpha: float = 0.5
    column: str | None = None
    sizes: tuple[float, ...] | None = None


@dataclass(frozen=True)
class DataSource:
    """Where rows come from. Either `schema` (a file) or `label` is given."""

    path: Path
    schema: Path | None = None
    label: str | None = None
    bad: str | None = None
    row_key: str | None = None
    time: str | None = None
    categories: tuple[str, ...] = ()
    lender: str | None = None
    partition: Partition | None = None
    prevalence: float | None = None


@dataclass(frozen=True)
class References:
    """What the shared model is compared with. All of it pools rows: the researcher's view only."""

    lightgbm: str = ""
    fedavg_mlp: bool = True
    pooled: bool = True
    local: bool = True


@dataclass(frozen=True)
class Study:
    """One researcher's question."""

    data: DataSource
    title: str
    family: Family = "boosted"
    seed: int = 0
    rounds: int | None = None
    test_share: float = 0.2
    validation_share: float = 0.1
    out_of_time: float | None = None
    minimum_lenders: int = 3
    references: References = field(default_factory=References)


def read_study(path: Path) -> Study:
    """Read a study; raises OperatorError naming file and key."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OperatorError(f"{path}: cannot be read", remedy="check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OperatorError(f"{path}: {error}", remedy="mend the file's syntax") from error
    _known(path, "the file", document, {"data", "run", "references"})
    data = _section(path, document, "data")
    run = _section(path, document, "run")
    references = _section(path, document, "references")
    try:
        study = Study(
            data=_source(path, data),
            title=str(run.pop("title", path.stem)),
            references=References(**references),
            **run,
        )
    except TypeError as error:
        raise OperatorError(f"{path}: {error}", remedy="see docs/simulation.md") from error
    return study


def _source(path: Path, data: dict[str, Any]) -> DataSource:
    if "path" not in data:
        raise OperatorError(f"{path}: [data] has no path", remedy='add path = "my.csv"')
    if ("schema" in data) == ("label" in data):
        raise OperatorError(
            f"{path}: [data] needs either schema (a declared one) or label (to infer one)",
            remedy='add schema = "consortium.toml" or label = "name of the label column"',
        )
    partition = data.pop("partition", None)
    if (partition is not None) == ("lender" in data):
        raise OperatorError(
            f"{path}: say who the lenders are: either lender = a column, or [data.partition]",
            remedy="remove one of them, or add one",
        )
    if partition is not None:
        _known(path, "[data.partition]", partition, _KEYS["partition"])
        sizes = partition.pop("sizes", None)
        data["partition"] = Partition(**partition, sizes=tuple(sizes) if sizes else None)
    data["categories"] = tuple(data.pop("categories", ()))
    if "schema" in data:
        data["schema"] = path.parent / data["schema"]
    return DataSource(path=path.parent / str(data.pop("path")), **data)


def _section(path: Path, document: Mapping[str, Any], name: str) -> dict[str, Any]:
    section = document.get(name, {})
    if not isinstance(section, dict):
        raise OperatorError(f"{path}: {name} is not a section", remedy=f"write [{name}]")
    _known(path, f"[{name}]", section, _KEYS[name])
    return dict(section)


def _known(path: Path, where: str, section: Mapping[str, Any], keys: set[str]) -> None:
    for key in section:
        if key not in keys:
            raise OperatorError(
                f"{path}: {where} has an unknown key {key!r}",
                remedy=f"known keys: {', '.join(sorted(keys))}",
            )
