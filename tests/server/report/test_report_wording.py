"""The sentences say what the figures say, losses as plainly as gains."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.report import wording
from server.report.content import Psi, Stage
from server.report.curve_charts import _thin, interpolate
from server.report.feature_sections import _psi_text
from server.report.gain_sections import _figure_name, gain_sentences
from server.report.page import paired
from server.report.parsing import parse_report
from server.report.parts import Section, sample
from server.report.run_sections import _grouped


def said(*gains: tuple[object, ...]) -> str:
    """The sentences for lenders given as (rows, gain, low, high)."""
    lenders = [
        {"code": f"L{i}", "rows": r, "gain": g, "gain_low": low, "gain_high": high}
        for i, (r, g, low, high) in enumerate(gains, 1)
    ]
    report = parse_report({"schema_version": 1, "insecure": False, "lenders": lenders})
    return " ".join(gain_sentences(report.lenders))


def test_gains_and_their_noise_are_counted() -> None:
    text = said((900, 0.01, -0.01, 0.03), (500, 0.02, 0.01, 0.03), (100, 0.06, 0.01, 0.11))
    assert text == (
        "3 of 3 lenders rank their own applicants better with the consortium than alone; the mean "
        "gain is +3.0 points of AUC; the smallest lender gains most (+6.0). "
        "2 of these 3 gains are clear of noise. No lender is worse off than alone "
        "with usual settings."
    )


def test_losses_are_named_and_split_by_noise() -> None:
    text = said((900, -0.01, -0.03, 0.01), (500, -0.02, -0.03, -0.01), (100, 0.03, 0.01, 0.05))
    assert "1 of 3 lenders rank" in text
    assert "1 lender loses beyond noise (L2 −2.0)." in text
    assert "1 lender loses within noise (L1 −1.0)." in text
    assert "No lender is worse off" not in text


def test_a_gain_without_interval_is_not_called_sure() -> None:
    text = said((900, 0.01, None, None), (500, -0.02, None, None))
    assert "No interval was measured" in text
    assert "without a measured interval (L2 −2.0)" in text


def test_a_gain_that_rounds_to_nought_is_neither_won_nor_lost() -> None:
    assert said((900, 0.0002, 0.0001, 0.0003), (500, -0.0002, -0.001, 0.001)).startswith("0 of 2")


def test_unmeasured_lenders_are_not_counted_but_told() -> None:
    text = said((900, 0.01, 0.005, 0.02), (50, None, None, None))
    assert text.startswith("1 of 1 measured lender ")
    assert "1 lender could not be measured" in text
    assert said((50, None, None, None)).startswith("No lender's gain was measured in this run")


def test_a_missing_gain_is_taken_from_the_two_auc() -> None:
    """The shared model counts where a lender has no personal one."""
    lenders = [
        {"code": "L1", "auc_local": 0.7, "auc_shared": 0.71, "auc_personal": 0.72},
        {"code": "L2", "auc_local": 0.7, "auc_shared": 0.71},
        {"code": "L3", "auc_local": 0.7},
    ]
    report = parse_report({"schema_version": 1, "insecure": False, "lenders": lenders})
    gains = [lender.gain for lender in report.lenders]
    assert gains[:2] == pytest.approx([0.02, 0.01])
    assert gains[2] is None


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.017, "+1.7"), (-0.0123, "−1.2"), (0.0004, "0.0"), (-0.0004, "0.0"), (None, "–")],
)
def test_points(value: float | None, text: str) -> None:
    assert wording.points(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_500, "1.5 kB"),
        (38_400, "38.4 kB"),
        (150_000, "150 kB"),
        (2_300_000, "2.3 MB"),
        (7_100_000_000, "7.1 GB"),
    ],
)
def test_size(value: int, text: str) -> None:
    assert wording.size(value).replace("\u00a0", " ") == text


@given(st.text(max_size=60), st.integers(2, 30))
def test_a_shortened_name_fits(text: str, limit: int) -> None:
    assert wording.width(wording.shorten(text, limit)) <= limit


def test_a_name_that_fits_is_kept() -> None:
    assert wording.shorten("逾期天数", 8) == "逾期天数"
    assert wording.shorten("逾期天数", 7) == "逾期天…"


@pytest.mark.parametrize(
    ("value", "text"), [(0.09, "0.09"), (0.10, "0.10 ▲"), (0.25, "0.25 ■"), (None, "–")]
)
def test_psi_bands_start_at_a_tenth_and_a_quarter(value: float | None, text: str) -> None:
    assert _psi_text(value) == text


def test_many_stages_are_summed_by_their_kind() -> None:
    stages = [Stage("keys", 2, 100)] + [Stage(f"round/{i}", 1, 50) for i in range(20)]
    assert _grouped(stages) == [Stage("keys", 2, 100), Stage("round", 20, 1000)]
    assert _grouped(stages[:5]) == stages[:5]


def test_a_half_section_without_partner_gets_the_whole_row() -> None:
    def halves(*flags: bool) -> list[bool]:
        return [x.half for x in paired([Section("a", "A", "b", half=flag) for flag in flags])]

    assert halves(True, True) == [True, True]
    assert halves(True, False) == [False, False]
    assert halves(True, True, True, False, True) == [True, True, False, False, False]


@given(st.integers(2, 3000))
def test_thinned_curves_keep_their_ends(length: int) -> None:
    curve = tuple((float(i), float(i)) for i in range(length))
    for thinned in (_thin(curve), tuple(sample(curve))):
        assert thinned[0] == curve[0]
        assert thinned[-1] == curve[-1]
        assert list(thinned) == sorted(set(thinned))
        assert len(thinned) <= min(length, 200)


def test_a_curve_is_straight_between_its_points() -> None:
    assert interpolate(((0.0, 0.0), (1.0, 2.0)), 0.25) == 0.5


def test_psi_values_stay_with_their_lenders() -> None:
    psi = {"lenders": ["L1", "L2"], "rows": [{"name": "score", "values": [0.1, None]}]}
    report = parse_report({"schema_version": 1, "insecure": False, "psi": psi})
    assert report.psi == Psi(("L1", "L2"), (("score", (0.1, None)),))


def test_keys_of_a_sweep_are_written_as_words() -> None:
    assert _figure_name("auc_shared") == "AUC shared"
    assert _figure_name("ks_lightgbm") == "KS pooled LightGBM (researcher's view only)"
