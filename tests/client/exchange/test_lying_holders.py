"""Key holders that disagree about a renewal: lookups go on, whoever caused it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from client.exchange.holders import Holders, TooFewHoldersError
from client.exchange.pins import FILE
from server.keyholder.ceremony import Relay
from shared.secure_sum.encoding import text_of
from shared.tokens.ceremony_checks import Terms
from shared.tokens.signed_keys import SignedKeys
from shared.wire import keyholder_pb2 as wire
from tests.client.exchange.test_holders import ASKING, INPUTS, lender
from tests.server.keyholder.key_holders import CONTEXT, TRUST, Local, locals_of, relay_between


@pytest.fixture
def holders(tmp_path: Path) -> dict[str, Local]:
    return locals_of(tmp_path)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return tmp_path / "L01" / "own"


@pytest.fixture
def first(holders: dict[str, Local]) -> SignedKeys:
    return relay_between(holders).generate()


@pytest.fixture
def client(holders: dict[str, Local], first: SignedKeys, own: Path) -> Iterator[Holders]:
    made = lender(holders, own)
    yield made
    made.close()


@dataclass
class Quiet:
    """A holder that is not told to activate, as a relay sees it that says it was."""

    local: Local

    def step(self, move: str, statements: Sequence[bytes]) -> wire.StepReply:
        if move == "activate":
            return wire.StepReply(state="active")
        return self.local.step(move, statements)

    def describe(self) -> wire.Description:
        return self.local.describe()


def half_renewed(holders: dict[str, Local], *ahead: str) -> SignedKeys:
    """A renewal that all signed and only some use: the relay is one of them, or was cut off."""
    ends = {code: one if code in ahead else Quiet(one) for code, one in holders.items()}
    return Relay(Terms(CONTEXT, 2, tuple(holders)), ends, TRUST, secrets.token_bytes).refresh()


def showing(keys: SignedKeys) -> object:
    """What a holder says that shows one set."""
    return lambda: wire.Description(keys=[text_of(keys)])


@pytest.mark.parametrize("ahead", ["K1", "K2", "K3"])
def test_one_holder_that_is_ahead_stops_nobody(
    holders: dict[str, Local], client: Holders, first: SignedKeys, own: Path, ahead: str
) -> None:
    """The generation that two of three show answers, for a lender that knew it and for a new one;
    the renewal is pinned when a second holder shows it.
    """
    before = client.outputs(INPUTS, ASKING)
    second = half_renewed(holders, ahead)
    assert second.keys.generation == 2
    for folder in (own, own.parent.parent / "L02" / "own"):
        other = lender(holders, folder)
        assert other.key_sets()[1].keys == first.keys
        assert np.array_equal(other.outputs(INPUTS, ASKING), before)
        assert b'generation\\":2' not in (folder / FILE).read_bytes()
        other.close()
    behind = next(code for code in holders if code != ahead)
    holders[behind].describe = showing(second)  # type: ignore[method-assign,assignment]
    assert client.key_sets()[1].keys == second.keys


def test_a_generation_left_does_not_come_back(
    holders: dict[str, Local], client: Holders, first: SignedKeys
) -> None:
    """Once enough holders showed the renewal, showing the one before again is not enough."""
    relay_between(holders).refresh()
    assert client.key_sets()[1].keys.generation == 2
    for one in holders.values():
        one.describe = showing(first)  # type: ignore[method-assign,assignment]
    with pytest.raises(TooFewHoldersError):
        client.key_sets()


def test_three_holders_that_show_three_things_are_too_few(
    holders: dict[str, Local], client: Holders, first: SignedKeys
) -> None:
    """Different generations are not added up to a quorum: it would be stale for one of them."""
    client.key_sets()
    second = half_renewed(holders, "K1")
    holders["K2"].describe = showing(first)  # type: ignore[method-assign,assignment]
    holders["K1"].describe = showing(second)  # type: ignore[method-assign,assignment]
    holders["K3"].down = True
    with pytest.raises(TooFewHoldersError):
        client.key_sets()


def test_a_new_lender_finds_all_epochs_however_often_they_were_renewed(
    holders: dict[str, Local], first: SignedKeys, own: Path
) -> None:
    """The later epoch has the higher generation and more holders: both are in use."""
    relay_between(holders).rotate()
    newest = relay_between(holders).refresh()
    assert (newest.keys.epoch, newest.keys.generation) == (2, 2)
    holders["K3"].describe = showing(newest)  # type: ignore[method-assign,assignment]
    made = lender(holders, own)
    assert sorted(made.key_sets()) == [1, 2]
    holders["K2"].describe = showing(newest)  # type: ignore[method-assign,assignment]
    assert sorted(made.key_sets()) == [2]
    made.close()
    late = lender(holders, own.parent.parent / "L02" / "own")
    assert [sorted(late.key_sets()) for _ in "12"] == [[2], [2]]
    assert not (own.parent.parent / "L02" / "own" / "evidence").exists()
    late.close()


def test_an_epoch_is_left_when_enough_holders_show_it_no_more(
    holders: dict[str, Local], client: Holders, first: SignedKeys
) -> None:
    """One that hides it is not enough, nor are holders that are down; two of three are."""
    relay_between(holders).rotate()
    client.key_sets()
    newest = client.key_sets()[2]
    assert client.left({1, 2}) == set()
    holders["K1"].describe = showing(newest)  # type: ignore[method-assign,assignment]
    holders["K2"].down = True
    assert client.left({1, 2}) == set()
    holders["K3"].down = True
    assert client.left({1, 2}) == set()
    holders["K2"].down = False
    holders["K2"].describe = showing(newest)  # type: ignore[method-assign,assignment]
    assert client.left({1, 2}) == {1}
