"""Tokens that the cache does not have yet: asked for in parts, and kept as they come.

Invariants:
- A part that was answered is on the disk before the next one is taken. Whatever fails after it, a
  used up quota for example, costs no part a second time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from client.exchange.cache import TokenCache
from client.exchange.sorted_keys import Numbers
from shared.tokens.tags import tags_of

Outputs = NDArray[np.uint8]
Parts = Iterable[tuple[Sequence[bytes], Outputs]]
"""Some inputs, all different, and their outputs (m, 64), as `Holders.in_parts` gives them."""
InParts = Callable[[Sequence[bytes]], Parts]
"""Distinct PRF inputs → all of them in parts, by asking the key holders."""


def missing(inputs: Sequence[bytes], numbers: Numbers) -> list[bytes]:
    """The distinct inputs without a number, as `TokenCache.numbers` says."""
    return list(dict.fromkeys(inputs[int(at)] for at in np.flatnonzero(numbers < 0)))


def keep_parts(cache: TokenCache, parts: Parts, told: Callable[[int], None]) -> None:
    """Keep every part as it comes; `told` how many inputs it had. Raises what `parts` raises."""
    for inputs, outputs in parts:
        cache.add(inputs, outputs, tags_of(outputs, cache.epoch))
        told(len(inputs))
