"""Key sets have one text and one name, and say so when they cannot be."""

from __future__ import annotations

from dataclasses import replace

import pytest
from threshold import GROUP, holders

from shared.errors import InternalError, PeerError
from shared.tokens.group import ORDER, InvalidPointError, scalars_of
from shared.tokens.keys import (
    InconsistentKeysError,
    KeyShare,
    check_keys,
    check_share,
    read_keys,
)

PARTIES = holders(3, 5)
KEYS = PARTIES.keys


def other_point(number: int = 77) -> bytes:
    return GROUP.multiply_base(scalars_of([number])).tobytes()


def test_text_round_trip() -> None:
    """Reading the text gives the same set with the same name of 32 bytes."""
    again = read_keys(KEYS.text())
    assert (again, again.name, len(again.name)) == (KEYS, KEYS.name, 32)
    with pytest.raises(PeerError):
        read_keys(b"{}")


@pytest.mark.parametrize(
    "change",
    [
        {"context": "other"},
        {"epoch": 2},
        {"generation": 1},
        {"threshold": 2},
        {"public": other_point()},
        {"shares": KEYS.shares[::-1]},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_field_is_named(change: dict) -> None:
    """Sets that differ in any field have different names."""
    assert replace(KEYS, **change).name != KEYS.name


@pytest.mark.parametrize(
    "change",
    [
        {"context": ""},
        {"context": "a|b"},
        {"epoch": -1},
        {"epoch": 2**32},
        {"generation": -1},
        {"threshold": 0},
        {"threshold": 6},
        {"public": b"short"},
        {"shares": (*KEYS.shares[:4], b"short")},
        {"shares": KEYS.shares * 20},
    ],
)
def test_impossible_sets(change: dict) -> None:
    """Sizes that cannot be are an error of ours when made and of the sender when read."""
    with pytest.raises(InternalError):
        replace(KEYS, **change)
    name, value = next(iter(change.items()))
    if name in ("epoch", "threshold"):
        old, new = (f'"{name}":{number}'.encode() for number in (getattr(KEYS, name), value))
        with pytest.raises(PeerError):
            read_keys(KEYS.text().replace(old, new))


def test_check_keys() -> None:
    """Dealt sets hold together, whatever the threshold."""
    for threshold, count in ((1, 1), (2, 3), (3, 3), (3, 5)):
        check_keys(GROUP, holders(threshold, count).keys)


@pytest.mark.parametrize("place", range(5))
def test_one_false_share(place: int) -> None:
    """A set with one false public share is refused: its quorums would have different keys."""
    shares = list(KEYS.shares)
    shares[place] = other_point()
    with pytest.raises(InconsistentKeysError):
        check_keys(GROUP, replace(KEYS, shares=tuple(shares)))


def test_false_public_keys() -> None:
    """A key that is not the shares', or no element, is refused."""
    with pytest.raises(InconsistentKeysError):
        check_keys(GROUP, replace(KEYS, public=other_point()))
    for bad in (bytes(32), b"\xff" * 32):
        with pytest.raises(InvalidPointError):
            check_keys(GROUP, replace(KEYS, public=bad))


def test_shares_belong_to_their_set() -> None:
    """A holder notices a share that is not the one its set commits to; a secret is not shown."""
    own = PARTIES.shares[2]
    check_share(GROUP, own)
    assert str(own.secret) not in repr(own)
    with pytest.raises(InternalError, match="commits"):
        check_share(GROUP, KeyShare(KEYS, 2, own.secret + 1))
    for index, secret in ((0, 1), (6, 1), (1, 0), (1, ORDER)):
        with pytest.raises(InternalError):
            KeyShare(KEYS, index, secret)
