"""Which keys a lender believes: from the first time on, and only with all holders' signatures."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from client.exchange.holders import Holders
from client.exchange.pins import FILE
from server.authority import issue
from shared.errors import OperatorError, PeerError
from shared.secure_sum.encoding import text_of
from shared.tokens.signed_keys import SignedKeys, check_signed, confirm, gathered
from shared.wire import keyholder_pb2 as wire
from tests.client.exchange.test_holders import ASKING, INPUTS, expected, lender
from tests.server.keyholder.key_holders import (
    AUTHORITY,
    NOW,
    TRUST,
    Local,
    locals_of,
    relay_between,
)


@pytest.fixture
def holders(tmp_path: Path) -> dict[str, Local]:
    return locals_of(tmp_path)


@pytest.fixture
def signed(holders: dict[str, Local]) -> SignedKeys:
    return relay_between(holders).generate()


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return tmp_path / "L01" / "own"


@pytest.fixture
def client(holders: dict[str, Local], signed: SignedKeys, own: Path) -> Iterator[Holders]:
    made = lender(holders, own)
    yield made
    made.close()


def test_a_renewal_in_between_is_followed(
    client: Holders, holders: dict[str, Local], signed: SignedKeys
) -> None:
    """The old key set is stale everywhere; outputs stay the same under the new shares."""
    before = client.outputs(INPUTS, ASKING)
    renewed = relay_between(holders).refresh()
    assert np.array_equal(client.outputs(INPUTS, ASKING), before)
    assert client.key_sets()[1].keys == renewed.keys


def test_both_epochs_are_asked_after_a_rotation(
    client: Holders, holders: dict[str, Local], signed: SignedKeys
) -> None:
    """The last epoch unless another is asked for; one that is not in use is named."""
    old = client.outputs(INPUTS, ASKING)
    second = relay_between(holders).rotate()
    client.key_sets()
    new = client.outputs(INPUTS, ASKING)
    assert np.array_equal(new, expected(holders, second.keys.name))
    assert np.array_equal(client.outputs(INPUTS, ASKING, epoch=1), old)
    with pytest.raises(OperatorError, match="epoch 7 is not in use; in use: 1, 2"):
        client.outputs(INPUTS, ASKING, epoch=7)


def test_the_key_of_an_epoch_is_believed_once(
    client: Holders, holders: dict[str, Local], own: Path, tmp_path: Path
) -> None:
    """Other keys for a known epoch, signed by all the same holders, are refused and kept; a lender
    that has pinned none would believe them (control).
    """
    client.key_sets()
    again = locals_of(tmp_path / "again")
    for code, one in again.items():
        one.holder.store.close()
        for name in ("certificate.crt", "own/identity.key", "transport.crt", "own/transport.key"):
            (one.folder / name).write_bytes((holders[code].folder / name).read_bytes())
        (one.folder / "keyholder.sqlite").unlink()
        one.holder = one._join()
    other = relay_between(again).generate()
    for code, one in holders.items():
        one.describe = again[code].describe  # type: ignore[method-assign]
    restarted = lender(holders, own)
    with pytest.raises(PeerError, match="public key of epoch 1"):
        restarted.key_sets()
    restarted.close()
    assert list((own / "evidence").glob("keys-1-*.json"))
    newcomer = lender(holders, tmp_path / "L02" / "own")
    assert newcomer.key_sets()[1].keys == other.keys
    newcomer.close()


def test_keys_without_all_signatures_are_not_believed(
    client: Holders, holders: dict[str, Local], signed: SignedKeys, own: Path
) -> None:
    """One holder's signature short, or of other holders than the settings name."""
    a, b, _ = signed.signatures
    for shown in (
        replace(signed, signatures=(a, b, a)),
        replace(signed, holders=("K1", "K2", "K9")),
        replace(signed, keys=replace(signed.keys, context="Another")),
    ):
        description = wire.Description(keys=[text_of(shown)])
        for one in holders.values():
            one.describe = lambda description=description: description  # type: ignore
        with pytest.raises(PeerError):
            client.key_sets()
    assert not (own / FILE).exists()


def test_shares_of_two_keys_are_not_believed_whoever_signed(
    client: Holders, holders: dict[str, Local], signed: SignedKeys, own: Path
) -> None:
    """All holders together cannot give each quorum a key of its own."""
    mixed = replace(signed.keys, shares=(*signed.keys.shares[:2], signed.keys.public))
    said = [confirm(one.holder.actor.identity, mixed, signed.holders) for one in holders.values()]
    shown = gathered(said, signed.certificates)
    check_signed(shown, TRUST)
    for one in holders.values():
        one.describe = lambda: wire.Description(keys=[text_of(shown)])  # type: ignore
    with pytest.raises(PeerError, match="not of one key"):
        client.key_sets()
    assert not (own / FILE).exists()


def test_one_holder_that_shows_nonsense_stops_nobody(
    client: Holders, holders: dict[str, Local], signed: SignedKeys
) -> None:
    """Garbage, or wrong signatures, from one of three: the two others' key set is used."""
    wrong = replace(signed, signatures=(bytes(64),) * 3)
    for text in (b"{", text_of(wrong)):
        holders["K1"].describe = lambda text=text: wire.Description(keys=[text])  # type: ignore
        assert client.key_sets()[1].keys == signed.keys
        assert client.outputs(INPUTS[:3], ASKING).shape == (3, 64)


def test_a_renewed_certificate_takes_the_place_of_the_old(
    client: Holders, holders: dict[str, Local], signed: SignedKeys
) -> None:
    """A holder shows its certificate of today; the key set stays the one that is pinned."""
    client.key_sets()
    one = holders["K2"].holder.actor.identity
    renewed = issue(
        AUTHORITY, "K2", "keyholder", one.member.public, days=200, now=NOW, random=os.urandom
    )
    shown = signed.with_certificate(replace(one.member, certificate=renewed))
    holders["K2"].describe = lambda: wire.Description(keys=[text_of(shown)])  # type: ignore
    assert client.key_sets()[1] == shown != signed


def test_a_holder_that_is_behind_does_no_harm(
    client: Holders, holders: dict[str, Local], signed: SignedKeys
) -> None:
    """It shows the generation before, whose key is the same: the others' is used."""
    relay_between(holders).refresh()
    old = wire.Description(keys=[text_of(signed)])
    client.key_sets()
    holders["K2"].describe = lambda: old  # type: ignore[method-assign]
    assert client.key_sets()[1].keys.generation == 2


def test_damaged_pins_are_not_forgotten(
    client: Holders, holders: dict[str, Local], own: Path
) -> None:
    """A lender whose keys.json cannot be read stops instead of believing anew."""
    client.key_sets()
    (own / FILE).write_text("[")
    with pytest.raises(OperatorError, match="is damaged"):
        lender(holders, own)


def test_an_epoch_far_after_the_last_is_not_pinned(
    client: Holders, holders: dict[str, Local], own: Path, tmp_path: Path
) -> None:
    """Although all holders signed it; it is no contradiction, so no evidence. A lender that has
    pinned none, or is shown an epoch in between as well, takes it (control).
    """
    client.key_sets()
    relay = relay_between(holders)
    for number in (101, 201):
        last = relay._carry([relay._opening(number, 1, b"")])
    newcomer = lender(holders, tmp_path / "L02" / "own")
    honest = {code: one.describe for code, one in holders.items()}
    for one in holders.values():
        one.describe = lambda: wire.Description(keys=[text_of(last)])  # type: ignore
    with pytest.raises(PeerError, match="more than 100 after the last one known, 1"):
        client.key_sets()
    assert not (own / "evidence").exists()
    assert [*newcomer.key_sets()] == [201]
    newcomer.close()
    for code, one in holders.items():
        one.describe = honest[code]  # type: ignore[method-assign]
    assert [*client.key_sets()] == [1, 101, 201]
