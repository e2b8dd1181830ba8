"""`keyholder.toml`: what an operator agreed to, and that mistakes in it are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.keyholder.settings import FILE, PURPOSES, read_settings, settings_of
from shared.errors import OperatorError

GOOD = {"keyholder": {"context": "c", "holders": ["K1", "K2"], "threshold": 2}}


def test_defaults_keep_a_member_from_enumerating_a_block_in_a_day() -> None:
    """All purposes together are below the 100,000 points that a block of numbers takes."""
    settings = settings_of(GOOD)
    assert settings.profile == "production"
    assert sum(settings.quota("L01", purpose) for purpose in PURPOSES) < 100_000


def test_a_member_may_have_its_own_quota() -> None:
    """For one purpose; the others stay as they are."""
    own = {"quotas": {"filing": 7, "members": {"L01": {"portfolio": 9}}}}
    settings = settings_of(GOOD | own)
    assert settings.quota("L01", "portfolio") == 9
    assert settings.quota("L02", "portfolio") == 40_000
    assert settings.quota("L01", "filing") == settings.quota("L02", "filing") == 7


@pytest.mark.parametrize(
    ("change", "entry"),
    [
        ({"keyholders": {}}, "keyholders"),
        ({"keyholder": {**GOOD["keyholder"], "treshold": 2}}, "keyholder.treshold"),
        ({"keyholder": {**GOOD["keyholder"], "threshold": 1}}, "keyholder.threshold"),
        ({"keyholder": {**GOOD["keyholder"], "threshold": True}}, "keyholder.threshold"),
        ({"keyholder": {**GOOD["keyholder"], "threshold": 3}}, "keyholder.threshold"),
        ({"keyholder": {**GOOD["keyholder"], "holders": ["K1", "K1"]}}, "keyholder.threshold"),
        ({"keyholder": {**GOOD["keyholder"], "holders": ["../x", "K1"]}}, "a code"),
        ({"keyholder": {**GOOD["keyholder"], "context": "a|b"}}, "keyholder.context"),
        ({"keyholder": {**GOOD["keyholder"], "profile": "lab"}}, "keyholder.profile"),
        ({"quotas": {"portfolio": -1}}, "quotas.portfolio"),
        ({"quotas": {"curiosity": 1}}, "quotas.curiosity"),
        ({"quotas": {"members": {"L01": {"x": 1}}}}, "quotas.members.L01.x"),
        ({"quotas": {"members": 3}}, "quotas.members"),
        ({"keys": {"grace": 3}}, "keys.grace"),
        ({"keys": {"grace_days": "x"}}, "keys.grace_days"),
        ({"keys": 3}, "keys"),
    ],
)
def test_a_mistake_is_named(change: dict[str, object], entry: str) -> None:
    """What is misspelt or out of range is refused with its entry, never ignored."""
    with pytest.raises(OperatorError) as caught:
        settings_of({**GOOD, **change})
    assert caught.value.what == f"{entry} is wrong"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Missing, no TOML, or wrong: with its path."""
    for text in (None, "[", "[keyholder]\n"):
        if text is not None:
            (tmp_path / FILE).write_text(text)
        with pytest.raises(OperatorError) as caught:
            read_settings(tmp_path)
        assert str(tmp_path / FILE) in caught.value.what
