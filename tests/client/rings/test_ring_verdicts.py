"""Verdicts about rings by command: two people decide, a fraud is filed, nothing is filed twice."""

from __future__ import annotations

import pytest

from client.exchange.desk import Desk
from shared.errors import OperatorError
from tests.client.rings.ring_parties import (
    ALONE,
    EVERYBODY,
    RING,
    Rings,
    left,
    ref,
    the_ring,
)
from tests.exchange_parties import CHECKER, MAKER

STRANGER = EVERYBODY[67]
FILING = (
    *("--confidence", "confirmed", "--event-date", "2026-01-05", "--product", "consumer"),
    *("--outcome", "refused", "--notice", "exempt:court_order"),
)


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
    assert again["filed_with_other_terms"] == []
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
    alone: Rings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proposal still waits, and the same word given again (control) confirms and files."""
    name = the_ring(alone, "L03")
    evidence = f"device_trace={alone.parties.folder / 'case.txt'}"
    words = ("decide", name, "--verdict", "fraud", "--operator", MAKER, "--evidence", evidence)
    alone.asked("L03", *words, *FILING, "--except", ref(RING[1]), status=1)

    def failing(*_: object, **__: object) -> None:
        raise OperatorError("no filing today", remedy="tomorrow")

    with monkeypatch.context() as patched:
        patched.setattr(Desk, "file", failing)
        alone.run("L03", "confirm", name, "--operator", CHECKER, status=2)
    assert "confirmed by another person" not in alone.run("L03", "show", name, status=1)
    done = alone.asked("L03", "confirm", name, "--operator", CHECKER, status=1)
    assert len(done["members"]) == len(done["entries"]) == 3
    assert "confirmed by another person" in alone.run("L03", "show", name, status=1)


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


def test_an_innocent_verdict_stays_here_and_speaks_against_the_ring(alone: Rings) -> None:
    """Confirmed at L02 it is shown there, sent nowhere, and L03 knows nothing of it."""
    name = the_ring(alone, "L02")
    before = left(alone, "L02")
    alone.run("L02", "decide", name, "--verdict", "innocent", "--operator", MAKER, status=1)
    waits = alone.run("L02", "show", name, status=1)
    assert "innocent, proposed" in waits
    assert "took it for innocent" not in waits
    alone.run("L02", "confirm", name, "--operator", CHECKER)
    assert "Two people here took it for innocent" in alone.run("L02", "show", name, status=1)
    assert left(alone, "L02") == before
    assert "innocent" not in alone.run("L03", "show", name, status=1)


def test_a_second_verdict_with_other_terms_says_that_the_first_stand(rings: Rings) -> None:
    """Proposed and confirmed anew: which entries, and which terms differ; on the same terms
    (control) nothing is said of them.
    """
    name = the_ring(rings, "L02")
    evidence = f"device_trace={rings.parties.folder / 'case.txt'}"
    words = ("decide", name, "--verdict", "fraud", "--operator", MAKER, "--evidence", evidence)
    rings.asked("L02", *words, *FILING, status=1)
    filed = rings.asked("L02", "confirm", name, "--operator", CHECKER, status=1)
    same = rings.asked("L02", *words, *FILING, status=1)
    assert (same["filed_before"], same["filed_with_other_terms"]) == (len(filed["entries"]), [])
    other = [*FILING, "--event-end", "2026-01-07", "--severity", "2"]
    proposed = rings.asked("L02", *words, *other, status=1)["filed_with_other_terms"]
    assert {one["entry"] for one in proposed} == {*filed["entries"]}
    assert {tuple(one["other"]) for one in proposed} == {("severity", "event_end")}
    said = " ".join(rings.run("L02", *words, *other, status=1).split())
    assert "was filed before with other terms (severity, event end), which stand" in said
    done = rings.asked("L02", "confirm", name, "--operator", CHECKER)
    assert done["filed_with_other_terms"] == proposed
    assert done["entries"] == []
