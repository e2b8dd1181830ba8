"""The figures of docs/borrowing.md that a script makes again."""

from __future__ import annotations

from pathlib import Path

from tests.bench.borrowing import pairs

PAGE = Path(__file__).parents[2] / "docs" / "borrowing.md"


def test_the_pairs_of_the_demo_are_as_the_page_says() -> None:
    """Every share on the page is one of the script's."""
    found, page = pairs(), " ".join(PAGE.read_text(encoding="utf-8").split())
    near, all_of_them = found["elsewhere_near"], found["elsewhere"]
    same = [round(100 * found[name]["weighted"]) for name in ("same_lender_near", "same_lender")]
    assert f"gives {near['weighted']:.0%}".replace("%", " %") in page
    for figure in (
        f"{near['weighted']:.0%} instead of {near['bad']:.0%} for pairs within twelve months "
        f"({near['pairs']} pairs; {found['all_loans']['weighted']:.0%} of all loans)",
        f"{all_of_them['weighted']:.0%} instead of {all_of_them['bad']:.0%} for any earlier loan "
        f"elsewhere ({all_of_them['pairs']} pairs",
        f"give {same[0]}% and {same[1]}%",
    ):
        assert figure.replace("%", " %") in page
    assert near["both_paid"] == 1
