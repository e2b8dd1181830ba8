"""Payments that one lender plants do not stop a desk; what they would cost is bounded."""

from __future__ import annotations

import numpy as np
import pytest

from shared.rings import motifs as shapes
from shared.rings import steps
from shared.rings.columns import Ints, join
from shared.rings.kinds import Terms
from shared.rings.motifs import Money, Motif, motifs
from shared.rings.steps import MOST_STEPS, step, steps_on


def everybody_pays_everybody(people: int = 16, bands: int = 8, ring: int = 0) -> Money:
    """One lender's 1,936 edges of one week: everyone owns a card and pays all others in bands."""
    one, two, band = (
        axis.ravel() for axis in np.meshgrid(*map(np.arange, (people, people, bands)))
    )
    paid = one != two
    one, two, band = one[paid], two[paid], band[paid] + 11
    owners = np.arange(people)
    return Money(
        np.full(len(one), ring), one, two, np.zeros_like(one), band,
        np.full(people, ring), owners, owners,
    )  # fmt: skip


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Rows of each join by `step`."""
    rows: list[int] = []

    def counted(ring: Ints, left: Ints, right: Ints) -> tuple[Ints, Ints]:
        one, two = step(ring, left, right)
        rows.append(len(one))
        return one, two

    monkeypatch.setattr(steps, "step", counted)
    monkeypatch.setattr(shapes, "step", counted)
    return rows


def test_all_shapes_of_planted_payments_are_found_in_few_steps(made: list[int]) -> None:
    """Below a million in all. By person alone one hop of the search would be 90 million (control:
    flows of one begin times flows of one person).
    """
    money = everybody_pays_everybody()
    found = motifs(money, Terms())
    assert all(len(found[one][1]) == 16 for one in (Motif.CYCLE, Motif.STACK, Motif.PASS_THROUGH))
    assert sum(made) < 1_000_000
    flows = shapes._flows(money)
    begins, each = len(flows.source), len(join(flows.target, flows.source)[0])
    assert begins * each / len(flows.source) > 200_000
    assert begins * begins * 15 * 2 > 90_000_000


def test_a_ring_beyond_the_bound_hides_itself_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other ring's shapes are found, whichever comes first; without the bound (control) both
    are.
    """

    def taking(most: int, turned: bool) -> set[int]:
        large, small = everybody_pays_everybody(12, 4, int(turned)), everybody_pays_everybody(4, 1)
        names = Money.__slots__
        shifted = [
            getattr(small, name) + (100 if name in ("payer", "account", "owner", "owned") else 0)
            for name in names
        ]
        other = dict(zip(names, shifted, strict=True))
        other["ring"] = other["ring"] * 0 + int(not turned)
        other["owner_ring"] = other["owner_ring"] * 0 + int(not turned)
        both = Money(*(np.concatenate([getattr(large, name), other[name]]) for name in names))
        monkeypatch.setattr(steps, "MOST_STEPS", most)
        return set(motifs(both, Terms())[Motif.CYCLE][1].tolist())

    for turned in (False, True):
        assert taking(500, turned) == {100, 101, 102, 103}
        assert taking(MOST_STEPS, turned) == {*range(12), 100, 101, 102, 103}


def test_steps_are_those_that_a_plain_join_keeps() -> None:
    """Joined by week and band, and joined by person and filtered afterwards, are the same rows."""
    for seed in range(40):
        draw = np.random.default_rng(seed)
        here, there = ([draw.integers(0, most, 60) for most in (6, 9, 5)] for _ in range(2))
        one, two = steps_on((here[0] // 2, *here), (there[0], there[1], there[2]), 3)
        left, right = join(here[0], there[0])
        later, lost = there[1][right] - here[1][left], here[2][left] - there[2][right]
        fine = (later >= 0) & (later <= 3) & (lost >= 0) & (lost <= 1)
        assert {*zip(one, two, strict=True)} == {*zip(left[fine], right[fine], strict=True)}
        assert len(one) == fine.sum()


def test_parcels_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rings looked at one by one or all together have the same shapes."""
    for seed in range(20):
        draw = np.random.default_rng(seed)
        ring, owner = draw.integers(0, 5, 150), draw.integers(0, 5, 40)
        money = Money(
            ring, ring * 6 + draw.integers(0, 6, 150), ring * 6 + draw.integers(0, 6, 150),
            draw.integers(0, 5, 150), draw.integers(0, 4, 150),
            owner, owner * 6 + draw.integers(0, 6, 40), owner * 6 + draw.integers(0, 6, 40),
        )  # fmt: skip
        found = []
        for parcel in (1, 1 << 20):
            monkeypatch.setattr(shapes, "PARCEL", parcel)
            taking = motifs(money, Terms()).items()
            found.append({motif: [part.tolist() for part in rows] for motif, rows in taking})
        assert found[0] == found[1]
