"""A personal layer as files beside the shared model's. Data only: nothing runs when it is loaded.

The layer's trees are saved with the shared model's own writer (as two parts named residual and
local), so there is one format to check.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isfinite
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save

from client.personal import PersonalLayer
from shared.errors import OperatorError
from shared.model.saved import UNFIT, tensors_of, trees_from
from shared.model.trees import BoostedTrees

DOCUMENT, TENSORS = "personal.json", "personal.safetensors"


def personal_files(layer: PersonalLayer) -> dict[str, bytes]:
    """Contents by file name."""
    trees = {"residual": layer.residual, "local": layer.local}
    held = {name: module for name, module in trees.items() if module is not None}
    document = {
        "format": 1,
        "intercept": layer.intercept,
        "local_weight": layer.local_weight,
        "residual_scale": layer.residual_scale,
        "trees": {name: [m.trees, m.depth, m.filled] for name, m in held.items()},
    }
    tensors = {
        f"{name}.{key}": tensor.contiguous()
        for name, module in held.items()
        for key, tensor in tensors_of(module).items()
    }
    return {DOCUMENT: json.dumps(document, indent=1).encode(), TENSORS: save(tensors)}


def personal_from(files: Mapping[str, bytes]) -> PersonalLayer:
    """Inverse of `personal_files`; raises OperatorError saying what does not fit."""
    try:
        document: dict[str, Any] = json.loads(files[DOCUMENT])
        tensors = load(files[TENSORS])
        trees: dict[str, BoostedTrees] = {}
        for name, (count, depth, filled) in document["trees"].items():
            held = {k.removeprefix(f"{name}."): t for k, t in tensors.items() if k.startswith(name)}
            trees[name] = trees_from(count, depth, filled, held)
        intercept, weight = float(document["intercept"]), float(document["local_weight"])
        scale = float(document["residual_scale"])
        if not (isfinite(intercept) and 0 <= weight <= 1 and 0 <= scale <= 1):
            raise ValueError("intercept, weight or scale is out of range")
        return PersonalLayer(
            intercept,
            weight,
            scale,
            trees.get("residual"),
            trees.get("local"),
        )
    except (*UNFIT, SafetensorError) as error:
        raise OperatorError(
            f"the personal layer's files do not fit: {error}",
            remedy="take the two files from one run; or score with the shared model alone",
        ) from error
