"""A key epoch is proposed with its holders' signatures, and belongs to one consortium's keys."""

from dataclasses import replace

import pytest

from shared.blacklist.epoch_keys import epoch_digest
from shared.blacklist.events import MOST_EVENT_BYTES, OpenEpoch, read_event
from shared.errors import PeerError
from shared.secure_sum.encoding import text_of
from shared.tokens.signed_keys import SignedKeys
from tests.blacklist_members import Lender, signed_keys
from tests.list_in_memory import Exchange

LENDER = Lender.of("L01")
KEYS = signed_keys(2)


@pytest.fixture
def exchange() -> Exchange:
    """A list with an open key epoch."""
    return Exchange()


def test_an_epochs_digest_stands_for_its_key_alone() -> None:
    """Not for the generation of its shares; another epoch, key or consortium has another."""
    keys = KEYS.keys
    assert epoch_digest(replace(keys, generation=9, shares=keys.shares[::-1])) == epoch_digest(keys)
    others = [
        replace(keys, epoch=3),
        replace(keys, context="Another list"),
        replace(keys, public=keys.shares[0]),
    ]
    assert len({epoch_digest(one) for one in (keys, *others)}) == 4


def test_what_is_opened_is_kept(exchange: Exchange) -> None:
    """Digest, key, consortium and holders in order of their codes, for whoever admits the next."""
    keys = signed_keys(2, holders=("K3", "K1", "K2"))
    proposal = exchange.a.open_epoch(2, keys)
    exchange.take(proposal)
    exchange.take(exchange.b.consent(proposal))
    kept = exchange.state.epochs()[-1]
    assert (kept.epoch, kept.keys) == (2, epoch_digest(keys.keys))
    assert (kept.public, kept.context) == (keys.keys.public, keys.keys.context)
    assert kept.holders == ("K1", "K2", "K3")


def test_the_key_of_an_earlier_epoch_is_not_opened_again(exchange: Exchange) -> None:
    """Also of one that retired, and whoever proposes it; a new key is taken (control)."""
    exchange.open(2)
    exchange.take(proposal := exchange.a.retire_epoch(1))
    exchange.take(exchange.b.consent(proposal))
    for epoch in (1, 2):
        old = signed_keys(3, seed=str(epoch))
        assert old.keys.public == signed_keys(epoch).keys.public
        exchange.refused(exchange.a.open_epoch(3, old), "keys")
    exchange.open(3)


def test_the_key_of_another_consortium_is_not_opened(exchange: Exchange) -> None:
    """The same holders may hold for two lists; the first epoch decides (control)."""
    exchange.refused(exchange.a.open_epoch(2, signed_keys(2, "Another list")), "keys")
    exchange.open(2)
    assert {one.context for one in exchange.state.epochs()} == {"Five lenders"}


def test_one_number_is_opened_once(exchange: Exchange) -> None:
    """Of two proposals of one number, under two keys, the first that is consented to is it."""
    first, second = exchange.a.open_epoch(2), exchange.c.open_epoch(2, signed_keys(2, seed="x"))
    exchange.take(first)
    exchange.take(second)
    exchange.take(exchange.b.consent(second))
    exchange.refused(exchange.b.consent(first), "epoch")
    assert exchange.state.epochs()[-1].public == signed_keys(2, seed="x").keys.public


@pytest.mark.parametrize(
    "keys",
    [
        signed_keys(3),
        replace(KEYS, holders=("K1", "K2")),
        replace(KEYS, holders=("K1", "K2", "K2")),
        replace(KEYS, holders=("K1", "K2", "Zhang San")),
    ],
    ids=["epoch", "fewer", "twice", "no code"],
)
def test_a_key_set_that_does_not_fit_is_no_proposal(keys: SignedKeys) -> None:
    """Of another epoch, or whose holders are not as many codes as it has shares."""
    with pytest.raises(PeerError):
        LENDER.open_epoch(2, keys)


def test_numbers_that_no_key_set_has_are_the_other_sides_fault() -> None:
    """A threshold of none, read from a peer."""
    text = text_of(LENDER.open_epoch(2))
    with pytest.raises(PeerError, match="not the text of an event"):
        read_event(text.replace(b'"threshold":2', b'"threshold":0'))
    assert isinstance(read_event(text), OpenEpoch)


def test_a_key_of_many_holders_fits_an_event() -> None:
    """Fifteen, with the longest codes that certificates carry."""
    holders = tuple(f"K{number:02}".ljust(64, "x") for number in range(15))
    text = text_of(LENDER.open_epoch(2, signed_keys(2, holders=holders)))
    assert len(text) <= MOST_EVENT_BYTES
    assert isinstance(read_event(text), OpenEpoch)
