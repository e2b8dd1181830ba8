"""`exchange.toml`: what is misspelt or missing is refused by name; what is right is read whole."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from client.exchange.settings import read_exchange
from server.actor import write_actor
from shared.errors import OperatorError
from tests.server.keyholder.key_holders import AUTHORITY, NOW

RIGHT = """[exchange]
member = "L01"
context = "Five lenders"
[registry]
code = "R1"
address = "registry.example:7443"
[holders]
K1 = "k1.example:7443"
K2 = "[::1]:7443"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("lenders") / "L01"
    write_actor(found, AUTHORITY, "L01", "lender", days=30, now=NOW, random=secrets.token_bytes)
    return found


def refused(folder: Path, text: str) -> str:
    (folder / "exchange.toml").write_text(text)
    with pytest.raises(OperatorError) as told:
        read_exchange(folder, clock=lambda: NOW)
    assert told.value.remedy
    return str(told.value)


def test_what_is_right_is_read(folder: Path) -> None:
    """All entries, and who this lender is; nothing secret shows."""
    (folder / "exchange.toml").write_text(RIGHT)
    found = read_exchange(folder, clock=lambda: NOW)
    assert (found.member, found.context, found.registry) == ("L01", "Five lenders", "R1")
    assert dict(found.holders) == {"K1": "k1.example:7443", "K2": "[::1]:7443"}
    assert found.identity.member.code == found.transport.code == "L01"
    assert found.identity.private.hex() not in repr(found)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("[holders]", "[holder]", "[holder]"),
        ("context", "contxt", "'contxt'"),
        ('code = "R1"\n', "", "no entry 'code'"),
        ('K2 = "[::1]:7443"\n', "", "two or more"),
        ("k1.example:7443", "k1.example", "[holders] K1"),
        ("registry.example:7443", "registry.example", "[registry] address"),
        ('"Five lenders"', '"Five|lenders"', "[exchange] context"),
        ('"Five lenders"', "5", "text in quotes"),
        ('member = "L01"', 'member = "L 01"', "[exchange] member"),
        ('member = "L01"', 'member = "L02"', "certificate.crt"),
        ("[registry]", "[registry", "exchange.toml"),
    ],
)
def test_a_wrong_entry_is_named(folder: Path, old: str, new: str, told: str) -> None:
    """With the file, and what to do."""
    assert told in refused(folder, RIGHT.replace(old, new))


def test_a_transport_key_that_others_can_read_is_refused(folder: Path) -> None:
    """Nothing is asked of anybody with it."""
    key = folder / "own" / "transport.key"
    key.chmod(0o644)
    try:
        assert "chmod 600" in refused(folder, RIGHT)
    finally:
        key.chmod(0o600)
