"""The real oblivious PRF, two of three holders in memory, as something to tokenise with."""

from collections.abc import Sequence

import numpy as np

from tests.shared.tokens.threshold import blinded, finished, holders


class ThresholdPrf:
    """Blinds, asks holders 1 and 3, verifies and finishes."""

    def __init__(self) -> None:
        self.epoch, self.parties = 1, holders(2, 3)

    def __call__(self, inputs: Sequence[bytes]) -> np.ndarray:
        asked = list(inputs)
        own = blinded(self.parties, asked)
        request = own.request((1, 3))
        return finished(self.parties, own, request, self.parties.answers(request), asked)
