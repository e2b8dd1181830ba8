"""What the log says of lenders that are missing: each trouble of a lender once, not at every stage.

A lender that took part again in between and is missing anew is told anew. The records of the stages
hold every case (`lianfang-server status`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from server.coordinator.remedies import refusals_in

_log = logging.getLogger("lianfang.coordinator")


class Told:
    """What one process has told so far. `form`: the warning, with two %s: stage, "code: why"."""

    def __init__(self, form: str) -> None:
        self._form = form
        self._known: set[tuple[str, str]] = set()

    def warn(self, stage: str, missing: Iterable[str], members: Iterable[str]) -> None:
        """Warn of lenders, each "code: why", that were not told for this reason before. `members`
        have done what the others have not.
        """
        back = set(members)
        self._known = {(who, reason) for who, reason in self._known if who not in back}
        for line in missing:
            who, _, why = line.partition(": ")
            trouble = who, refusals_in({who: why}).get(who, why)  # a refusal's numbers may change
            if trouble not in self._known:
                self._known.add(trouble)
                _log.warning(self._form, stage, line)
