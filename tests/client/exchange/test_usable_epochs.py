"""Key epochs that the registry names and no holder has: lookups go on without them, and say so."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from client.exchange.holders import Holders, TooFewHoldersError
from client.exchange.index import ListIndex
from client.exchange.own_tokens import OwnTokens
from client.exchange.screening import Screener
from shared.errors import OperatorError
from shared.tokens.identifiers import Canonical
from tests.client.exchange.test_holders import lender
from tests.server.keyholder.key_holders import CONTEXT, NOW, Local, locals_of, relay_between

PHONE = [Canonical("phone", "13800138000")]


@pytest.fixture
def holders(tmp_path: Path) -> dict[str, Local]:
    made = locals_of(tmp_path)
    relay_between(made).generate()
    return made


@pytest.fixture
def client(holders: dict[str, Local], tmp_path: Path) -> Iterator[Holders]:
    made = lender(holders, tmp_path / "L01" / "own")
    yield made
    made.close()


def tokens(client: Holders, folder: Path, *named: int) -> OwnTokens:
    """As of a sync with a registry that names these epochs."""
    return OwnTokens(CONTEXT, folder / "tokens", client, lambda: named, secrets.token_bytes)


def looked_up(own: OwnTokens, folder: Path, epochs: tuple[int, ...]) -> list[object]:
    """A lookup under these epochs."""
    sources = own.sources(epochs, "application", "")
    screener = Screener(CONTEXT, ListIndex(folder / "list"), sources, today=NOW.date())
    return [*screener.hits(PHONE)]


def test_an_epoch_that_no_holder_has_is_left_out(client: Holders, tmp_path: Path) -> None:
    """Two lenders opened it, or the registry made it up: the true epoch answers, the other is
    told. Asked as the registry says, every lookup fails (control).
    """
    own = tokens(client, tmp_path, 1, 2)
    assert own.usable() == ((1,), (2,))
    assert looked_up(own, tmp_path, own.usable()[0]) == []
    with pytest.raises(OperatorError, match="epoch 2 is not in use"):
        looked_up(own, tmp_path, own.named())


def test_a_key_seen_before_needs_no_network(
    client: Holders, holders: dict[str, Local], tmp_path: Path
) -> None:
    """Pinned epochs are used while all holders are down; an unknown one stops the lookup then, as
    nobody can say whether it is true.
    """
    client.key_sets()
    for one in holders.values():
        one.down = True
    assert tokens(client, tmp_path, 1).usable() == ((1,), ())
    with pytest.raises(TooFewHoldersError):
        tokens(client, tmp_path, 1, 2).usable()


def test_one_holder_alone_does_not_decide_that_there_is_no_key(
    client: Holders, holders: dict[str, Local], tmp_path: Path
) -> None:
    """With two of three down after the keys were shown, an unknown epoch is neither used nor left
    out; with one of them back it is left out (control).
    """
    true = client.key_sets

    def shown_then_down() -> object:
        found = true()
        holders["K1"].down = holders["K2"].down = True
        return found

    client.key_sets = shown_then_down  # type: ignore[method-assign,assignment]
    with pytest.raises(OperatorError, match="too few key holders say whether there"):
        tokens(client, tmp_path, 1, 2).usable()
    client.key_sets = true  # type: ignore[method-assign]
    holders["K1"].down = False
    assert tokens(client, tmp_path, 1, 2).usable() == ((1,), (2,))


def test_a_new_key_is_used_as_soon_as_the_holders_show_it(
    client: Holders, holders: dict[str, Local], tmp_path: Path
) -> None:
    """Left out before the rotation, used after it; a registry that names only others: an error."""
    own = tokens(client, tmp_path, 1, 2)
    assert own.usable() == ((1,), (2,))
    relay_between(holders).rotate()
    assert own.usable() == ((1, 2), ())
    with pytest.raises(OperatorError, match="any epoch that the registry names"):
        tokens(client, tmp_path, 7).usable()
