"""A model as files: JSON beside safetensors. No pickle, so loading a model runs nothing.

    model.json           format, schema and its digest, transform, parts, about
    model.safetensors    every tensor of part i under the prefix "i."

Invariants:
- `from_files(to_files(model))` scores exactly as `model` does.
- What is loaded is checked: format, schema digest, tensor names, types and shapes. A file that
  was cut short is refused by name of what does not fit; an edited weight shows in `digest_of`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from math import isfinite
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from shared.errors import InternalError, OperatorError
from shared.model.features import PiecewiseLinear
from shared.model.network import Network
from shared.model.part import Part
from shared.model.shared_model import SharedModel
from shared.model.transform import CategoryBins, transform_from
from shared.model.trees import MAX_DEPTH, BoostedTrees
from shared.schema import parse_schema

FORMAT = 1
DOCUMENT, TENSORS = "model.json", "model.safetensors"
UNFIT = (
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    OverflowError,
    RuntimeError,
    InternalError,
)
"""What is raised where a document or tensor is not what its reader takes it for."""

_REMEDY = "take a fresh copy of the model's two files"


def to_files(model: SharedModel) -> dict[str, bytes]:
    """Contents by file name."""
    document = {
        "format": FORMAT,
        "schema": model.schema.to_dict(),
        "schema_digest": model.schema.digest(),
        "transform": model.transform.to_dict(),
        "parts": [_part_to_dict(part) for part in model.parts],
        "about": model.about,
    }
    tensors = {
        f"{i}.{name}": tensor.contiguous()
        for i, part in enumerate(model.parts)
        for name, tensor in tensors_of(part.module).items()
    }
    text = json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return {DOCUMENT: text.encode(), TENSORS: save(tensors)}


def digest_of(model: SharedModel) -> str:
    """SHA-256, hex, over everything that decides a score: two equal models agree on it."""
    files = to_files(SharedModel(model.schema, model.transform, model.parts))
    state = hashlib.sha256()
    for name in sorted(files):
        state.update(hashlib.sha256(files[name]).digest())
    return state.hexdigest()


def from_files(files: Mapping[str, bytes]) -> SharedModel:
    """Inverse of `to_files`; raises OperatorError saying what does not fit."""
    try:
        document = json.loads(files[DOCUMENT])
        tensors = load(files[TENSORS])
    except KeyError as error:
        raise OperatorError(f"the model has no file {error}", remedy=_REMEDY) from error
    except (ValueError, RecursionError, SafetensorError) as error:
        raise OperatorError(f"the model's files cannot be read: {error}", remedy=_REMEDY) from error
    try:
        return _model_from(document, tensors)
    except UNFIT as error:
        raise OperatorError(f"the model's files do not fit: {error}", remedy=_REMEDY) from error


def _model_from(document: dict[str, Any], tensors: Mapping[str, torch.Tensor]) -> SharedModel:
    if document["format"] != FORMAT:
        raise ValueError(f"format {document['format']} is not {FORMAT}")
    schema = parse_schema(document["schema"])
    if schema.digest() != document["schema_digest"]:
        raise ValueError("the schema was changed after saving")
    entries: list[Mapping[str, Any]] = document["parts"]
    parts = tuple(
        _part_from(entry, _with_prefix(tensors, f"{i}.")) for i, entry in enumerate(entries)
    )
    if {name.split(".")[0] for name in tensors} != {str(i) for i in range(len(parts))}:
        raise ValueError("tensors and parts are not the same number")
    model = SharedModel(schema, transform_from(document["transform"]), parts, document["about"])
    _check(model)
    return model


def _check(model: SharedModel) -> None:
    """What was loaded fits together, so that every row of the schema can be scored."""
    for column, bins in zip(model.schema.columns, model.transform.columns, strict=True):
        levels = bins.levels if isinstance(bins, CategoryBins) else ()
        if bins.name != column.name or levels != column.levels:
            raise ValueError(f"column {column.name}: the transform is of another schema")
    if not model.parts or not isinstance(model.about, dict):
        raise ValueError("it has no parts, or nothing about its making")
    for part in model.parts:
        if not isfinite(part.weight):
            raise ValueError("the weight of a part is not finite")
        if isinstance(part.module, BoostedTrees):
            asked = set(part.module.feature.flatten().tolist())
            fits = asked <= set(range(len(model.transform.columns)))
        else:
            width = PiecewiseLinear(model.transform, part.pieces).width
            fits = part.module.adapter.shape[1] == width
        if not fits:
            raise ValueError(f"a {part.kind} part is of other columns than the transform")


def tensors_of(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """A module's tensors by name, as they are written."""
    tensors = dict(module.state_dict())
    if isinstance(module, BoostedTrees):  # subsets as bits: an eighth of the size
        tensors["subset"] = _packed(tensors["subset"])
    return tensors


def _part_to_dict(part: Part) -> dict[str, object]:
    module = part.module
    if isinstance(module, BoostedTrees):
        shape = {"trees": module.trees, "depth": module.depth, "filled": module.filled}
    else:
        members, features = module.adapter.shape
        shape = {"features": features, "members": members, "width": len(module.second)}
    return {"kind": part.kind, "weight": part.weight, "pieces": part.pieces, "shape": shape}


def _part_from(entry: Mapping[str, Any], tensors: dict[str, torch.Tensor]) -> Part:
    shape = {name: int(size) for name, size in entry["shape"].items()}
    module: BoostedTrees | Network
    if entry["kind"] == "boosted":
        module = trees_from(shape["trees"], shape["depth"], shape["filled"], tensors)
    elif entry["kind"] == "network":
        module = _network_from(shape["features"], shape["width"], shape["members"], tensors)
    else:
        raise ValueError(f"unknown kind of part {entry['kind']!r}")
    return Part(module, float(entry["weight"]), int(entry["pieces"]))


def trees_from(
    trees: int, depth: int, filled: int, tensors: Mapping[str, torch.Tensor]
) -> BoostedTrees:
    """Trees of the stated shape from tensors as `tensors_of` gives them; ValueError if not so."""
    _of_shape(tensors, {"leaf": (trees, 2**depth)} if 1 <= depth <= MAX_DEPTH else {})
    if not 0 <= filled <= trees:
        raise ValueError("more trees are in use than there are")
    module = BoostedTrees(trees, depth, 0.0)
    module.filled = filled
    _load(module, {**tensors, "subset": _unpacked(tensors["subset"])})
    return module


def _network_from(
    features: int, width: int, members: int, tensors: Mapping[str, torch.Tensor]
) -> Network:
    if min(features, width, members) < 1:  # a tensor without values would vouch for any size
        raise ValueError("a network without features, width or members")
    shapes = {"adapter": (members, features), "first": (features, width)}
    _of_shape(tensors, shapes | {"second": (width, width), "head": (members, width)})
    module = Network(features, 0, width=width, members=members)
    _load(module, tensors)
    return module


def _of_shape(tensors: Mapping[str, torch.Tensor], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Nothing is allocated on the document's word: the tensors at hand must have the size."""
    if not shapes or any(
        tensors[name].shape != shape or not tensors[name].is_floating_point()
        for name, shape in shapes.items()
    ):
        raise ValueError("the tensors are of another size than the document says")


def _load(module: torch.nn.Module, tensors: Mapping[str, torch.Tensor]) -> None:
    for name, tensor in module.state_dict().items():
        if tensors[name].dtype != tensor.dtype or tensors[name].shape != tensor.shape:
            raise ValueError(f"tensor {name} has another type or shape than the document says")
        if tensor.is_floating_point() and not torch.isfinite(tensors[name]).all():
            raise ValueError(f"tensor {name} holds a number that is not finite")
    module.load_state_dict(dict(tensors))


def _with_prefix(tensors: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}


_BIT = 2 ** torch.arange(8, dtype=torch.uint8)


def _packed(flags: torch.Tensor) -> torch.Tensor:
    bits = flags.to(torch.uint8).reshape(*flags.shape[:-1], -1, 8) * _BIT
    return bits.sum(dim=-1, dtype=torch.uint8)


def _unpacked(packed: torch.Tensor) -> torch.Tensor:
    if packed.dtype != torch.uint8 or not packed.dim():
        raise ValueError("tensor subset is not packed bits")
    bits: torch.Tensor = (packed[..., None] & _BIT).ne(0).flatten(-2)
    return bits
