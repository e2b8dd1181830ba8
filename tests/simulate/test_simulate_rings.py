"""simulate.py --rings: planted, looked for, told on screen and page, the truth kept apart."""

import json

from researcher import NO_EXTRAS, Desk, read_report

RINGS = ("--rings", "3", "--decoys", "4")


def test_rings_are_planted_and_looked_for_and_told_everywhere(desk: Desk, undrawn: None):
    status, shown, told = desk.run("--json", *RINGS, *NO_EXTRAS)
    assert status == 0, told
    found = json.loads(shown.splitlines()[-1])["rings"]
    promised = {
        "recall",
        "precision_at_k",
        "member_recall",
        "member_recall_best_single_lender",
        "innocents_per_1000",
        "invisible_to_single",
        "by_typology",
    }
    assert promised <= set(found)
    assert (found["planted"], found["decoys"]) == (3, 4)
    assert [lender["code"] for lender in found["lenders"]] == ["L01", "L02", "L03", "L04", "L05"]
    assert "fraud rings (synthetic people): Together the lenders find" in told
    page = (desk.out / "report.html").read_text(encoding="utf-8")
    assert 'id="rings"' in page
    assert (desk.out / "rings" / "truth.json").stat().st_mode & 0o777 == 0o600
    assert read_report(desk.out)["seconds"]["rings"] > 0


def test_without_rings_nothing_of_them_is_made_or_told(desk: Desk, undrawn: None):
    _, _, told = desk.run(*NO_EXTRAS)
    assert "rings" not in read_report(desk.out)
    assert not (desk.out / "rings").exists()
    assert "fraud rings" not in told


def test_look_alikes_without_rings_are_refused_with_a_remedy(desk: Desk):
    status, _, told = desk.run("--decoys", "4", *NO_EXTRAS)
    assert status == 2
    assert "add --rings" in told
    assert not desk.out.exists()
