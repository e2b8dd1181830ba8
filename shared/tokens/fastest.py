"""Which of the group's implementations to use: the one choice, for lenders and key holders."""

from __future__ import annotations

from importlib.util import find_spec

from shared.tokens.group import Group
from shared.tokens.lanes.group import Lanes
from shared.tokens.sodium import Sodium, Spread


def fastest_group(spread: Spread | None = None) -> Group:
    """libsodium; with llvmlite installed (`pip install lianfang[fast]`) and AVX512-IFMA in the
    processor, large numbers of additions compiled. `spread`: see `shared.tokens.sodium`.
    """
    return Sodium(spread) if find_spec("llvmlite") is None else Lanes(spread)
