"""Edges and measures on a real card book (UCI 350, 30,000 accounts), against pooled twins."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier
from scipy.stats import ks_2samp
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss as pooled_log_loss
from sklearn.metrics import roc_auc_score

from shared.statistics.calibration import log_loss, pd_of_logit, platt
from shared.statistics.grid import coarse_counts, quantile_edges, refined_counts, refined_grid
from shared.statistics.ranking import auc, ks
from shared.statistics.scores import logit_histogram

BOOK = Path(__file__).parents[4] / "shared/data/uci_default_credit_card/UCI_Credit_Card.csv.gz"
LABEL = "default.payment.next.month"
AMOUNTS = ["LIMIT_BAL", *(f"{kind}_AMT{i}" for kind in ("BILL", "PAY") for i in range(1, 7))]
BARRED = ["ID", "SEX", "AGE", "MARRIAGE", LABEL]

pytestmark = pytest.mark.skipif(
    not BOOK.exists(), reason="needs the UCI card book beside the repository (shared/data)"
)


@pytest.fixture(scope="module")
def book():
    return pd.read_csv(BOOK)


@pytest.fixture(scope="module")
def scored(book):
    """Logits and labels of the half of the book the model has not seen."""
    features, bad = book.drop(columns=BARRED), book[LABEL].to_numpy(dtype=np.int8)
    odd = np.arange(len(book)) % 2 == 1
    model = LGBMClassifier(n_estimators=60, n_jobs=1, random_state=0, verbose=-1).fit(
        features[odd], bad[odd]
    )
    return model.predict(features[~odd], raw_score=True), bad[~odd]


def _edges(values, bins=48):
    grid = refined_grid(coarse_counts(values))
    return np.array(quantile_edges(refined_counts(values, grid), grid, bins))


def test_the_auc_is_within_its_certified_half_width_and_a_ten_thousandth(scored):
    logit, bad = scored
    measured, exact = auc(*logit_histogram(logit, bad)), roc_auc_score(bad, logit)
    assert measured.low <= exact <= measured.high
    assert measured.half_width < 2e-3
    assert abs(measured.value - exact) < 1e-4


def test_the_ks_is_within_its_bound_and_two_thousandths(scored):
    logit, bad = scored
    measured = ks(*logit_histogram(logit, bad))
    exact = ks_2samp(logit[bad == 1], logit[bad == 0], method="asymp").statistic
    assert measured.value <= exact <= measured.value + measured.bound
    assert exact - measured.value < 2e-3


def test_log_loss_and_platt_agree_with_the_raw_rows(scored):
    logit, bad = scored
    total = logit_histogram(logit, bad)
    measured, exact = log_loss(*total), pooled_log_loss(bad, pd_of_logit(logit))
    assert measured.low <= exact <= measured.high
    assert measured.half_width < 5e-3
    raw, fit = LogisticRegression(C=np.inf, tol=1e-10).fit(logit[:, None], bad), platt(*total)
    assert fit.slope == pytest.approx(raw.coef_[0, 0], abs=1e-3)
    assert fit.intercept == pytest.approx(raw.intercept_[0], abs=1e-3)


@pytest.mark.parametrize("column", AMOUNTS)
def test_amounts_are_cut_where_pandas_cuts_them(book, column):
    """Every distinct pooled quantile has an edge whose rank differs by under 0.4 % of the rows.

    The largest gaps, 0.3 %, are round instalments: rows a few dollars below share their cell.
    """
    values = book[column].to_numpy(dtype=np.float64)
    at = np.unique(pd.Series(values).quantile(np.arange(1, 48) / 48, "higher"))
    edges, ordered = _edges(values), np.sort(values)
    want = np.searchsorted(ordered, at[at < values.max()], side="right")
    ours = np.searchsorted(ordered, edges, side="right")
    assert len(ours) == len(want)
    assert np.abs(ours - want).max() / len(values) < 4e-3


@pytest.mark.parametrize("column", ["PAY_0", "PAY_6", "EDUCATION"])
def test_months_late_are_separated_save_for_values_under_the_minimum(book, column):
    counts = book[column].value_counts()
    common = np.sort(counts[counts >= 5].index.to_numpy(dtype=np.float64))
    edges = _edges(book[column].to_numpy(dtype=np.float64))
    assert (np.diff(np.searchsorted(edges, common)) == 1).all()
