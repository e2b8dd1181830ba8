"""The comparison of secure sums: small runs of what `make bench-secure-sum` measures."""

import numpy as np
import pytest

from tests.bench import secure_sum, secure_sum_flower, secure_sum_ours
from tests.bench.secure_sum_costs import Costs, mean_of
from tests.bench.secure_sum_large import coordinator_point, lender_point


def test_all_three_sums_come_to_the_mean_and_every_step_is_measured() -> None:
    """The rounds themselves compare their total with the mean of all weights."""
    point = secure_sum.compared(5, 300)
    assert all(point[side]["mask"] > 0 for side in ("ours", "secaggplus", "plain"))
    found = secure_sum.summary({"points": [point]})
    assert set(found) == {"n5", "demo_overhead"}
    assert set(found["n5"]) == {"mask_ratio", "share_ratio", "unmask_ratio", "bytes_ratio"}
    assert "SecAgg+" in secure_sum.point_table(point)


def test_a_sum_that_is_not_the_mean_is_noticed() -> None:
    """Ours and the plain one; positive control of the check above."""
    total = np.ones(301, np.int64)
    with pytest.raises(AssertionError):
        secure_sum_ours.check_mean(total, 5)


def test_a_secaggplus_mean_that_is_wrong_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Positive control: the mean to compare with is moved by a hundredth."""
    wrong = mean_of(3, 300) + 0.01
    monkeypatch.setattr(secure_sum_flower, "mean_of", lambda lenders, length: wrong)
    with pytest.raises(AssertionError):
        secure_sum_flower.FlowerRounds(3, 300).round()


def test_large_points_measure_both_sides() -> None:
    """Small here; the coordinator's total is compared with the sum."""
    assert lender_point(4, 200)["mask_ms"] > 0
    assert coordinator_point(4, 200)["unmask_ms"] > 0


def test_a_plain_upload_is_as_small_as_ours() -> None:
    """Four bytes a number."""
    costs = Costs()
    secure_sum_ours.plain_round(3, 10_000, costs)
    assert 40_000 < costs.upload[0] < 41_000
