"""A lender that the gate refuses is not waited for, is named with the reason, and may come back."""

from server.coordinator.conversation import Conversation
from server.coordinator.exchange import Policy, void
from server.coordinator.plain_exchange import PlainExchange
from shared.training.run import Run
from tests.server.coordinator.scripted_grid import TERMS, Clock, ScriptedGrid, honest

PATIENT = Policy(minimum=2, patience=600.0, deadline=3600.0)
ENDED = "its certificates ended at 2031-05-06 10:00 UTC"


def _second_stage(until: float, *, known: bool) -> tuple[PlainExchange, float, tuple[str, ...]]:
    """L03 falls silent after the first stage; whether it is `known` why, up to that second."""
    clock, nodes = Clock(), honest(3)

    def why(code: str) -> str:
        return ENDED if known and code == "L03" and silent and clock.now < until else ""

    silent = False
    conversation = Conversation(
        ScriptedGrid(nodes, clock), PATIENT, shut_out=why, clock=clock, sleep=clock.sleep
    )
    exchange, run = PlainExchange(conversation), Run(TERMS)
    exchange.collect(run, [])
    silent, began, answers = True, clock.now, nodes[3].lender
    nodes[3].lender = lambda ask: answers(ask) if clock.now >= until else None
    got = exchange.collect(run, [])
    return exchange, clock.now - began, got.missing


def test_who_is_shut_out_is_not_waited_for_and_named_with_the_reason() -> None:
    """Two are enough: the stage is over at once. Where nobody knows why, it takes all patience."""
    _, seconds, missing = _second_stage(1e9, known=True)
    assert (missing, seconds < 5.0) == ((f"L03: {ENDED}",), True)
    _, seconds, missing = _second_stage(1e9, known=False)
    assert (missing, seconds > 500.0) == (("L03: no answer in time",), True)


def test_the_remedy_for_ended_certificates_names_the_command() -> None:
    """Beside what else is to be done; another reason does not bring it up."""
    told = void("trees/3", "too few", [f"L03: {ENDED}"]).remedy
    assert "renew the certificates of L03: there, lianfang-client renew" in told
    assert "renew" not in void("trees/3", "too few", ["L03: disconnected"]).remedy
