"""Whether predicted probabilities of default come true, from totals per logit bin.

Invariants:
- A row's PD and loss are rounded to fixed point before they are summed, so that totals are the
  same integers however rows are spread over lenders.
- Reliability rows hold at least MINIMUM_CELL rows each; fewer rows altogether give no row.
- With no rows, or where a fit does not exist, the result is NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, nan, sqrt

import numpy as np
from numpy.typing import NDArray

from shared.errors import InternalError, PeerError
from shared.statistics.grid import MINIMUM_CELL
from shared.statistics.measured import Counts, Measured, good_and_bad
from shared.statistics.scores import LOGIT_BINS, LOGIT_CENTRES, LOGIT_EDGES, logit_bin

_Z95 = 1.959963984540054


@dataclass(frozen=True)
class ReliabilityRow:
    """Bins first … last: mean predicted PD against the share that turned bad.

    `low` and `high` are the 95 % Wilson interval of the bad rate (Wilson 1927): unlike the
    certified widths elsewhere it is about sampling.
    """

    first: int
    last: int
    rows: float
    mean_pd: float
    bad_rate: float
    low: float
    high: float


@dataclass(frozen=True)
class PlattFit:
    """ln odds of bad = intercept + slope * logit; a calibrated model has slope 1, intercept 0."""

    slope: float
    intercept: float


def pd_of_logit(logit: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / (1 + exp(-logit)) in [0, 1] without overflow, same shape."""
    shrunk = np.exp(-np.abs(logit))
    return np.where(logit >= 0, 1.0, shrunk) / (1.0 + shrunk)


def pd_sums(logit: NDArray[np.float64], fraction_bits: int = 16) -> NDArray[np.int64]:
    """Summed PD * 2**fraction_bits per logit bin, shape (1000,), each row rounded first.

    A total over 2**(32 - fraction_bits) expected bads in one bin does not fit 32 bits.
    Raises InternalError when a logit is NaN.
    """
    whole = np.rint(pd_of_logit(logit) * 2**fraction_bits)
    sums = np.bincount(logit_bin(logit), weights=whole, minlength=LOGIT_BINS)
    return sums.astype(np.int64)  # float64 sums of whole numbers are exact up to 2**53


def log_loss_sum(logit: NDArray[np.float64], bad: NDArray[np.int8], fraction_bits: int = 16) -> int:
    """Summed log loss * 2**fraction_bits of the rows, each rounded first; divide by rows.

    Raises InternalError when a logit is not finite: its loss could be infinite.
    """
    if not np.isfinite(logit).all():
        raise InternalError("a logit is not finite")
    loss = np.logaddexp(0.0, np.where(bad == 1, -logit, logit))
    return int(np.rint(loss * 2**fraction_bits).sum())


def log_loss(good: Counts, bad: Counts) -> Measured:
    """Mean log loss from the logit histogram, natural log, with its certified half-width.

    A row's loss lies between its value at its bin's two edges. The open ends can hold any loss:
    bad rows in the lowest bin or good rows in the highest make the half-width infinite, and then
    `log_loss_sum` is the way. Raises PeerError when totals are not over the 1,000 logit bins.
    """
    goods, bads = good_and_bad(good, bad)
    if goods.shape != (LOGIT_BINS,):
        raise PeerError(f"expected {LOGIT_BINS} logit bins, got {goods.shape}")
    rows = goods.sum() + bads.sum()
    if rows == 0:
        return Measured(nan, nan)
    low_edge, high_edge = np.append(-inf, LOGIT_EDGES), np.append(LOGIT_EDGES, inf)
    least = goods @ np.logaddexp(0, low_edge) + bads @ np.logaddexp(0, -high_edge)
    if bads[0] or goods[-1]:
        middle = goods @ np.logaddexp(0, LOGIT_CENTRES) + bads @ np.logaddexp(0, -LOGIT_CENTRES)
        return Measured(float(middle / rows), inf)
    # The infinite ends carry no rows here; 0 * inf must not enter the sum.
    most = goods[:-1] @ np.logaddexp(0, high_edge[:-1]) + bads[1:] @ np.logaddexp(0, -low_edge[1:])
    return Measured(float((least + most) / 2 / rows), float((most - least) / 2 / rows))


def reliability(
    good: Counts, bad: Counts, pd_sum: NDArray[np.float64], groups: int = 10
) -> tuple[ReliabilityRow, ...]:
    """At most `groups` rows of about equal size, in ascending risk, empty when too few rows.

    `pd_sum` is the summed PD per bin, shape (B,), already divided by 2**fraction_bits.
    Raises PeerError when shapes differ, InternalError when groups < 1.
    """
    goods, bads = good_and_bad(good, bad)
    if pd_sum.shape != goods.shape:
        raise PeerError(f"expected {goods.shape} summed PDs, got {pd_sum.shape}")
    return tuple(
        _reliability_row(first, last, goods, bads, pd_sum)
        for first, last in _equal_groups(goods + bads, groups)
    )


def calibration_error(rows: tuple[ReliabilityRow, ...]) -> float:
    """Expected calibration error: mean over rows of |mean PD - bad rate|; NaN without rows.

    It depends on the grouping and never exceeds that of a finer one.
    """
    total = sum(row.rows for row in rows)
    if total == 0:
        return nan
    return sum(row.rows * abs(row.mean_pd - row.bad_rate) for row in rows) / total


def platt(good: Counts, bad: Counts, logit: NDArray[np.float64] = LOGIT_CENTRES) -> PlattFit:
    """Logistic regression of bad on one logit per bin, shape (B,), by damped Newton steps.

    The maximum exists only if good and bad overlap in more than one bin (Albert & Anderson 1984,
    Biometrika 71): otherwise, and with one class, NaN. Raises PeerError when shapes differ,
    InternalError when the logits of occupied bins are not finite and ascending.
    """
    goods, bads = good_and_bad(good, bad)
    if logit.shape != goods.shape:
        raise PeerError(f"expected {goods.shape} logits, got {logit.shape}")
    held = (goods + bads) > 0
    goods, bads, z = goods[held], bads[held], logit[held]
    if not np.isfinite(z).all() or (np.diff(z) <= 0).any():
        raise InternalError("the logits of occupied bins must be finite and ascending")
    return _newton(goods, bads, z) if _overlap(goods, bads) else PlattFit(nan, nan)


def _overlap(goods: NDArray[np.float64], bads: NDArray[np.float64]) -> bool:
    at_good, at_bad = np.flatnonzero(goods), np.flatnonzero(bads)
    if len(at_good) == 0 or len(at_bad) == 0:
        return False
    return bool(at_good[-1] > at_bad[0] and at_bad[-1] > at_good[0])


def _newton(
    goods: NDArray[np.float64], bads: NDArray[np.float64], logit: NDArray[np.float64]
) -> PlattFit:
    """Halve each Newton step until the mean log loss does not rise; NaN if 100 are not enough.

    Works on the standardised logit, so that one tolerance fits any scale.
    """
    rows = goods + bads
    centre, scale = float(logit.mean()), float(logit.std())
    design = np.stack([(logit - centre) / scale, np.ones_like(logit)], axis=1)
    beta = np.zeros(2)
    now = _mean_loss(design @ beta, goods, bads)
    for _ in range(100):
        pd = pd_of_logit(design @ beta)
        gradient = design.T @ (rows * pd - bads)
        hessian = (design.T * (rows * pd * (1 - pd))) @ design
        step = np.linalg.solve(hessian, gradient)
        while (after := _mean_loss(design @ (beta - step), goods, bads)) > now:
            step = step / 2
            if np.abs(step).max() < 1e-12:
                break
        beta, now = beta - step, after
        if np.abs(step).max() < 1e-9:
            slope = float(beta[0]) / scale
            return PlattFit(slope, float(beta[1]) - slope * centre)
    return PlattFit(nan, nan)


def _mean_loss(
    z: NDArray[np.float64], goods: NDArray[np.float64], bads: NDArray[np.float64]
) -> float:
    total = goods @ np.logaddexp(0, z) + bads @ np.logaddexp(0, -z)
    return float(total) / float((goods + bads).sum())


def _equal_groups(rows: NDArray[np.float64], groups: int) -> list[tuple[int, int]]:
    """First and last bin of each group; a group closes once it holds its share and the minimum."""
    if groups < 1:
        raise InternalError(f"expected at least one group, got {groups}")
    fill = max(rows.sum() / groups, float(MINIMUM_CELL))
    spans: list[tuple[int, int]] = []
    first, held = 0, 0.0
    for index in np.flatnonzero(rows):
        held += rows[index]
        if held >= fill:
            spans.append((first, int(index)))
            first, held = int(index) + 1, 0.0
    if held > 0 and spans:  # what is left joins the last group
        spans[-1] = (spans[-1][0], int(np.flatnonzero(rows)[-1]))
    return spans


def _reliability_row(
    first: int,
    last: int,
    goods: NDArray[np.float64],
    bads: NDArray[np.float64],
    pd_sum: NDArray[np.float64],
) -> ReliabilityRow:
    span = slice(first, last + 1)
    rows = float(goods[span].sum() + bads[span].sum())
    rate = float(bads[span].sum()) / rows
    low, high = _wilson(rate, rows)
    return ReliabilityRow(first, last, rows, float(pd_sum[span].sum()) / rows, rate, low, high)


def _wilson(rate: float, rows: float) -> tuple[float, float]:
    shrink = 1 + _Z95**2 / rows
    centre = (rate + _Z95**2 / (2 * rows)) / shrink
    half = _Z95 * sqrt(rate * (1 - rate) / rows + (_Z95 / (2 * rows)) ** 2) / shrink
    return max(0.0, centre - half), min(1.0, centre + half)
