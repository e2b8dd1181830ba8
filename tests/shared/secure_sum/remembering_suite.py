"""The standard suite with a memory: long searches ask for the same things again and again."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from shared.secure_sum.suite import STANDARD, StandardSuite

LENGTH = 3


class RememberingSuite(StandardSuite):
    """The standard one; what was computed once for the same bytes is not computed again."""

    verify = cache(StandardSuite.verify)
    sign = cache(StandardSuite.sign)
    derive = cache(StandardSuite.derive)

    def agree_many(self, private: bytes, publics: Sequence[bytes]) -> list[bytes]:
        return [agreed(private, public) for public in publics]

    def add_streams(
        self, total: np.ndarray, added: Sequence[bytes], subtracted: Sequence[bytes]
    ) -> None:
        for key in added:
            total += stream(key)
        for key in subtracted:
            total -= stream(key)


@cache
def stream(key: bytes) -> np.ndarray:
    """The first words of a key's."""
    words = np.zeros(LENGTH, np.uint32)
    STANDARD.add_streams(words, [key], [])
    return words


agreed = cache(STANDARD.agree)
SUITE = RememberingSuite()
