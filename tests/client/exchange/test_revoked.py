"""`revoked.json` at a lender: who stands in it is not asked; what was pinned stays."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

import grpc
import numpy as np
import pytest

from client.exchange.holders import Holders, TooFewHoldersError
from client.exchange.key_sets import RevokedHoldersError
from client.exchange.opening import Ways, open_desk
from client.revoked import REVOKED, read_revoked
from client.tls import Transport
from server.actor import write_actor
from shared.errors import OperatorError
from tests.client.exchange.test_exchange_settings import RIGHT
from tests.client.exchange.test_holders import ASKING, INPUTS
from tests.identities import fixed_random
from tests.server.keyholder.key_holders import (
    AUTHORITY,
    CONTEXT,
    GROUP,
    NOW,
    TRUST,
    Local,
    LocalDoor,
    locals_of,
    relay_between,
)


@pytest.fixture
def holders(tmp_path: Path) -> dict[str, Local]:
    made = locals_of(tmp_path)
    relay_between(made).generate()
    return made


def client(holders: dict[str, Local], own: Path, *revoked: str) -> Holders:
    doors = {code: LocalDoor(one) for code, one in holders.items() if code not in revoked}
    random = fixed_random("lender")
    return Holders(
        doors, own, CONTEXT, TRUST, GROUP, random,
        revoked=frozenset(revoked), pause=lambda seconds: None,
    )  # fmt: skip


@pytest.fixture
def own(tmp_path: Path, holders: dict[str, Local]) -> Path:
    """The folder of a lender that knows the key."""
    folder = tmp_path / "L01" / "own"
    first = client(holders, folder)
    first.key_sets()
    first.close()
    return folder


def test_a_revoked_holder_is_not_asked_and_the_others_answer(
    holders: dict[str, Local], own: Path
) -> None:
    """The pinned key stays, outputs are the same; without the revocation it is asked (control)."""
    made = client(holders, own, "K2")
    outputs = made.outputs(INPUTS, ASKING)
    assert [holders[code].calls for code in ("K1", "K2", "K3")] == [1, 0, 1]
    made.close()
    everybody = client(holders, own)
    for _ in holders:
        assert np.array_equal(everybody.outputs(INPUTS, ASKING), outputs)
    assert holders["K2"].calls > 0
    everybody.close()


def test_too_many_revoked_holders_are_said(holders: dict[str, Local], own: Path) -> None:
    """Nothing is asked, and the error names them."""
    made = client(holders, own, "K1", "K2")
    with pytest.raises(RevokedHoldersError, match="K1, K2 revoked here: the 1 key holders left"):
        made.outputs(INPUTS, ASKING)
    made.close()
    nobody = client(holders, own, *holders)
    with pytest.raises(RevokedHoldersError):
        nobody.key_sets()
    nobody.close()
    assert sum(one.calls for one in holders.values()) == 0


def test_a_new_key_that_needs_a_revoked_holder_is_not_believed(
    holders: dict[str, Local], own: Path
) -> None:
    """After a renewal that a revoked holder signed the key pinned before stays, and the holders,
    which have left it, are too few; believed without the revocation (control).
    """
    before = (own / "keys.json").read_bytes()
    relay_between(holders).refresh()
    made = client(holders, own, "K2")
    with pytest.raises(TooFewHoldersError, match="needs K2, revoked here"):
        made.key_sets()
    made.close()
    assert (own / "keys.json").read_bytes() == before
    everybody = client(holders, own)
    assert everybody.key_sets()[1].keys.generation == 2
    everybody.close()


class _Way:
    """A connection that nobody uses."""

    def __init__(self) -> None:
        self.closed = False

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "L09"
    write_actor(found, AUTHORITY, "L01", "lender", days=30, now=NOW, random=secrets.token_bytes)
    (found / "exchange.toml").write_text(RIGHT)
    return found


def asked(folder: Path) -> list[str]:
    """The codes towards which a way is made when the desk is opened."""
    codes: list[str] = []

    def door(code: str, address: str, transport: Transport) -> _Way:
        codes.append(code)
        return _Way()

    def channel(address: str, code: str, transport: Transport) -> grpc.Channel:
        codes.append(code)
        return grpc.insecure_channel("127.0.0.1:9")

    with open_desk(folder, ways=Ways(door, channel)):  # type: ignore[arg-type]
        return codes


def test_nobody_revoked_has_a_way(folder: Path) -> None:
    """A revoked holder gets no door, a revoked registry stops the desk, and so does a list that is
    none; without the file there are ways to all (control).
    """
    everybody = asked(folder)
    assert len(everybody) > 2
    (folder / REVOKED).write_text(json.dumps([everybody[0], "L09"]))
    assert asked(folder) == everybody[1:]
    (folder / REVOKED).write_text(json.dumps([everybody[-1]]))
    with pytest.raises(OperatorError, match=f"the registry {everybody[-1]} is revoked"):
        asked(folder)
    for wrong in ("{", '{"K1": 1}', "[1]"):
        (folder / REVOKED).write_text(wrong)
        with pytest.raises(OperatorError, match="not a list of codes"):
            asked(folder)
        with pytest.raises(OperatorError):
            read_revoked(folder)
