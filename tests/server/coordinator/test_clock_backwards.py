"""The coordinator's clock goes backwards: counters order set-ups, not the time."""

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
from tests.federation import PATIENT, Consortium, Hurried, founded_in, model_of

HOUR = 3600


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
