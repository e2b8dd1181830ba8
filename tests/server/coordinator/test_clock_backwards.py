"""The coordinator's clock goes backwards, or a day ahead: counters order set-ups, not the time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from client.app import app
from client.desk import close_all
from server.coordinator.exchange import VoidStageError
from server.coordinator.kept_rounds import ROUNDS, KeptRounds
from server.coordinator.rounds import conduct
from server.simulation.grid import InProcessGrid
from shared.secure_sum.floors import RefusedError
from shared.secure_sum.lender_checks import opening
from shared.secure_sum.statements import SetUpOpen
from shared.secure_sum.suite import STANDARD
from tests.federation import PATIENT, Consortium, Hurried, founded_in, model_of

HOUR = 3600
DAY = 86_400_000_000
"""Microseconds, as counters have."""


def _opened(counter: int) -> SetUpOpen:
    return SetUpOpen(counter, bytes(32), bytes(32), 8, STANDARD.name, b"")


def test_a_counter_is_above_all_earlier_ones_whatever_the_time(tmp_path: Path) -> None:
    """An hour back, at 1970, and in another process; forwards it follows the clock, so that a
    folder that was lost costs no lender its place.
    """
    kept, now = KeptRounds(tmp_path), 1_900_000_000
    assert kept.next_counter(now) == now
    assert [kept.next_counter(then) for then in (now, now - HOUR, 0)] == [now + 1, now + 2, now + 3]
    assert KeptRounds(tmp_path).next_counter(now - HOUR) == now + 4
    assert KeptRounds(tmp_path).next_counter(now + HOUR) == now + HOUR
    lost = KeptRounds(tmp_path / "lost")
    assert lost.next_counter(now + HOUR + 1) > now + HOUR


def test_a_counter_is_above_those_of_the_runs_beside_it(tmp_path: Path) -> None:
    """A lender counts over all runs. What is years ahead is left out, and so is what cannot be
    read; control: a run beside none follows its clock.
    """
    now = 1_900_000_000_000_000
    places = {name: KeptRounds(tmp_path / "runs" / name / ROUNDS) for name in ("one", "two", "ten")}
    assert places["one"].next_counter(now + HOUR) == now + HOUR
    assert places["two"].next_counter(now) == now + HOUR + 1
    (tmp_path / "runs" / "ten" / ROUNDS / "counter").write_text("damaged")
    assert places["one"].next_counter(now) == now + HOUR + 2
    years = KeptRounds(tmp_path / "runs" / "years" / ROUNDS)
    years.next_counter(now + 1000 * DAY)
    assert places["two"].next_counter(now) == now + HOUR + 3
    assert KeptRounds(tmp_path / "elsewhere" / "run" / ROUNDS).next_counter(now) == now


@pytest.mark.parametrize(
    ("ahead", "above"), [(10 * 3600, True), (23 * 3600, True), (23 * 3600 + 1, False)]
)
def test_a_run_begins_an_hour_at_least_below_what_lenders_take(
    tmp_path: Path, ahead: int, above: bool
) -> None:
    """Beside one whose clock was `ahead`, seconds: up to the bound (the control) it counts on from
    it. A lender that is half an hour behind takes what the run opens, and the most of a run's own
    set-ups after it; one microsecond inside a lender's day it would not.
    """
    now, runs = 1_900_000_000_000_000, tmp_path / "runs"
    first = KeptRounds(runs / "first" / ROUNDS).next_counter(now + ahead * 1_000_000)
    run = KeptRounds(runs / "second" / ROUNDS)
    opened = [run.next_counter(now) for _ in range(100)]
    assert opened[0] == (first + 1 if above else now)
    behind = now / 1e6 - HOUR / 2
    for counter in opened:
        opening(STANDARD, _opened(counter), bytes(32), 0, behind)
    with pytest.raises(RefusedError, match="counter"):
        opening(STANDARD, _opened(now + DAY - 1), bytes(32), 0, behind)


class CutError(Exception):
    """The coordinator's process ends here."""


def _conducted(
    consortium: Consortium, minutes: int, *, resume: bool, cut: str = ""
) -> tuple[str, set[int]]:
    """The model's digest, and the counters of the set-ups that lenders were asked for, with the
    coordinator's clock so far from theirs. `cut`: the exchange in which its process ends.
    """
    grid = InProcessGrid(app, consortium.homes, workers=2)
    push, counters = grid.push_messages, set[int]()
    time_of_run, kept = Hurried(grid), KeptRounds(consortium.folder / ROUNDS)

    def pushed(messages):  # type: ignore[no-untyped-def]
        messages = list(messages)
        labels = {str(message.content["ask"]["stage"]) for message in messages}
        if "set-up/keys" in labels:
            counters.add(kept.counter())
        if cut in labels:
            raise CutError
        return push(messages)

    grid.push_messages = pushed  # type: ignore[method-assign]
    try:
        run = conduct(
            grid,
            consortium.folder,
            PATIENT,
            resume=resume,
            clock=time_of_run.clock,
            sleep=time_of_run.sleep,
            now=lambda: datetime.now(UTC) + timedelta(minutes=minutes),
        )
        return model_of(run), counters
    finally:
        grid.close()
        close_all()


def test_a_run_goes_on_by_a_clock_that_went_backwards(tmp_path: Path) -> None:
    """Ten hours: the set-up made then counts on from the last one, and lenders, who take none that
    they are past, answer: the model is the undisturbed one. Positive control: where the
    coordinator has lost its count they refuse.
    """
    consortium = founded_in(tmp_path / "run")
    undisturbed = model_of(consortium.conducted())
    consortium.lenders_forget()
    consortium.coordinator_forgets()
    with pytest.raises(CutError):
        _conducted(consortium, 0, resume=False, cut="set-up/shares")
    before = KeptRounds(consortium.folder / ROUNDS).counter()
    count = consortium.folder / ROUNDS / "counter"
    count.unlink()
    with pytest.raises(VoidStageError, match="counter"):
        _conducted(consortium, -600, resume=True)
    count.write_text(str(before))
    model, counters = _conducted(consortium, -600, resume=True)
    assert model == undisturbed
    assert counters == {before + 1}


def test_a_run_goes_on_by_a_clock_a_day_ahead_and_by_the_right_one_again(tmp_path: Path) -> None:
    """The set-ups made then, and after it was put right, count on, and lenders answer: the model is
    the undisturbed one. Positive control: more than a day ahead, which could use up all counters
    that follow, lenders refuse.
    """
    consortium, ahead = founded_in(tmp_path / "run"), 24 * 60 - 5
    undisturbed = model_of(consortium.conducted())
    consortium.lenders_forget()
    consortium.coordinator_forgets()
    (consortium.folder / ROUNDS / "counter").unlink()
    with pytest.raises(VoidStageError, match=r"refused \(counter\).* at most, came more"):
        _conducted(consortium, 24 * 60 + 5, resume=False)
    (consortium.folder / ROUNDS / "counter").unlink()
    with pytest.raises(CutError):
        _conducted(consortium, 0, resume=True, cut="set-up/shares")
    first = KeptRounds(consortium.folder / ROUNDS).counter()
    with pytest.raises(CutError):
        _conducted(consortium, ahead, resume=True, cut="set-up/shares")
    before = KeptRounds(consortium.folder / ROUNDS).counter()
    assert before > first + 23 * 60 * 60_000_000
    model, counters = _conducted(consortium, 0, resume=True)
    assert model == undisturbed
    assert counters == {before + 1}
