"""How often something may happen under one name.

Invariants:
- Under one name it happens at most `times` in any `seconds`.
- What is kept is bounded: names whose times are all over are forgotten.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Hashable

RENEWALS_OF_A_DAY, DAY_SECONDS = 10, 86_400.0
"""How often a member's certificates are renewed, at the gate and at the enrolment, each."""
_MOST_NAMES = 10_000


class Seldom:
    """At most `times` in `seconds`, each name for itself. `clock`: seconds, never back."""

    def __init__(
        self, times: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._times = times
        self._seconds = seconds
        self._clock = clock
        self._taken: dict[Hashable, deque[float]] = {}

    def full(self, name: Hashable) -> bool:
        """Whether it may not happen again now."""
        taken = self._taken.get(name)
        while taken and self._clock() - taken[0] >= self._seconds:
            taken.popleft()
        return taken is not None and len(taken) >= self._times

    def take(self, name: Hashable) -> bool:
        """Let it happen, if it may; whether it does."""
        if self.full(name):
            return False
        if name not in self._taken and len(self._taken) >= _MOST_NAMES:
            self._forget()
        self._taken.setdefault(name, deque()).append(self._clock())
        return True

    def _forget(self) -> None:
        for name in list(self._taken):
            if not self.full(name) and not self._taken[name]:
                del self._taken[name]
