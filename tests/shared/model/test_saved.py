"""A model as files: the same scores after loading, and every damaged file refused by our error."""

import json
import pickletools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save

from shared.errors import OperatorError
from shared.model.features import PiecewiseLinear
from shared.model.network import Network
from shared.model.part import Part
from shared.model.saved import DOCUMENT, TENSORS, digest_of, from_files, to_files
from shared.model.shared_model import SharedModel
from shared.schema import Column, LabelContract, Schema, Table
from tests.shared.model.planted_trees import TRANSFORM, planted

SCHEMA = Schema(
    version=1,
    columns=(
        Column("income", "number"),
        Column("region", "category", levels=("a", "b", "c", "d")),
        Column("age", "number"),
        Column("purpose", "category", levels=("x", "y")),
    ),
    label=LabelContract("bad", bad=("1",), good=("0",)),
    row_key="row",
)


def model() -> SharedModel:
    network = Network(PiecewiseLinear(TRANSFORM, 4).width, seed=1, width=8, members=2)
    parts = (Part(planted(5, 3, room=2), 0.3), Part(network, 0.7, 4))
    return SharedModel(SCHEMA, TRANSFORM, parts, {"name": "spring", "seed": 3})


FILES = to_files(model())


def some_rows(rows: int) -> Table:
    rng = np.random.default_rng(3)
    values = {
        "income": np.where(rng.random(rows) < 0.1, np.nan, rng.uniform(0, 4, rows)),
        "region": rng.integers(-1, 5, rows).astype(np.int16),
        "age": rng.uniform(15, 70, rows),
        "purpose": rng.integers(-1, 3, rows).astype(np.int16),
    }
    return Table(SCHEMA, values, None, np.arange(rows))


def test_a_loaded_model_scores_to_the_bit_as_the_saved_one() -> None:
    """Trees and network, weights, schema, transform and what is told about it."""
    loaded, rows = from_files(FILES), some_rows(200)
    assert loaded.logit(rows).tobytes() == model().logit(rows).tobytes()
    assert (loaded.schema, loaded.transform) == (SCHEMA, TRANSFORM)
    assert loaded.about == model().about
    assert loaded.parameters == model().parameters
    assert loaded.parts[0].module.filled == 5
    reasons, base = loaded.explain(rows.take(np.arange(5)))
    expected, expected_base = model().explain(rows.take(np.arange(5)))
    assert (reasons.tobytes(), base) == (expected.tobytes(), expected_base)


def test_the_same_model_gives_the_same_bytes() -> None:
    """Saved twice, or saved, loaded and saved again."""
    assert to_files(model()) == FILES
    assert to_files(from_files(FILES)) == FILES


def test_nothing_in_the_files_is_a_pickle() -> None:
    """One is JSON, the other safetensors; neither opens as a pickle."""
    assert set(FILES) == {DOCUMENT, TENSORS}
    json.loads(FILES[DOCUMENT])
    assert load(FILES[TENSORS])
    for content in FILES.values():
        with pytest.raises(Exception):  # noqa: B017, PT011 - whatever a pickle reader says
            list(pickletools.genops(content))


def tensors() -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in load(FILES[TENSORS]).items()}


def test_the_digest_follows_whatever_decides_a_score() -> None:
    """One leaf's last bit, a network weight, a part's weight, the transform, the schema."""
    leaf, network = model(), model()
    with torch.no_grad():
        value = leaf.parts[0].module.leaf[2, 3]
        leaf.parts[0].module.leaf[2, 3] = torch.nextafter(value, value + 1)
        network.parts[1].module.head[0, 0] += 1e-3
    same = replace(model(), about={"name": "other"})
    variants = [
        model(),
        leaf,
        network,
        replace(model(), parts=model().parts[:1]),
        replace(model(), parts=(replace(model().parts[0], weight=0.31), model().parts[1])),
        replace(model(), transform=replace(TRANSFORM, columns=TRANSFORM.columns[::-1])),
        replace(model(), schema=replace(SCHEMA, version=2)),
    ]
    assert len({digest_of(variant) for variant in variants}) == len(variants)
    assert digest_of(same) == digest_of(model())


def refused(document: object = None, tensor_file: bytes | None = None) -> str:
    files = dict(FILES)
    if document is not None:
        files[DOCUMENT] = document if isinstance(document, bytes) else json.dumps(document).encode()
    if tensor_file is not None:
        files[TENSORS] = tensor_file
    with pytest.raises(OperatorError) as error:
        from_files(files)
    return str(error.value)


@settings(max_examples=60)
@given(st.sampled_from([DOCUMENT, TENSORS]), st.floats(0, 1, exclude_max=True))
def test_a_file_cut_anywhere_is_refused(name: str, share: float) -> None:
    """However many bytes are left."""
    cut = FILES[name][: int(share * len(FILES[name]))]
    with pytest.raises(OperatorError):
        from_files({**FILES, name: cut})


@settings(max_examples=150)
@given(st.integers(0, 10**6), st.integers(1, 255), st.sampled_from([DOCUMENT, TENSORS]))
def test_a_flipped_byte_loads_or_is_refused_but_never_crashes(
    place: int, change: int, name: str
) -> None:
    """A changed number may load (the digest tells); anything else is the operator's error."""
    bent = bytearray(FILES[name])
    bent[place % len(bent)] ^= change
    try:
        loaded = from_files({**FILES, name: bytes(bent)})
    except OperatorError:
        return
    assert np.isfinite(loaded.logit(some_rows(20))).all()


@pytest.mark.parametrize("name", [DOCUMENT, TENSORS])
def test_a_missing_file_is_named(name: str) -> None:
    """So the reader knows which of the two to fetch."""
    files = {key: content for key, content in FILES.items() if key != name}
    with pytest.raises(OperatorError, match=name):
        from_files(files)


def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FILES[DOCUMENT])
    return found


def edited(path: str, value: object) -> dict[str, Any]:
    """The document with one place changed; `...` takes the key away."""
    edited_document: Any = document()
    place, *keys = [int(key) if key.isdigit() else key for key in path.split(".")][::-1]
    inner = edited_document
    for key in reversed(keys):
        inner = inner[key]
    if value is ...:
        del inner[place]
    else:
        inner[place] = value
    return edited_document


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("format", 2),
        ("format", ...),
        ("schema", []),
        ("schema", ...),
        ("schema.columns.0.name", "wealth"),
        ("schema.columns.1.levels", ["a", "b", "c"]),
        ("schema_digest", "0" * 64),
        ("transform", []),
        ("transform", {}),
        ("transform.columns", [1]),
        ("transform.columns", []),
        ("transform.columns.0.name", "wealth"),
        ("transform.columns.0.edges", [2.0, 1.0]),
        ("transform.columns.0.edges", [1.0, float("nan")]),
        ("transform.columns.0.edges", ["a"]),
        ("transform.columns.0.edges", list(range(300))),
        ("transform.columns.1.order", [3, 0, 7]),
        ("transform.columns.1.order", [3, 0, -9]),
        ("transform.columns.1.order", [3, 0, 0]),
        ("transform.columns.1.levels", ["a"]),
        ("parts", {}),
        ("parts", []),
        ("parts", [[]]),
        ("parts.0.kind", "forest"),
        ("parts.0.kind", "network"),
        ("parts.0.shape", [5, 3, 5]),
        ("parts.0.shape.trees", 2**40),
        ("parts.0.shape.trees", 2**19),
        ("parts.0.shape.trees", float("inf")),
        ("parts.0.shape.depth", 60),
        ("parts.0.shape.depth", 4),
        ("parts.0.shape.filled", 8),
        ("parts.0.shape.filled", -1),
        ("parts.1.shape.members", 2**33),
        ("parts.1.shape.width", 2**20),
        ("parts.1.shape.features", 2**22),
        ("parts.1.shape.features", -4),
        ("parts.0.weight", float("nan")),
        ("parts.0.weight", float("inf")),
        ("parts.0.weight", None),
        ("parts.1.pieces", 1),
        ("parts.1.pieces", 0),
        ("parts.1.pieces", "many"),
        ("about", []),
    ],
)
def test_an_edited_document_is_refused(path: str, value: object) -> None:
    """Each place that decides a score or a size, before anything is allocated for it."""
    assert refused(edited(path, value))


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b"null", b"7", b'"model"', b"\xff\xfe", b"[" * 100_000, b'{"format": 1}'],
    ids=["empty", "list", "null", "number", "text", "bytes", "deep", "bare"],
)
def test_a_document_that_is_none_is_refused(text: bytes) -> None:
    """Any JSON, or none."""
    assert refused(text)


def with_nan(name: str) -> Callable[[dict[str, torch.Tensor]], None]:
    def bend(held: dict[str, torch.Tensor]) -> None:
        held[name].view(-1)[0] = torch.nan

    return bend


def with_value(name: str, value: int) -> Callable[[dict[str, torch.Tensor]], None]:
    def bend(held: dict[str, torch.Tensor]) -> None:
        held[name].view(-1)[0] = value

    return bend


def with_tensor(
    name: str, make: Callable[[torch.Tensor], torch.Tensor]
) -> Callable[[dict[str, torch.Tensor]], None]:
    def bend(held: dict[str, torch.Tensor]) -> None:
        held[name] = make(held[name])

    return bend


BENT: dict[str, Callable[[dict[str, torch.Tensor]], object]] = {
    "NaN leaf": with_nan("0.leaf"),
    "NaN cover": with_nan("0.cover"),
    "NaN weight": with_nan("1.second"),
    "other type": with_tensor("0.leaf", lambda t: t.float()),
    "other shape": with_tensor("0.leaf", lambda t: t[:, :-1].contiguous()),
    "other axes": with_tensor("1.first", lambda t: t.t().contiguous()),
    "no axes": with_tensor("0.subset", lambda t: torch.tensor(1, dtype=torch.uint8)),
    "wide subset": with_tensor("0.subset", lambda t: t.long()),
    "float subset": with_tensor("0.subset", lambda t: t.float()),
    "a column that is not there": with_value("0.feature", 4),
    "a column before the first": with_value("0.feature", -1),
    "gone": lambda held: held.pop("0.threshold"),
    "one too many": lambda held: held.update({"0.extra": torch.zeros(1)}),
    "a part too many": lambda held: held.update({"2.leaf": torch.zeros(1)}),
}


@pytest.mark.parametrize("bend", BENT)
def test_tensors_that_do_not_fit_are_refused(bend: str) -> None:
    """Type, shape, name, finite numbers, and columns that exist."""
    held = tensors()
    BENT[bend](held)
    assert refused(tensor_file=save(held))


def test_a_header_that_claims_more_than_the_file_holds_is_refused() -> None:
    """Nothing is allocated on its word."""
    header = {"0.leaf": {"dtype": "F64", "shape": [2**40, 8], "data_offsets": [0, 2**46]}}
    text = json.dumps(header).encode()
    assert refused(tensor_file=len(text).to_bytes(8, "little") + text)
    assert refused(tensor_file=(2**62).to_bytes(8, "little") + text)
