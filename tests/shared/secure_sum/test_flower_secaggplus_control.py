"""Overlapping sets read one update out of flwr 1.41's SecAgg+ (the control), and not of ours."""

from __future__ import annotations

import numpy as np
import pytest

from shared.errors import PeerError
from tests.shared.secure_sum.flower_secagg import CLIENT, CLIP, TARGET, FlowerRound
from tests.shared.secure_sum.malicious import Attacked, assert_refused

LENDERS, THRESHOLD = 5, 4


def test_overlapping_sets_read_one_update_exactly_out_of_secagg_plus(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All are told that everybody is active and the victim is dead as well; all answer both."""
    quantised, quantise = [], CLIENT.quantize

    def watched(*given: object) -> list[np.ndarray]:
        quantised.append(quantise(*given))
        return quantised[-1]

    monkeypatch.setattr(CLIENT, "quantize", watched)
    rng = np.random.default_rng(0)
    updates = {nid: rng.normal(size=50).astype(np.float32) for nid in range(1, LENDERS + 1)}
    flower, victim = FlowerRound(updates, THRESHOLD), 3
    answers = [flower.shares(nid, flower.ids, [victim]) for nid in flower.ids]
    seeds = [answer["seeds"][victim] for answer in answers]
    keys = [answer["keys"][victim] for answer in answers]
    weight, read = flower.read(victim, seeds, keys)
    np.testing.assert_array_equal(read, quantised[victim - 1][0])
    decoded = read * (2 * CLIP / TARGET) - CLIP
    np.testing.assert_allclose(decoded, updates[victim], atol=2 * CLIP / TARGET)
    assert weight == TARGET


def test_the_same_attack_aimed_at_ours_stops_at_every_lender() -> None:
    """A question names the alive only, so an overlap takes two questions; the second gets nothing.

    Naming a lender twice in the one question is refused before any share.
    """
    attacked = Attacked(LENDERS)
    name = attacked.mask(attacked.open())
    both = attacked.survivors(name, tuple(sorted([*attacked.codes, "L03"])))
    assert_refused(attacked.federation, lambda side: side.answer(both), both, "survivors")
    without = attacked.all_but("L03")
    attacked.tell(name, dict.fromkeys(without, without))
    second = attacked.survivors(name, attacked.codes)
    assert_refused(attacked.federation, lambda side: side.answer(second), second, "answered",
                   list(without))  # fmt: skip
    with pytest.raises(PeerError, match="too few"):
        attacked.seed("L03")
    attacked.tell(name, {"L03": tuple(attacked.codes)})
    with pytest.raises(PeerError, match="too few"):
        attacked.seed("L03")
