"""Boosted trees with public structure, as one torch module.

Every tree is symmetric: all nodes of a level ask the same question (one column, one threshold or
one subset of codes), so a row's leaf is the `depth` answers read as a binary number, first
question first. The questions come from a public seed, steered by sums that were released before
(`structure.py`); only the leaf values are learned, by Newton steps on summed gradients.

    Maddock, Cormode, Wang, Maple, Jha: Federated Boosted Decision Trees with Differential Privacy,
    CCS 2022 (arXiv 2210.02910) – random structure, released leaf sums.
    Prokhorenkova et al.: CatBoost, NeurIPS 2018 – symmetric ("oblivious") trees.
    Geurts, Ernst, Wehenkel: Extremely randomized trees, Machine Learning 63, 2006.

Invariants:
- `leaf_index` reads bin codes only and does float arithmetic nowhere: the same codes give the
  same leaf on every machine.
- A row's logit is the base plus its leaves, added tree by tree in order: it does not depend on
  which other rows are scored beside it.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from shared.model.structure import CODES, Structure

MAX_DEPTH = 8
_BLOCK_ROWS = 1 << 14  # rows at once: their codes stay in the processor's cache
_BLOCK_LOOKUPS = 1 << 18  # rows × questions at once: few rows share one call among many trees

Codes = NDArray[np.uint8]


class BoostedTrees(nn.Module):
    """`trees` symmetric trees of `depth` questions; the first `filled` of them are in use.

    Buffers: feature (T, D) int64, threshold (T, D) uint8, subset (T, D, 256) bool,
    uses_subset (T, D) bool; parameter leaf (T, 2**D) float64; cover (T, 2**D) float64 (summed
    Hessian of the training rows in each leaf); base () float64.
    """

    feature: Tensor
    threshold: Tensor
    subset: Tensor
    uses_subset: Tensor
    cover: Tensor
    base: Tensor

    def __init__(self, trees: int, depth: int, base: float) -> None:
        super().__init__()
        if not 1 <= depth <= MAX_DEPTH:
            raise ValueError(f"depth {depth} is not within 1 … {MAX_DEPTH}")
        self.depth = depth
        self.filled = 0
        self.register_buffer("feature", torch.zeros(trees, depth, dtype=torch.int64))
        self.register_buffer("threshold", torch.zeros(trees, depth, dtype=torch.uint8))
        self.register_buffer("subset", torch.zeros(trees, depth, CODES, dtype=torch.bool))
        self.register_buffer("uses_subset", torch.zeros(trees, depth, dtype=torch.bool))
        self.register_buffer("cover", torch.zeros(trees, 2**depth, dtype=torch.float64))
        self.register_buffer("base", torch.tensor(base, dtype=torch.float64))
        self.leaf = nn.Parameter(torch.zeros(trees, 2**depth, dtype=torch.float64), False)

    @property
    def trees(self) -> int:
        """Number of trees there is room for."""
        return len(self.leaf)

    def plant(self, structure: Structure) -> None:
        """Write the next trees' questions behind the filled ones; leaves stay zero."""
        span = slice(self.filled, self.filled + len(structure.feature))
        self.feature[span] = torch.as_tensor(structure.feature)
        self.threshold[span] = torch.as_tensor(structure.threshold)
        self.subset[span] = torch.as_tensor(structure.subset)
        self.uses_subset[span] = torch.as_tensor(structure.uses_subset)

    def fill(self, leaf: NDArray[np.float64], cover: NDArray[np.float64]) -> None:
        """Give the planted trees their leaf values and covers, each (B, 2**D); advance `filled`."""
        span = slice(self.filled, self.filled + len(leaf))
        self.leaf[span] = torch.as_tensor(leaf)
        self.cover[span] = torch.as_tensor(cover)
        self.filled = span.stop

    def first(self, trees: int) -> BoostedTrees:
        """A model of its own with the first `trees` of the filled trees."""
        kept = BoostedTrees(trees, self.depth, float(self.base))
        kept.load_state_dict(
            {name: part[:trees] if part.ndim else part for name, part in self.state_dict().items()}
        )
        kept.filled = trees
        return kept

    def leaf_index(self, codes: Codes, first: int, last: int) -> Codes:
        """Leaf of every row in trees first … last-1, uint8 (last-first, n); codes uint8 (F, n)."""
        rows = codes.shape[1]
        out = np.empty((last - first, rows), dtype=np.uint8)
        for start in range(0, rows, _BLOCK_ROWS):
            block = slice(start, min(start + _BLOCK_ROWS, rows))
            seen = np.ascontiguousarray(codes[:, block])
            together = max(1, _BLOCK_LOOKUPS // (self.depth * seen.shape[1]))
            for tree in range(first, last, together):
                stop = min(last, tree + together)
                out[tree - first : stop - first, block] = self._nodes(seen, tree, stop)
        return out

    def _nodes(self, seen: Codes, first: int, last: int) -> Codes:
        """Leaf of every row of a block, a few trees at once, (last-first, rows in the block)."""
        asked = seen[self.feature[first:last].reshape(-1).numpy()]
        right = (asked > self.threshold[first:last].reshape(-1, 1).numpy()).view(np.uint8)
        subset = self.subset[first:last].reshape(-1, CODES).numpy().view(np.uint8)
        for question in self.uses_subset[first:last].reshape(-1).numpy().nonzero()[0]:
            right[question] = subset[question].take(asked[question])
        bits = right.reshape(last - first, self.depth, -1)
        node: Codes = bits[:, 0].copy()
        for level in range(1, self.depth):
            np.left_shift(node, 1, out=node)
            np.bitwise_or(node, bits[:, level], out=node)
        return node

    def add_leaves(self, logit: NDArray[np.float64], index: Codes, first: int) -> None:
        """Add the leaves of trees first, first+1, … to `logit` (n,), in place, tree by tree."""
        leaf = self.leaf.detach().numpy()
        for start in range(0, len(logit), _BLOCK_ROWS):
            block = slice(start, start + _BLOCK_ROWS)
            part = logit[block]
            for offset, nodes in enumerate(index[:, block]):
                part += leaf[first + offset].take(nodes)

    @torch.no_grad()
    def forward(self, codes: Tensor) -> Tensor:
        """Logit of PD, float64 (n,), of bin codes uint8 (F, n)."""
        seen = codes.numpy()
        logit = np.full(seen.shape[1], float(self.base))
        for start in range(0, seen.shape[1], _BLOCK_ROWS):
            block = slice(start, start + _BLOCK_ROWS)
            index = self.leaf_index(seen[:, block], 0, self.filled)
            self.add_leaves(logit[block], index, 0)
        return torch.from_numpy(logit)
