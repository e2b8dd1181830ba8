"""A lender's own floors, and what a refusal says."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import PeerError
from shared.secure_sum.floors import REASONS, Floors, RefusedError, least_threshold
from tests.shared.secure_sum.federation import payload

DEMO, PRODUCTION = Floors.of("demo"), Floors.of("production")


@given(st.integers(1, 5000))
def test_the_least_threshold_outvotes_a_third_of_colluders(lenders: int) -> None:
    """2t > n + ⌊n/3⌋, and one less would not do for some n; honest lenders alone reach it."""
    threshold = least_threshold(lenders)
    assert 2 * threshold > lenders + lenders // 3
    assert threshold <= lenders or lenders < 1
    assert 2 * (threshold - 1) <= lenders + -(-lenders // 3)


def test_profiles_are_floors_of_their_own_and_not_weaker_than_themselves() -> None:
    """Production asks for five lenders and four shares, the demo for three and three."""
    assert (PRODUCTION.minimum_cohort, PRODUCTION.minimum_threshold) == (5, 4)
    assert (DEMO.minimum_cohort, DEMO.minimum_threshold) == (3, 3)
    for profile in ("demo", "production"):
        assert Floors.of(profile).problems(profile) == []
    assert len(DEMO.problems("production")) == 3
    assert PRODUCTION.problems("demo") == []


@pytest.mark.parametrize(
    "weaker",
    [
        {"minimum_cohort": 4}, {"minimum_threshold": 3}, {"maximum_clip": 17.0},
        {"maximum_clip": 0.0}, {"maximum_clip": float("nan")}, {"maximum_clip": -1.0},
        {"minimum_cell": 0}, {"same_lenders": frozenset({"counts", "losses"})},
        {"kinds": frozenset({"counts", "secrets"})},
    ],
    ids=lambda weaker: f"{next(iter(weaker))}-{len(str(weaker))}",
)  # fmt: skip
def test_every_floor_that_is_weaker_than_the_profiles_is_named(weaker: dict) -> None:
    """And only that one; stricter ones pass."""
    (found,) = replace(PRODUCTION, **weaker).problems("production")
    assert found.startswith(next(iter(weaker)))
    strict = Floors(9, 8, 0.5, frozenset({"counts"}), 10)
    assert strict.problems("production") == []


@given(st.integers(1, 60), st.integers(-5, 70))
def test_a_roll_passes_with_enough_members_and_shares_only(members: int, threshold: int) -> None:
    """⌊2n/3⌋ + 1 to n, and the lender's own floors."""
    floors = Floors(6, 5)
    good = members >= 6 and max(5, least_threshold(members)) <= threshold <= members
    try:
        floors.check_roll(members, threshold)
    except RefusedError as refused:
        reason = refused.reason
    else:
        reason = ""
    assert reason == ("" if good else "cohort" if members < 6 else "threshold")


def test_a_sum_needs_the_threshold_and_the_floor() -> None:
    """Whichever is more."""
    for lenders, threshold, good in ((6, 5, True), (5, 5, False), (7, 7, True), (7, 8, False)):
        if good:
            Floors(6, 5).check_sum(lenders, threshold)
        else:
            with pytest.raises(RefusedError, match="fewer lenders"):
                Floors(6, 5).check_sum(lenders, threshold)


def test_payloads_are_held_to_kind_clip_and_cells() -> None:
    """The clip is for gradients and weights, the cells for counts."""
    floors = replace(DEMO, maximum_clip=2.0, minimum_cell=5, kinds=frozenset({"counts", "weights"}))
    floors.check_payload(payload(0, 1, "weights", clip=2.0))
    floors.check_payload(payload(0, 1, "counts", clip=9.0, minimum_cell=5))
    for kind, reason, changed in (
        ("weights", "clip", {"clip": 2.5}), ("counts", "cell", {"minimum_cell": 4}),
        ("losses", "kind", {}), ("gradients", "kind", {"clip": 0.1}),
    ):  # fmt: skip
        with pytest.raises(RefusedError) as refused:
            floors.check_payload(payload(0, 1, kind, **changed))
        assert refused.value.reason == reason


@pytest.mark.parametrize("reason", REASONS)
def test_a_refusal_says_its_reason_and_what_was_expected_and_came(reason: str) -> None:
    """It is the other side's fault."""
    error = RefusedError(reason, expected=3, came="L01")
    assert isinstance(error, PeerError)
    assert error.what == f"{REASONS[reason]} (expected 3, came L01)"
    assert RefusedError(reason).what == REASONS[reason]


def test_what_a_peer_wrote_is_kept_short_and_printable_in_a_refusal() -> None:
    """It goes to logs, journals and terminals."""
    error = RefusedError("box", came="\x1b[2J" + "x" * 1000)
    assert error.came.startswith("?[2J")
    assert len(error.came) == 200
