"""A message that bears no answer leaves its lender out, with a reason that may be shown."""

from __future__ import annotations

import pytest
from flwr.app import Error
from flwr.common.constant import ErrorCode

from shared.training.run import Run
from shared.wire.failures import TOO_LARGE, UNREADABLE, WORKER_LATE
from tests.server.coordinator.scripted_grid import TERMS, asking, honest


@pytest.mark.parametrize("reason", [WORKER_LATE, TOO_LARGE, UNREADABLE])
def test_our_own_sentences_are_shown_beside_the_lenders_code(reason: str) -> None:
    """The operator reads whom to ask and why."""
    assert missing_with(reason) == (f"L04: {reason}",)


@pytest.mark.parametrize("reason", ["row 4711: Li Wei", WORKER_LATE + " 4711", "", "\x1b[2J"])
def test_no_other_text_is(reason: str) -> None:
    """It may quote anything, whoever wrote it: the control of what is shown."""
    assert missing_with(reason) == ("L04: unavailable",)


def missing_with(reason: str) -> tuple[str, ...]:
    """Who is missing when L04, heard before, answers so."""
    nodes = honest(4)
    exchange, _ = asking(nodes)
    run = Run(TERMS)
    assert exchange.collect(run, []).missing == ()
    nodes[4].lender = lambda ask: Error(ErrorCode.CLIENT_APP_CRASHED, reason)
    return exchange.collect(run, []).missing
