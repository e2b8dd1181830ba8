"""What `run start` looks at before and tells after: the run's name, and how long it may take."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from statistics import median

from shared.errors import OperatorError

MANY_ROUNDS, USUAL_SECONDS = 500, 2.0
"""From how many rounds on the time is told; of one where no run has been yet: measured with three
lenders on one machine (docs/deployment.md), so rather too little.
"""


def check_name(folder: Path, name: str) -> None:
    """OperatorError for a run's name that differs from another's by capitals only: people, and some
    file systems, take the two for one.
    """
    from server.deployment.runs import names_of

    for other in names_of(folder):
        if other != name and other.casefold() == name.casefold():
            raise OperatorError(
                f"run {name} differs from {other} by capitals only", remedy="choose another name"
            )


def length_of(folder: Path, rounds: int | None) -> str:
    """About how long many rounds take, in a sentence: whoever gave a digit too many hears it at
    once. Empty for few.
    """
    if rounds is None or rounds < MANY_ROUNDS:
        return ""
    took = _took(folder)
    each, known = (median(took), "as before here") if took else (USUAL_SECONDS, "or more")
    hours = rounds * each / 3600
    return f"{rounds:,} rounds take about {hours:,.1f} hours, at {each:.1f} s each {known}"


def _took(folder: Path) -> list[float]:
    """Seconds of all stages of earlier runs."""
    from server.coordinator.checkpoint import records_in
    from server.coordinator.places import STAGES
    from server.deployment.runs import RUNS, names_of

    found: list[float] = []
    for name in names_of(folder):
        with suppress(OperatorError):  # a damaged run tells nothing here
            found += [record.seconds for record in records_in(folder / RUNS / name / STAGES)]
    return found
