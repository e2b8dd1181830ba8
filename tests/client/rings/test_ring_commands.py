"""`lianfang-client ring …` against key holders, registry and case desk on loopback."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from client.exchange.desk import Desk
from shared.errors import OperatorError
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
    phone,
    ready,
    ref,
    ring_parties,
    row,
    write_rows,
)
from tests.exchange_parties import CHECKER, MAKER

STRANGER = EVERYBODY[67]
FILING = (
    *("--confidence", "confirmed", "--event-date", "2026-01-05", "--product", "consumer"),
    *("--outcome", "refused", "--notice", "exempt:court_order"),
)


@pytest.fixture(scope="module")
def everybody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rings]:
    with ring_parties(tmp_path_factory.mktemp("rings")) as found:
        yield found


@pytest.fixture
def rings(everybody: Rings, capsys: pytest.CaptureFixture[str]) -> Rings:
    """After the first week."""
    everybody.parties.capture = capsys
    if not everybody.desk.desk.heads(everybody.case.id, 0):
        ready(everybody)
    return everybody


def the_ring(rings: Rings, code: str = "L01") -> str:
    (found,) = rings.asked(code, "own", status=1)
    return str(found["ring"])


def check(rings: Rings, code: str, person_id: str, status: int) -> dict[str, object]:
    found = rings.asked(code, "check", "--resident-id", person_id, status=status)
    assert isinstance(found, dict)
    return found


def left(rings: Rings, code: str) -> int:
    """Bytes of the journal of everything that left."""
    return (rings.parties.lender(code) / "own" / "outbox.jsonl").stat().st_size


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
    """Rows of other weeks than the case's, or no rows: exit status 1, and which days it takes."""
    before = row(STRANGER, "device", device("before"), week=-2)
    old = write_rows(tmp_path / "old.csv", [before])
    said = rings.run("L03", "contribute", old, "--case", "spring", status=1)
    first, last = rings.case.first_monday, rings.case.monday(rings.case.weeks) - timedelta(days=1)
    assert f"1 row not of the case's weeks or kinds: the case takes {first} to {last}" in said
    none = write_rows(tmp_path / "none.csv", [])
    said = rings.run("L03", "contribute", none, "--case", "spring", status=1)
    assert "the file has no rows" in said


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


def test_a_fraud_needs_two_people_and_becomes_a_filing_that_needs_its_own_checker(
    rings: Rings,
) -> None:
    """Proposed by one, confirmed by another, own members filed once, answering after approval."""
    name, evidence = the_ring(rings), f"device_trace={rings.parties.folder / 'case.txt'}"
    words = ("decide", name, "--verdict", "fraud", "--operator", MAKER, "--evidence", evidence)
    others = ref(RING[0]), ref(ALONE)
    made = rings.asked("L01", *words, *FILING, "--except", others[0], "--also", others[1], status=1)
    members = sorted([ref(RING[2]), ref(RING[3]), ref(RING[5]), ref(ALONE)])
    assert sorted(made["would_list"]) == members
    same = rings.run("L01", "confirm", name, "--operator", f" {MAKER.upper()} ", status=2)
    assert "this very person" in same
    assert rings.parties.asked("L01", "list", "own") == []
    done = rings.asked("L01", "confirm", name, "--operator", CHECKER, status=1)
    assert len(done["entries"]) == 4
    assert sorted(done["members"]) == members
    again = rings.asked("L01", "confirm", name, "--operator", CHECKER)
    assert (again["entries"], again["filed_before"]) == ([], 4)
    assert sorted(again["members_filed_before"]) == members
    own = rings.parties.asked("L01", "list", "own", status=1)
    assert {one["reason"] for one in own} == {"F302"}
    assert {one["waits_for"] for one in own} == {"this lender's checker (list approve)"}
    refused = rings.parties.run("L01", "list", "approve", "--operator", CHECKER, status=2)
    assert "this operator filed them" in refused
    rings.parties.run("L01", "list", "approve", "--operator", MAKER)
    rings.parties.synced("L02")
    hit = rings.parties.asked(
        "L02", "list", "check", "--resident-id", RING[2].resident_id, status=1
    )
    assert hit["answer"]["hit_class"] == "fraud_confirmed"
    kept = rings.parties.asked("L02", "list", "check", "--resident-id", RING[0].resident_id)
    assert kept["hit"] is False


def test_whom_own_observations_alone_tie_is_listed_only_if_named(rings: Rings) -> None:
    """Left out, and told by reference; named with --also (control) it would be listed."""
    name, evidence = the_ring(rings), f"device_trace={rings.parties.folder / 'case.txt'}"
    words = ("decide", name, "--verdict", "fraud", "--operator", MAKER, "--evidence", evidence)
    made = rings.asked("L01", *words, *FILING, status=1)
    assert sorted(made["would_list"]) == sorted(ref(RING[at]) for at in (0, 2, 3, 5))
    assert made["own_observations_only"] == [ref(ALONE)]
    named = rings.asked("L01", *words, *FILING, "--also", ref(ALONE), status=1)
    assert ref(ALONE) in named["would_list"]
    member = rings.run("L01", *words, *FILING, "--also", ref(RING[0]), status=2)
    assert "--also" in member


def test_a_day_to_come_is_told_by_its_option_and_decides_nothing(rings: Rings) -> None:
    """Of the event, its end and the notice; the proposal before, if any, stays what it was."""
    name, evidence = the_ring(rings), f"device_trace={rings.parties.folder / 'case.txt'}"
    words = ("decide", name, "--verdict", "fraud", "--operator", MAKER, "--evidence", evidence)
    before = rings.asked("L01", "show", name, status=1)["decisions"]
    for option, word in (
        ("--event-date", "2199-01-05"),
        ("--event-end", "2199-01-05"),
        ("--notice", "letter:2199-01-05"),
    ):
        said = " ".join(rings.run("L01", *words, *FILING, option, word, status=2).split())
        assert f"{option}: 2199-01-05 is still to come" in said
    said = rings.run("L01", *words, *FILING, "--event-end", "2025-12-31", status=2)
    assert "is before --event-date" in " ".join(said.split())
    assert rings.asked("L01", "show", name, status=1)["decisions"] == before


def test_a_confirmation_whose_filing_fails_confirms_nothing(
    rings: Rings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proposal still waits, and the same word given again (control) confirms and files."""
    name = the_ring(rings, "L03")
    evidence = f"device_trace={rings.parties.folder / 'case.txt'}"
    words = ("decide", name, "--verdict", "fraud", "--operator", MAKER, "--evidence", evidence)
    rings.asked("L03", *words, *FILING, "--except", ref(RING[1]), status=1)

    def failing(*_: object, **__: object) -> None:
        raise OperatorError("no filing today", remedy="tomorrow")

    with monkeypatch.context() as patched:
        patched.setattr(Desk, "file", failing)
        rings.run("L03", "confirm", name, "--operator", CHECKER, status=2)
    assert "confirmed by another person" not in rings.run("L03", "show", name, status=1)
    done = rings.asked("L03", "confirm", name, "--operator", CHECKER, status=1)
    assert len(done["members"]) == len(done["entries"]) == 3
    assert "confirmed by another person" in rings.run("L03", "show", name, status=1)


def test_a_verdict_after_a_fraud_names_the_entries_it_leaves(rings: Rings) -> None:
    """Exit 1 with the entries; and a proposal that replaces another person's says so."""
    name = the_ring(rings, "L03")
    evidence = f"device_trace={rings.parties.folder / 'case.txt'}"
    filed = ("--verdict", "fraud", "--operator", MAKER, "--evidence", evidence, *FILING)
    rings.asked("L03", "decide", name, *filed, "--except", ref(RING[2]), status=1)
    done = rings.asked("L03", "confirm", name, "--operator", CHECKER, status=1)
    words = ("decide", name, "--verdict", "watch", "--operator")
    assert "it replaces" not in rings.run("L03", *words, MAKER, status=1)
    said = " ".join(rings.run("L03", *words, CHECKER, status=1).split())
    assert "it replaces watch, proposed by another person" in said
    stands = rings.asked("L03", "confirm", name, "--operator", MAKER, status=1)
    assert {*done["entries"]} <= {*stands["entries_that_stand"]}
    said = " ".join(rings.run("L03", "confirm", name, "--operator", MAKER, status=1).split())
    assert "lianfang-client list withdraw" in said


def test_a_customer_tied_by_anothers_word_is_near_and_never_listed(rings: Rings) -> None:
    """L03, whose customer L01 saw with the ring, would list its own four and not that one."""
    (own,) = rings.asked("L03", "own", status=1)
    assert (own["members"], own["near"]) == (4, 1)
    evidence = f"device_trace={rings.parties.folder / 'case.txt'}"
    words = ("decide", own["ring"], "--verdict", "fraud", "--operator", MAKER, *FILING)
    made = rings.asked("L03", *words, "--evidence", evidence, status=1)
    assert made["members_to_list"] == 4
    shown = rings.asked("L03", "show", own["ring"], status=1)
    assert [(one["customer"], one["distance"]) for one in shown["near"]] == [(ref(ALONE), 1)]


def test_an_innocent_verdict_stays_here_and_speaks_against_the_ring(rings: Rings) -> None:
    """Confirmed at L02 it is shown there, sent nowhere, and L03 knows nothing of it."""
    name = the_ring(rings, "L02")
    before = left(rings, "L02")
    rings.run("L02", "decide", name, "--verdict", "innocent", "--operator", MAKER, status=1)
    waits = rings.run("L02", "show", name, status=1)
    assert "innocent, proposed" in waits
    assert "took it for innocent" not in waits
    rings.run("L02", "confirm", name, "--operator", CHECKER)
    assert "Two people here took it for innocent" in rings.run("L02", "show", name, status=1)
    assert left(rings, "L02") == before
    assert "innocent" not in rings.run("L03", "show", name, status=1)


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
