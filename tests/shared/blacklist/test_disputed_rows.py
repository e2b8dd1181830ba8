"""A dispute names a row, and meets the entry that filed it: no contributor can point it elsewhere.
Each attack beside its success against the rule that is missing.
"""

from dataclasses import replace

import pytest

from shared.blacklist import dispute_rules
from shared.blacklist.events import File, stripped
from shared.blacklist.lifecycle import Logged, fold
from shared.blacklist.row_names import row_name, row_names
from shared.blacklist.state import State
from shared.blacklist.transitions import Status
from tests.blacklist_members import token
from tests.list_in_memory import Exchange


@pytest.fixture
def exchange() -> Exchange:
    """A list with an open key epoch."""
    return Exchange()


def test_a_row_has_one_name_before_and_after_it_is_erased(exchange: Exchange) -> None:
    """Another tag or another record gives another name."""
    filed = exchange.a.file(exchange.a.entry(tokens=(token("s"), token("s", "phone"))))
    names = row_names(filed)
    assert names == row_names(stripped(filed))  # type: ignore[arg-type]
    tags = [one.token for one in filed.tokens]
    assert names == tuple(map(row_name, tags, filed.sealed))
    crossed = map(row_name, tags, filed.sealed[::-1])
    assert len({*names, *crossed}) == 4


@pytest.mark.parametrize("bound", [True, False])
def test_a_contributor_cannot_point_a_dispute_at_a_rival(
    exchange: Exchange, bound: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dispute of its row meets its own entry; were an entry found by what the contributor
    claims about its row, the rival's would be disputed.
    """
    rival, attacker = exchange.active(exchange.b), exchange.active(exchange.a)
    row = exchange.row(attacker)
    if not bound:
        claimed = {row: rival}
        monkeypatch.setattr(dispute_rules, "_behind", lambda turn, row: turn.entry(claimed[row]))
    exchange.take(exchange.c.dispute(row))
    met, spared = (attacker, rival) if bound else (rival, attacker)
    assert exchange.entry(met).status is Status.DISPUTED
    assert exchange.entry(spared).status is Status.ACTIVE


def copy_of(exchange: Exchange, filed: File) -> File:
    """A filing of another lender with the very rows of this one."""
    entry = exchange.b.entry(tokens=filed.tokens)
    made = exchange.b.file(entry)
    return exchange.b.sign(replace(made, sealed=filed.sealed, signature=b""))


@pytest.mark.parametrize("checked", [True, False])
def test_a_copied_row_takes_no_dispute_upon_it(
    exchange: Exchange, checked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row of a live entry is not filed again; without the check disputes of it meet the copy."""
    filed = exchange.filing(exchange.active())
    copied = copy_of(exchange, filed)
    if checked:
        exchange.refused(copied, "copied")
    else:
        with monkeypatch.context() as patched:
            patched.setattr(State, "filed", lambda *_: None)
            exchange.take(copied)
            exchange.take(exchange.b.approve(copied))
    exchange.take(exchange.c.dispute(filed))
    disputed = exchange.entry(filed.entry.entry_id).status is Status.DISPUTED
    assert disputed == checked


def test_rows_of_every_epoch_lead_to_the_entry_until_it_ends(exchange: Exchange) -> None:
    """As filed and as re-filed; once it is off the list no row of it is known."""
    name = exchange.active()
    exchange.open(2)
    again = exchange.a.refile(exchange.entry(name), (token("s", epoch=2),))
    exchange.take(again)
    for row in (exchange.row(name), row_names(again)[0]):
        found = exchange.state.filed(row)
        assert found is not None
        assert found.entry_id == name
    exchange.take(exchange.b.dispute(again))
    assert exchange.entry(name).status is Status.DISPUTED
    exchange.take(exchange.a.withdraw(name))
    for row in (exchange.row(name), row_names(again)[0]):
        assert exchange.state.filed(row) is None
        exchange.refused(exchange.c.dispute(row), "unknown")


def test_a_log_without_tokens_finds_the_same_entries(exchange: Exchange) -> None:
    """Names of rows are in what is left of an erased event."""
    name = exchange.active()
    bare = [Logged(one.seq, one.received, stripped(one.event)) for one in exchange.log]
    state = fold(bare, exchange.terms)
    assert state.filed(exchange.row(name)) == exchange.entry(name)
    assert state.entry_by_row == exchange.state.entry_by_row
