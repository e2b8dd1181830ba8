"""Whatever gets lost, doubled, late, replayed or restarted: a total is exact, or there is none."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from shared.errors import PeerError
from shared.secure_sum.coordinator_round import Collecting, Opening
from shared.secure_sum.statements import MaskedInput
from tests.shared.secure_sum.secure_sum_machine import COUNTS, SecureSumMachine

CASES = settings(
    max_examples=500,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.slow
def test_a_total_is_exact_or_there_is_none() -> None:
    """500 histories; a good part of them must come to totals, drop-outs and lies included."""
    COUNTS.clear()
    run_state_machine_as_test(SecureSumMachine, settings=CASES)
    print(dict(COUNTS))
    assert COUNTS["exact"] > 200
    assert COUNTS["of fewer than all"] > 50
    assert COUNTS["in spite of a lie"] > 0
    assert COUNTS["clean error"] > 50
    assert COUNTS["void"] > 50
    assert COUNTS["lost before its shares"] > 10
    assert COUNTS["lost before it was ready"] > 20
    for mishap in ("lender restarted", "coordinator restarted", "replayed", "doubled or late"):
        assert COUNTS[mishap] > 100, mishap


FEW = settings(
    CASES, max_examples=120, phases=[Phase.generate], print_blob=False, report_multiple_bugs=False
)


@pytest.mark.parametrize("broken", ["a wrong share is believed", "an input counts twice"])
def test_the_machine_finds_a_broken_protocol(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without commitments to secrets, or with doubled inputs added again, some case shows it."""
    if broken == "a wrong share is believed":
        monkeypatch.setattr(Opening, "_check_secret", lambda self, code, secret: None)
    else:
        taken = Collecting.take_masked

        def added_again(self: Collecting, given: MaskedInput) -> None:
            self._alive.discard(given.member)
            taken(self, given)

        monkeypatch.setattr(Collecting, "take_masked", added_again)
    with pytest.raises((AssertionError, PeerError)):
        run_state_machine_as_test(SecureSumMachine, settings=FEW)
