"""`keyholder.toml`: what an operator agreed to, and that mistakes in it are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.keyholder.settings import BLOCK, FILE, PURPOSES, read_settings, settings_of
from shared.errors import OperatorError

GOOD = {"keyholder": {"context": "c", "holders": ["K1", "K2"], "threshold": 2}}


@pytest.mark.parametrize(("threshold", "count"), [(2, 2), (2, 3), (3, 5), (4, 7)])
def test_defaults_keep_a_member_from_enumerating_a_block_in_a_day(
    threshold: int, count: int
) -> None:
    """All purposes, at all holders, for whoever takes turns over all quorums: below the 100,000
    points that a block of numbers takes, also without the total.
    """
    settings = settings_of(holders(threshold, count))
    assert settings.profile == "production"
    summed = sum(settings.quota("L01", purpose) for purpose in PURPOSES)
    assert summed * count / threshold < BLOCK
    assert settings.total("L01") < summed
    assert settings.of_all_holders("L01") == settings.total("L01") * count // threshold


def holders(threshold: int, count: int) -> dict[str, dict[str, object]]:
    codes = [f"K{number}" for number in range(count)]
    return {"keyholder": {"context": "c", "holders": codes, "threshold": threshold}}


@pytest.mark.parametrize(
    ("quotas", "who"),
    [
        ({"portfolio": 66_667}, "everybody"),
        ({"total": 10**6, "filing": 10**6}, "everybody"),
        ({"members": {"L01": {"portfolio": 200_000}}}, "L01"),
        ({"members": {"L01": {"total": 100_000, "filing": 60_000}}}, "L01"),
    ],
)
def test_a_block_a_day_is_for_whom_the_file_names(quotas: dict[str, object], who: str) -> None:
    """More than a block in production is refused, with what to write; written, it is taken. In the
    demo it always is.
    """
    own = {**holders(2, 3), "quotas": quotas}
    with pytest.raises(OperatorError, match=f"{who} could have") as caught:
        settings_of(own)
    assert f'beyond_block = ["{who}"]' in str(caught.value.remedy)
    settings_of({**own, "quotas": {**quotas, "beyond_block": [who]}})
    with pytest.raises(OperatorError):
        settings_of({**own, "quotas": {**quotas, "beyond_block": ["L99"]}})
    settings_of({"keyholder": {**own["keyholder"], "profile": "demo"}, "quotas": quotas})


def test_more_holders_for_each_quorum_take_a_lower_total() -> None:
    """Two of six are three times as much as one; a lower total is enough to be served."""
    with pytest.raises(OperatorError, match="everybody could have 147456 points"):
        settings_of(holders(2, 6))
    settings_of({**holders(2, 6), "quotas": {"total": 33_333}})


def test_a_member_may_have_its_own_quota() -> None:
    """For one purpose; the others stay as they are."""
    own = {"quotas": {"filing": 7, "members": {"L01": {"portfolio": 9}}}}
    settings = settings_of(GOOD | own)
    assert settings.quota("L01", "portfolio") == 9
    assert settings.quota("L02", "portfolio") == 20_480
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
        ({"quotas": {"total": "much"}}, "quotas.total"),
        ({"quotas": {"beyond_block": "L01"}}, "quotas.beyond_block"),
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
