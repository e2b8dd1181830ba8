"""Key epochs come and go in order, whatever members propose. Each attack beside its success without
the rule.
"""

from dataclasses import replace

import pytest

from shared.blacklist import epoch_rules, filing_rules
from shared.blacklist.legality import check_legal
from shared.blacklist.state import Epoch, Proposal
from shared.blacklist.transitions import Status
from shared.blacklist.turn import RefusedError, Turn
from shared.errors import InternalError
from tests.blacklist_members import token
from tests.list_in_memory import TERMS, Exchange


@pytest.fixture
def exchange() -> Exchange:
    """A list with an open key epoch."""
    return Exchange()


def retire_any(turn: Turn, proposal: Proposal) -> None:
    """The earlier rule: an epoch retires when nothing is only in it or before."""
    known = {one.epoch: one for one in turn.view.epochs()}
    if turn.view.uncovered(proposal.epoch):
        raise RefusedError("uncovered", "live entries have no tokens in a later epoch yet")
    turn.changes.epochs[proposal.epoch] = replace(known[proposal.epoch], retired=turn.day)


def open_alone(turn: Turn, number: int) -> None:
    """The earlier rule: an epoch that is not retired takes filings, whatever is later."""
    known = {one.epoch: one for one in turn.view.epochs()}
    if number not in known or known[number].retired is not None:
        raise RefusedError("epoch", "it is not open")


@pytest.mark.parametrize("ordered", [True, False])
def test_epochs_retire_from_the_oldest_on(
    exchange: Exchange, ordered: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second of three is refused while the first is open; were it taken, one filing under the
    first would make a log that no registry starts with.
    """
    exchange.open(2)
    exchange.open(3)
    if ordered:
        exchange.refused(exchange.a.retire_epoch(2), "epoch")
        exchange.refused(exchange.a.retire_epoch(3), "epoch")
        exchange.retire(1)
        exchange.refused(exchange.a.file(exchange.a.entry()), "epoch")
        exchange.retire(2)
        exchange.refused(exchange.a.retire_epoch(3), "epoch")
        check_legal(exchange.state)
        return
    monkeypatch.setattr(epoch_rules, "_check_retirable", lambda *_: None)
    monkeypatch.setattr(epoch_rules, "retire_epoch", retire_any)
    monkeypatch.setattr(filing_rules, "check_open", open_alone)
    exchange.retire(2)
    exchange.active()
    assert exchange.state.uncovered(2) == 1
    with pytest.raises(InternalError, match="before a retired one"):
        check_legal(exchange.state)


def test_nothing_is_filed_under_an_epoch_before_a_retired_one(exchange: Exchange) -> None:
    """Even where a log retired them out of order; under the last one it is (control)."""
    for epoch in (2, 3):
        exchange.open(epoch)
    epochs: dict[int, Epoch] = exchange.state.epochs_by_number
    epochs[2] = replace(epochs[2], retired=exchange.today())
    exchange.refused(exchange.a.file(exchange.a.entry()), "epoch")
    exchange.take(exchange.a.file(exchange.a.entry(tokens=(token("x", epoch=3),))))


def test_a_number_may_be_left_out_but_not_far_ahead(exchange: Exchange) -> None:
    """A ceremony that came to nothing leaves its number unused; a number more than a hundred ahead
    would leave none for later. Nobody goes back.
    """
    exchange.open(3)
    for epoch in (1, 2, 3, 104, 1_000_000):
        exchange.refused(exchange.a.open_epoch(epoch), "epoch")
    exchange.open(103)
    exchange.refused(exchange.a.open_epoch(103), "epoch")
    exchange.open(104)
    assert [one.epoch for one in exchange.state.epochs()] == [1, 3, 103, 104]


def test_without_the_bound_the_last_number_ends_all_rotation() -> None:
    """The control: nothing can follow it."""
    last = 2**31 - 1
    exchange = Exchange(replace(TERMS, epochs_ahead=last))
    exchange.open(last)
    exchange.refused(exchange.a.open_epoch(last), "epoch")
    exchange.refused(exchange.a.open_epoch(2), "epoch")


def test_what_waits_keeps_no_epoch_open_and_answers_under_no_retired_one(
    exchange: Exchange,
) -> None:
    """The epoch retires; the entry is approved once it has tokens in a later one."""
    filed = exchange.a.file(exchange.a.entry())
    exchange.take(filed)
    exchange.open(2)
    assert exchange.state.uncovered(1) == 0
    exchange.retire(1)
    check_legal(exchange.state)
    exchange.refused(exchange.a.approve(filed), "epoch")
    exchange.take(exchange.a.refile(filed.entry, (token("someone", epoch=2),)))
    exchange.take(exchange.a.approve(filed))
    assert exchange.entry(filed.entry.entry_id).status is Status.ACTIVE
    check_legal(exchange.state)


def test_without_that_rule_an_entry_would_rest_on_a_retired_epoch(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: the log would be one that no registry starts with."""
    filed = exchange.a.file(exchange.a.entry())
    exchange.take(filed)
    exchange.open(2)
    exchange.retire(1)
    monkeypatch.setattr(filing_rules, "check_open", lambda *_: None)
    exchange.take(exchange.a.approve(filed))
    with pytest.raises(InternalError, match="live entries rest on"):
        check_legal(exchange.state)


@pytest.mark.parametrize("erased", [True, False])
def test_a_refiling_brings_new_tokens(exchange: Exchange, erased: bool) -> None:
    """The tag of an earlier epoch, declared as the new, is refused: the database has it already.
    Where tags are not known (a log erased) nothing is said: such an event was refused when it came.
    """
    name = exchange.active()
    exchange.open(2)
    old = exchange.tokens(name)
    again = tuple(replace(one, key_epoch=2) for one in old)
    if erased:
        exchange.state.tags_by_entry.clear()
        exchange.take(exchange.a.refile(exchange.entry(name), again))
        return
    exchange.refused(exchange.a.refile(exchange.entry(name), again), "copied")
    exchange.take(exchange.a.refile(exchange.entry(name), (token("someone", epoch=2),)))
    assert len(exchange.state.tags(name)) == 2
