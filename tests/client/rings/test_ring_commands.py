"""`lianfang-client ring …` against key holders, registry and case desk on loopback."""

from __future__ import annotations

import csv
import json
import re
from datetime import timedelta
from pathlib import Path

import pytest

from client.cli import main
from tests.client.rings.ring_parties import (
    ALONE,
    EVERYBODY,
    HEADER,
    HONEST,
    RING,
    Rings,
    books,
    card,
    device,
    left,
    phone,
    ref,
    row,
    the_ring,
    write_rows,
)
from tests.exchange_parties import MAKER

STRANGER = EVERYBODY[67]


def check(rings: Rings, code: str, person_id: str, status: int) -> dict[str, object]:
    found = rings.asked(code, "check", "--resident-id", person_id, status=status)
    assert isinstance(found, dict)
    return found


def test_a_ring_over_three_lenders_is_flagged_at_each_and_never_says_decline(
    rings: Rings,
) -> None:
    """Its members are flags everywhere, also where they are applicants; honest people are none."""
    for code in ("L01", "L02", "L03"):
        for person in RING:
            (flag,) = check(rings, code, person.resident_id, 1)["flags"]
            assert (flag["distance"], flag["strength"]) == (0, "strong")
            assert flag["action_hint"] == "review"
    for person in (HONEST[0], HONEST[7], STRANGER):
        assert check(rings, "L01", person.resident_id, 0)["flag"] is False
    said = rings.run("L02", "check", "--resident-id", RING[0].resident_id, status=1)
    assert "decline" not in said
    assert said.splitlines()[-1].endswith("never a decision")


def test_an_own_observation_counts_at_home_and_nowhere_else(rings: Rings) -> None:
    """Whom L01 alone saw with the ring's device is a member there and one step away elsewhere."""
    (own,) = check(rings, "L01", ALONE.resident_id, 1)["flags"]
    assert (own["distance"], own["own_observation"]) == (0, True)
    (other,) = check(rings, "L02", ALONE.resident_id, 1)["flags"]
    assert (other["distance"], other["own_observation"]) == (1, False)
    shown = rings.asked("L01", "show", the_ring(rings), status=1)
    assert [(one["customer"], one["distance"]) for one in shown["near"]] == [(ref(ALONE), 0)]


def test_a_revoked_case_desk_is_not_asked(rings: Rings) -> None:
    """By the lender's own hand, before anything is opened or sent; without the file it is asked."""
    path = rings.parties.lender("L03") / "revoked.json"
    path.write_text('["D1"]')
    before = left(rings, "L03")
    try:
        for words in (("sync",), ("contribute", "--case", "spring")):
            said = rings.run("L03", *words, status=2)
            assert "the case desk D1 is revoked: it is not asked" in " ".join(said.split())
    finally:
        path.unlink()
    assert left(rings, "L03") == before
    rings.run("L03", "sync")
    assert left(rings, "L03") > before


def test_looking_up_again_asks_nobody(rings: Rings, tmp_path: Path) -> None:
    """A checked applicant, a screened book and a shown ring leave no line in the outbox."""
    book = write_rows(
        tmp_path / "book.csv",
        [(one.resident_id, ref(one)) for one in (RING[1], HONEST[3], ALONE)],
        ("resident_id", "customer_ref"),
    )
    out = tmp_path / "flags.csv"
    first = rings.asked("L03", "screen", book, "--out", out, status=1)
    before = left(rings, "L03")
    assert rings.asked("L03", "screen", book, "--out", out, status=1) == first
    check(rings, "L03", RING[1].resident_id, 1)
    rings.run("L03", "show", the_ring(rings, "L03"), status=1)
    assert left(rings, "L03") == before
    check(rings, "L03", EVERYBODY[68].resident_id, 0)
    assert left(rings, "L03") > before  # the control: a new identifier does leave, blinded


def test_a_screened_book_names_lines_and_references_only(rings: Rings, tmp_path: Path) -> None:
    """Each flagged row has line, reference, distance, reasons and the hint; no identifier."""
    people = [HONEST[1], RING[2], ALONE]
    rows = [(one.resident_id, f"={ref(one)}") for one in people] + [("", "nobody")]
    book = write_rows(tmp_path / "book.csv", rows, ("resident_id", "customer_ref"))
    out = tmp_path / "flags.csv"
    found = rings.asked("L01", "screen", book, "--out", out, status=1)
    assert (found["flags"], found["rows_not_looked_up"]["count"]) == (2, 1)
    with out.open(encoding="utf-8-sig") as file:
        flags = list(csv.DictReader(file))
    assert [one["line"] for one in flags] == ["3", "4"]
    assert [one["own_observation"] for one in flags] == ["False", "True"]
    assert flags[0]["customer_ref"] == f"'={ref(RING[2])}"
    assert {one["action_hint"] for one in flags} == {"review"}
    assert not any(one.resident_id in out.read_text() for one in people)


def test_given_again_nothing_leaves_twice(rings: Rings) -> None:
    """The same file in the same week: nothing new, one page at most, no blinded points."""
    rings.asked("L01", "contribute", "--case", "spring")
    journal = rings.parties.lender("L01") / "own" / "outbox.jsonl"
    before = journal.read_text().count("\n")
    again = rings.asked("L01", "contribute", rings.edges("L01"), "--case", "spring")
    assert (again["new"], again["pages_sent"], again["on_pages"]) == (0, 0, 0)
    lines = [json.loads(one) for one in journal.read_text().splitlines()[before:]]
    told = json.dumps(lines)
    assert "which cases are there?" in told
    assert "blinded points" not in told
    assert "page of" not in told


def test_the_outbox_says_what_left_for_rings(rings: Rings) -> None:
    """Each page, question and request for tokens has a line that names no person."""
    text = (rings.parties.lender("L02") / "own" / "outbox.jsonl").read_text()
    for said in (
        "rings: a signed page of pairs to be counted",
        "rings: a signed page of edges under case tokens",
        "rings: which of this lender's attributes are shared?",
        "rings: the whole bulletin, please",
        "ring: ",
    ):
        assert said in text
    assert not any(one.resident_id in text for one in EVERYBODY)


def test_without_the_desk_observations_are_kept_and_leave_later(
    rings: Rings, tmp_path: Path
) -> None:
    """A desk that is down costs nothing: the file is kept, and given again nothing of it is new."""
    settings = rings.parties.lender("L03") / "exchange.toml"
    text = settings.read_text()
    rows = [row(EVERYBODY[69], "device", device("late"), 1)]
    late = write_rows(tmp_path / "late.csv", rows)
    settings.write_text(text.replace(f":{rings.desk.port}", ":1"))
    try:
        said = rings.run("L03", "contribute", late, "--case", "spring", status=2)
    finally:
        settings.write_text(text)
    assert "the case desk cannot be reached" in said
    assert "give the command again" in said
    assert rings.asked("L03", "contribute", late, "--case", "spring")["new"] == 0


def test_a_file_of_which_nothing_is_contributed_asks_for_a_look(
    rings: Rings, tmp_path: Path
) -> None:
    """Rows of other weeks than the case's: exit status 1, and which days it takes. No rows: a
    failed export, for which nothing leaves.
    """
    before = row(STRANGER, "device", device("before"), week=-2)
    old = write_rows(tmp_path / "old.csv", [before])
    said = rings.run("L03", "contribute", old, "--case", "spring", status=1)
    first, last = rings.case.first_monday, rings.case.monday(rings.case.weeks) - timedelta(days=1)
    assert f"1 row not of the case's weeks or kinds: the case takes {first} to {last}" in said
    none = write_rows(tmp_path / "none.csv", [])
    said = rings.run("L03", "contribute", none, "--case", "spring", status=2)
    assert "none.csv: the file has no rows; nothing was sent" in said


def secrets_of(code: str) -> list[str]:
    """Every identifier in a lender's book."""
    return sorted({cell for one in books()[code] for cell in (one[0], one[2])})


def test_a_page_holds_no_identifier_unless_asked_for(rings: Rings, tmp_path: Path) -> None:
    """Masked by default, on the page and on the screen; with --reveal (control) own ones are in."""
    name, page = the_ring(rings), tmp_path / "ring.html"
    held = [RING[0].resident_id, phone(99), card(0), device("ring 0").removeprefix("oaid:")]
    rings.run("L01", "show", name, "--html", page, status=1)
    hidden = page.read_text() + rings.run("L01", "show", name, status=1)
    assert not [one for one in secrets_of("L01") if one.removeprefix("oaid:") in hidden]
    assert ref(RING[0]) in hidden
    assert page.stat().st_mode & 0o077 == 0
    rings.run("L01", "show", name, "--html", page, "--reveal", status=1)
    shown = page.read_text()
    assert [one for one in held if one in shown] == held
    assert "Identifiers in full" in shown
    assert RING[1].resident_id not in shown  # L02's and L03's customer, not L01's


def test_others_are_masked_and_own_observations_marked(rings: Rings) -> None:
    """L01 reads its own four by reference, the other two as M1 and M2, and knows its own edges."""
    shown = rings.asked("L01", "show", the_ring(rings), status=1)
    members = {one["member"]: one for one in shown["members"]}
    own = {ref(RING[at]) for at in (0, 2, 3, 5)}
    assert {*members} == own | {"M1", "M2"}
    assert {name for name, one in members.items() if one["counts"]} == own
    edges = shown["edges"]
    assert {one["member"] for one in edges if one["own_observation"]} == own
    assert {one["confirmed"] for one in edges} == {"2+"}
    assert shown["counter_evidence"]


def test_an_applicant_who_was_never_contributed_can_be_shown_its_ring(rings: Rings) -> None:
    """By its identifier, the ring opens at a lender whose customer it is not."""
    applicant = RING[1].resident_id
    shown = rings.asked("L01", "show", "--resident-id", applicant, status=1)
    assert "applicant" in {one["member"] for one in shown["members"]}
    said = rings.run("L01", "show", "--resident-id", STRANGER.resident_id, status=2)
    assert "in no ring" in said


def test_tired_mistakes_are_told_with_what_to_do(rings: Rings, tmp_path: Path) -> None:
    """A slip in a column, a date of the wrong kind, a telephone as subject, a case nobody has."""
    wrong = write_rows(tmp_path / "a.csv", [], ("id_number", *HEADER[1:]))
    said = rings.run("L01", "contribute", wrong, "--case", "spring", status=2)
    assert "no column 'subject'" in said
    assert "'id_number'" in said
    rows = [
        (*row(STRANGER, "device", device("x"))[:3], "31.12.2025", "", ""),
        ("138 0013 8000", *row(STRANGER, "device", device("x"))[1:]),
        row(STRANGER, "devise", device("x")),
    ]
    bad = write_rows(tmp_path / "b.csv", rows)
    said = rings.run("L01", "contribute", bad, "--case", "spring", status=2)
    assert re.search(r"line 2: date .*write it as 2026-01-31", said)
    assert re.search(r"line 3: subject ", said)
    assert re.search(r"line 4: attribute_kind .*one of device, bank_card", said)
    assert "nothing was sent" in said
    assert "13800138000" not in said.replace(" ", "")
    left_out = rings.asked(
        "L01", "contribute", bad, "--case", "spring", "--without-bad-rows", status=1
    )
    assert (left_out["bad_rows"], left_out["new"]) == (3, 0)
    said = rings.run("L01", "contribute", "--case", "sprnig", status=2)
    assert "known here: spring" in said


def test_more_mistakes(rings: Rings, tmp_path: Path) -> None:
    """A fraud without terms, a telephone alone, a ring of too few letters, the book as --out."""
    name = the_ring(rings)
    words = ("decide", name, "--verdict", "fraud", "--operator", MAKER)
    assert "--confidence" in rings.run("L01", *words, status=2)
    vain = ("decide", name, "--verdict", "watch", "--operator", MAKER, "--product", "consumer")
    assert "in vain" in rings.run("L01", *vain, status=2)
    stranger = ("decide", name, "--verdict", "watch", "--operator", MAKER, "--except", "A-9999")
    assert "--except" in rings.run("L01", *stranger, status=2)
    assert "resident-id" in rings.run("L01", "check", "--phone", phone(1), status=2)
    assert "ring own" in rings.run("L01", "show", "ab", status=2)
    assert "ring own" in rings.run("L01", "show", status=2)
    book = write_rows(tmp_path / "book.csv", [(RING[0].resident_id,)], ("resident_id",))
    assert "book itself" in rings.run("L01", "screen", book, "--out", book, status=2)
    page = tmp_path / "nowhere" / "ring.html"
    assert "no such folder" in rings.run("L01", "show", name, "--html", page, status=2)


def test_without_the_section_the_settings_say_so(rings: Rings, tmp_path: Path) -> None:
    """A lender that is in the list only is told which section is missing."""
    folder = rings.parties.lender("L03")
    settings = folder / "exchange.toml"
    text = settings.read_text()
    settings.write_text(text[: text.index("[cases]")])
    try:
        assert "[cases]" in rings.run("L03", "sync", status=2)
    finally:
        settings.write_text(text)


def test_what_is_taken_back_is_counted_first_and_leaves_with_yes(
    alone: Rings, tmp_path: Path
) -> None:
    """By file and by reference, never sent and sent; without --yes (control) nothing changes."""
    person = EVERYBODY[68]
    mine = write_rows(tmp_path / "mine.csv", [row(person, "device", device("mistake"), 1)])
    alone.asked("L02", "contribute", mine, "--case", "spring")
    words = ("retract", mine, "--case", "spring")
    said = alone.run("L02", *words, status=1)
    assert "1 observation of 1 person would be taken back" in said
    assert "nothing was done: give it again with --yes" in said
    counted = {"case": "spring", "sent": 1, "people": 1, "taken_back_before": 0, "unknown": 0}
    done = alone.asked("L02", *words, "--yes")
    assert done == {**counted, "never_sent": 0, "done": True}  # for the count
    again = alone.asked("L02", *words, status=1)
    assert (again["never_sent"], again["unknown"]) == (0, 1)
    by_ref = alone.asked("L02", "retract", "--case", "spring", "--ref", ref(HONEST[1]), status=1)
    assert (by_ref["sent"], by_ref["people"], by_ref["done"]) == (2, 1, False)
    said = alone.run("L02", "retract", "--case", "spring", status=2)
    assert "--ref REF" in said


def test_pages_wait_for_a_drawn_moment_before_anything_is_said_to_the_desk(
    rings: Rings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The journal has no line until then; with --now (control) nothing is waited for."""
    waited, folder = list[int](), rings.parties.lender("L02")
    before = left(rings, "L02")

    def wait(*_: object) -> None:
        waited.append(left(rings, "L02") - before)

    monkeypatch.setattr("client.rings.moment.wait_until", wait)
    assert main(["ring", "contribute", "--case", "spring", "--folder", str(folder)]) == 0
    told = capsys.readouterr()
    assert "pages leave at" in told.err
    assert waited == [0]
    assert left(rings, "L02") > before
    rings.asked("L02", "contribute", "--case", "spring")
    assert waited == [0]


def test_an_own_observation_that_was_not_sent_is_no_confirmation(
    rings: Rings, tmp_path: Path
) -> None:
    """L02 keeps what others saw of its member: told as made here too, and not as its own."""
    name = the_ring(rings, "L02")
    edges = rings.asked("L02", "show", name, status=1)["edges"]
    assert not any(one["own_not_sent_yet"] for one in edges)
    others = [one for one in edges if not one["own_observation"]]
    assert others
    rows = [one for one in books()["L01"] if one[5] in {ref(each) for each in RING}]
    mine = write_rows(tmp_path / "mine.csv", rows)
    with rings.kept_only("L02", mine):
        shown = rings.asked("L02", "show", name, status=1)["edges"]
        text = rings.run("L02", "show", name, status=1)
    new = [one for one in shown if one["own_not_sent_yet"]]
    assert new
    assert not any(one["own_observation"] for one in new)
    assert "made here too, not sent yet" in text
    assert sum(one["own_observation"] for one in shown) >= len(edges) - len(others)
