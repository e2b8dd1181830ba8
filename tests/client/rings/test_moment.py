"""The moment at which a week's pages leave is drawn here, within a window."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from client.exchange.settings import service_of
from client.rings.moment import drawn_moment, wait_until, window_of
from shared.errors import OperatorError
from tests.identities import fixed_random

NOW = datetime(2027, 1, 4, 0, 5, tzinfo=UTC)
WINDOW = timedelta(hours=8)
CASES = '[cases]\ncode = "D1"\naddress = "a:1"\n'


def test_the_moment_says_nothing_of_a_lenders_habit() -> None:
    """Spread evenly over the window; without one (control) it is the hour of the command."""
    draw = fixed_random("moment")
    hours = [(drawn_moment(NOW, WINDOW, draw) - NOW) / timedelta(hours=1) for _ in range(4000)]
    assert 0 <= min(hours) < max(hours) < 8
    counts, _ = np.histogram(hours, bins=8, range=(0, 8))
    assert counts.min() > 400
    assert drawn_moment(NOW, timedelta(0), draw) == NOW


def test_it_sleeps_until_the_clock_says_so() -> None:
    """Also when a sleep ends early or the machine slept; for a moment that is past it does not."""
    now, slept = [NOW], list[float]()

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += timedelta(seconds=seconds * (0.5 if len(slept) == 1 else 1))

    wait_until(NOW + timedelta(seconds=150), lambda: now[0], sleep)
    assert slept == [60, 60, 60]
    now[0] = NOW + timedelta(days=1)
    wait_until(NOW, lambda: now[0], sleep)
    assert len(slept) == 3


@pytest.mark.parametrize(
    ("line", "hours"), [("", 8), ("window_hours = 0\n", 0), ("window_hours = 20\n", 20)]
)
def test_the_window_is_the_lenders_own(tmp_path: Path, line: str, hours: int) -> None:
    """In the section of the case desk, which is read as before."""
    (tmp_path / "exchange.toml").write_text(CASES + line)
    assert window_of(tmp_path, "cases") == timedelta(hours=hours)
    assert service_of(tmp_path, "cases", "the case desk") == ("D1", "a:1")


@pytest.mark.parametrize(
    "line", ["window_hours = 21", "window_hours = -1", 'window_hours = "8"', "window_hour = 8"]
)
def test_a_window_that_is_none_is_refused(tmp_path: Path, line: str) -> None:
    """The message names the entry."""
    (tmp_path / "exchange.toml").write_text(CASES + line)

    def both() -> None:
        service_of(tmp_path, "cases", "the case desk")
        window_of(tmp_path, "cases")

    with pytest.raises(OperatorError, match="window_hour"):
        both()
