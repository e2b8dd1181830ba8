"""simulate.py and the fraud list: filed and screened once, told on screen and page, left out."""

from researcher import NO_EXTRAS, Desk, read_report

WITH_LIST = tuple(option for option in NO_EXTRAS if option != "--no-list")


def test_the_list_is_filed_and_screened_once_and_told_everywhere(desk: Desk, undrawn: None):
    status, _, told = desk.run("--seeds", "0", "1", *WITH_LIST)
    assert status == 0, told
    report = read_report(desk.out)
    found = report["fraud_list"]
    assert found["differences"] == 0
    assert found["others"] > 0
    assert [lender["code"] for lender in found["lenders"]] == ["L01", "L02", "L03", "L04", "L05"]
    assert (desk.out / "seed-0" / "list" / "registry").is_dir()
    assert not (desk.out / "seed-1" / "list").exists()
    line = f"{found['hits']} of {found['screened']} applicants are hits"
    assert f"fraud list (synthetic people): {line}" in told
    assert line in (desk.out / "report.html").read_text(encoding="utf-8")
    assert report["seconds"]["total"] >= report["seconds"]["list"] > 0


def test_without_a_list_nothing_of_it_is_made_or_told(desk: Desk, undrawn: None):
    _, _, told = desk.run(*NO_EXTRAS)
    assert "fraud_list" not in read_report(desk.out)
    assert not (desk.out / "list").exists()
    assert "fraud list" not in told
