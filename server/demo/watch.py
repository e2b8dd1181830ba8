"""What becomes of the demo when one of its services ends before it.

Invariants:
- A key holder that has ended is told once, and the demo goes on while as many as the threshold are
  left. Without the registry or the case desk, or with fewer holders: the demo ends.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from server.demo.processes import Running, ended_error, has_ended


class Watch:
    """Over `running` services by code; `needed`: registry and case desk; the others are key
    holders, any `threshold` of whom answer. `say` prints a line for people.
    """

    def __init__(
        self,
        folder: Path,
        running: Mapping[str, Running],
        needed: Collection[str],
        threshold: int,
        say: Callable[[str], None],
    ) -> None:
        self._folder, self._running, self._say = folder, running, say
        self._needed, self._threshold = needed, threshold
        self._told: set[str] = set()

    def look(self) -> None:
        """Tell who has ended since the last look; OperatorError when what is left cannot answer."""
        for code, one in self._running.items():
            if code not in self._told and has_ended(one):
                self._told.add(code)
                self._tell(code)

    def _tell(self, code: str) -> None:
        left = [one for one in self._running if one not in self._told and one not in self._needed]
        if code in self._needed or len(left) < self._threshold:
            raise ended_error(self._folder, code)
        self._say(
            f"\nkey holder {code} has ended (see {code}/log.txt). {' and '.join(left)} go on: any "
            f"{self._threshold} key holders answer. Only a key ceremony (lianfang-server keys …) "
            "needs all of them."
        )
