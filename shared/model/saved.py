"""A model as files: JSON beside safetensors. No pickle, so loading a model runs nothing.

    model.json           format, schema and its digest, transform, parts, about
    model.safetensors    every tensor of part i under the prefix "i."

Invariants:
- `from_files(to_files(model))` scores exactly as `model` does.
- What is loaded is checked: format, schema digest, tensor names, types and shapes. A file that
  was cut short or edited is refused by name of what does not fit.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from shared.errors import OperatorError
from shared.model.network import Network
from shared.model.shared_model import Part, SharedModel
from shared.model.transform import transform_from
from shared.model.trees import MAX_DEPTH, BoostedTrees
from shared.schema import Schema

FORMAT = 1
DOCUMENT, TENSORS = "model.json", "model.safetensors"
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
        document: dict[str, Any] = json.loads(files[DOCUMENT])
        tensors = load(files[TENSORS])
    except KeyError as error:
        raise OperatorError(f"the model has no file {error}", remedy=_REMEDY) from error
    except (ValueError, SafetensorError) as error:
        raise OperatorError(f"the model's files cannot be read: {error}", remedy=_REMEDY) from error
    if document.get("format") != FORMAT:
        raise OperatorError(f"the model has format {document.get('format')}, not {FORMAT}")
    try:
        schema = Schema.from_dict(document["schema"])
        if schema.digest() != document["schema_digest"]:
            raise OperatorError("the model's schema was changed after saving", remedy=_REMEDY)
        parts = tuple(
            _part_from(entry, _with_prefix(tensors, f"{i}."))
            for i, entry in enumerate(document["parts"])
        )
        transform = transform_from(document["transform"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise OperatorError(f"the model's files do not fit: {error}", remedy=_REMEDY) from error
    return SharedModel(schema, transform, parts, document.get("about", {}))


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
        if shape["features"] * shape["width"] > 2**26:
            raise ValueError("more weights than any model has")
        module = Network(shape["features"], 0, width=shape["width"], members=shape["members"])
        _load(module, tensors)
    else:
        raise ValueError(f"unknown kind of part {entry['kind']!r}")
    return Part(module, float(entry["weight"]), int(entry["pieces"]))


def trees_from(
    trees: int, depth: int, filled: int, tensors: Mapping[str, torch.Tensor]
) -> BoostedTrees:
    """Trees of the stated shape from tensors as `tensors_of` gives them; ValueError if not so."""
    if not (0 <= filled <= trees <= 2**20 and 1 <= depth <= MAX_DEPTH):
        raise ValueError("more trees than any model has")
    module = BoostedTrees(trees, depth, 0.0)
    module.filled = filled
    _load(module, {**tensors, "subset": _unpacked(tensors["subset"])})
    return module


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
    bits: torch.Tensor = (packed[..., None] & _BIT).ne(0).flatten(-2)
    return bits
