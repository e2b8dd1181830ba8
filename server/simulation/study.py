"""What a researcher asks for: a data set, who the lenders are, how to train. Read from a TOML file.

[data]
path   = "sba_demo.csv.gz"        CSV or Parquet, relative to the TOML file
schema = "consortium.toml"        a declared schema; without it, one is inferred from:
label  = "bad"                    the label column; bad = "1" its bad value
row_key, time, categories         optional
lender = "lender"                 the column that names the lender, or instead of it
borrowers = "borrowers.csv"       which rows are of one borrower, for --borrowing
[data.partition]                  kind = iid | dirichlet | quantile | sizes, lenders = 8,
                                  alpha = 0.5, column = "amount", sizes = [0.5, 0.3, 0.2]
[run]
family, seed, rounds, test_share, validation_share, out_of_time, title
minimum_lenders, minimum_cell
patience, deadline                seconds: once enough have answered, and at all
[references]
lightgbm = "demo"                 a section of lightgbm.toml; fedavg_mlp = true
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from server.coordinator.exchange import Policy
from server.simulation.partition import Kind
from shared.errors import OperatorError
from shared.training.agreement import Family, Profile

_Wanted = tuple[str, Callable[[object], bool]]
_TEXT: _Wanted = ("a text", lambda value: isinstance(value, str))
_TEXTS: _Wanted = (
    "a list of texts",
    lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value),
)
_FLAG: _Wanted = ("true or false", lambda value: isinstance(value, bool))
_WHOLE: _Wanted = ("a whole number", lambda value: type(value) is int)
_VALUE: _Wanted = ("a text or a whole number", lambda value: type(value) in (str, int))
_VALUES: _Wanted = (
    "a list of texts or whole numbers",
    lambda value: isinstance(value, list) and all(type(item) in (str, int) for item in value),
)
_NUMBER: _Wanted = ("a number", lambda value: _is_number(value))
_NUMBERS: _Wanted = (
    "a list of numbers",
    lambda value: isinstance(value, list) and all(_is_number(item) for item in value),
)
_SECTION: _Wanted = ("a section", lambda value: isinstance(value, dict))
_KEYS: dict[str, dict[str, _Wanted]] = {
    "data": {
        "path": _TEXT,
        "schema": _TEXT,
        "label": _TEXT,
        "bad": _VALUE,
        "good": _VALUES,
        "row_key": _TEXT,
        "time": _TEXT,
        "categories": _TEXTS,
        "lender": _TEXT,
        "partition": _SECTION,
        "prevalence": _NUMBER,
        "borrowers": _TEXT,
    },
    "data.partition": {
        "kind": _TEXT,
        "lenders": _WHOLE,
        "alpha": _NUMBER,
        "column": _TEXT,
        "sizes": _NUMBERS,
    },
    "run": {
        "title": _TEXT,
        "family": _TEXT,
        "seed": _WHOLE,
        "rounds": _WHOLE,
        "test_share": _NUMBER,
        "validation_share": _NUMBER,
        "out_of_time": _NUMBER,
        "minimum_lenders": _WHOLE,
        "minimum_cell": _WHOLE,
        "patience": _NUMBER,
        "deadline": _NUMBER,
    },
    "consortium": {"name": _TEXT, "profile": _TEXT, "minimum_lenders": _WHOLE},
    "references": {"lightgbm": _TEXT, "fedavg_mlp": _FLAG, "pooled": _FLAG, "local": _FLAG},
}
_DOCUMENTED = "docs/simulation.md"
SEEDS = 2**32
"""A seed is a whole number from 0 to below this."""


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
    good: tuple[str, ...] = ()
    row_key: str | None = None
    time: str | None = None
    categories: tuple[str, ...] = ()
    lender: str | None = None
    partition: Partition | None = None
    prevalence: float | None = None
    borrowers: Path | None = None


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
    profile: Profile = "demo"
    minimum_cell: int = 1
    patience: float = Policy.patience
    deadline: float = Policy.deadline
    references: References = field(default_factory=References)


def read_study(path: Path) -> Study:
    """Read a study; raises OperatorError naming file and key."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OperatorError(f"{path}: cannot be read", remedy="check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OperatorError(f"{path}: {error}", remedy="mend the file's syntax") from error
    for name in document:
        if name not in ("data", "run", "references"):
            raise OperatorError(
                f"{path}: the file has an unknown key {name!r}",
                remedy="known sections: [data], [data.partition], [run], [references]",
            )
    data = _section(path, document, "data")
    run = _section(path, document, "run")
    references = _section(path, document, "references")
    if not 0 <= run.get("seed", 0) < SEEDS:
        raise OperatorError(
            f"{path}: [run] seed is not within 0 … 2**32-1", remedy="choose another"
        )
    if not 0 < run.get("patience", Policy.patience) <= run.get("deadline", Policy.deadline):
        raise OperatorError(
            f"{path}: [run] patience and deadline are not seconds above 0, the deadline the longer",
            remedy=f"choose others; the usual are {Policy.patience:g} and {Policy.deadline:g}",
        )
    source = _source(path, data)
    title = run.pop("title", path.stem)
    terms = _consortium(source.schema) | run
    return Study(data=source, title=title, references=References(**references), **terms)


def _consortium(declared: Path | None) -> dict[str, Any]:
    """What a declared schema's [consortium] says: the profile and the fewest lenders."""
    if declared is None:
        return {}
    try:
        document = tomllib.loads(declared.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OperatorError(f"{declared}: {error}", remedy="check the schema") from error
    consortium = _section(declared, document, "consortium")
    return {key: value for key, value in consortium.items() if key != "name"}


def _source(path: Path, data: dict[str, Any]) -> DataSource:
    if "path" not in data:
        raise OperatorError(f"{path}: [data] has no path", remedy='add path = "my.csv"')
    if ("schema" in data) == ("label" in data):
        raise OperatorError(
            f"{path}: [data] needs either schema (a declared one) or label (to infer one)",
            remedy='add schema = "consortium.toml" or label = "name of the label column"',
        )
    if ("partition" in data) == ("lender" in data):
        raise OperatorError(
            f"{path}: say who the lenders are: either lender = a column, or [data.partition]",
            remedy='write lender = "column" under [data], or a section [data.partition], not both',
        )
    if not 0 < data.get("prevalence", 0.5) < 1:
        raise OperatorError(
            f"{path}: [data] prevalence is not between 0 and 1", remedy="write 0.1756 for 17.56 %"
        )
    if "partition" in data:
        asked = _section(path, data, "partition", "data.partition")
        sizes = asked.pop("sizes", None)
        data["partition"] = Partition(**asked, sizes=tuple(sizes) if sizes else None)
    if "bad" in data:
        data["bad"] = str(data["bad"])
    data["good"] = tuple(str(value) for value in data.pop("good", ()))
    data["categories"] = tuple(data.pop("categories", ()))
    for name in ("schema", "borrowers"):
        if name in data:
            data[name] = path.parent / data[name]
    return DataSource(path=path.parent / data.pop("path"), **data)


def _section(
    path: Path, document: Mapping[str, Any], name: str, title: str | None = None
) -> dict[str, Any]:
    """A section whose keys are all known and of the right type; empty when it is not there."""
    section, title = document.get(name, {}), title or name
    if not isinstance(section, dict):
        raise OperatorError(f"{path}: {title} is not a section", remedy=f"write [{title}]")
    for key, value in section.items():
        wanted = _KEYS[title].get(key)
        if wanted is None:
            raise OperatorError(
                f"{path}: [{title}] has an unknown key {key!r}",
                remedy=f"known keys: {', '.join(sorted(_KEYS[title]))}",
            )
        if not wanted[1](value):
            raise OperatorError(
                f"{path}: [{title}] {key} is {value!r}",
                remedy=f"write {wanted[0]}, see {_DOCUMENTED}",
            )
    return dict(section)


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]
