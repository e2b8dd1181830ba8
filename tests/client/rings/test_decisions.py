"""Verdicts about rings: two people, in order, on a file that only grows."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from client.exchange.filing_terms import read_terms
from client.exchange.secret import Secret
from client.rings.decisions import Decision, RingDecisions, Step, Verdict
from shared.errors import OperatorError

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
RING, CASE = bytes(16), bytes(range(16))
SEEN, CHANGED = bytes(32), bytes(31) + b"1"


def office(folder: Path) -> RingDecisions:
    return RingDecisions(folder, Secret(bytes(range(32))))


def proposed(
    folder: Path, operator: str = "Li Na", verdict: Verdict = Verdict.WATCH, ring: bytes = RING
) -> Decision:
    return office(folder).propose(
        case=CASE, ring=ring, seen=SEEN, verdict=verdict, operator=operator, now=NOW
    )


def confirmed(folder: Path, operator: str, seen: bytes = SEEN) -> Decision:
    return office(folder).confirm(RING, seen, operator, NOW)


def test_one_person_alone_decides_nothing(tmp_path: Path) -> None:
    """The same person under another spelling is refused; another one (control) confirms."""
    proposed(tmp_path)
    for spelling in ("Li Na", "  li   na", "Ｌｉ Ｎａ"):
        with pytest.raises(OperatorError, match="this very person"):
            confirmed(tmp_path, spelling)
    assert office(tmp_path).standing(RING) is None
    assert confirmed(tmp_path, "Wang Wei").step is Step.CONFIRMED


def test_a_ring_that_has_changed_is_decided_anew(tmp_path: Path) -> None:
    """Who and what is in it is part of the verdict."""
    proposed(tmp_path)
    with pytest.raises(OperatorError, match="has changed"):
        confirmed(tmp_path, "Wang Wei", CHANGED)
    assert office(tmp_path).waiting(RING) is not None


def test_without_a_proposal_there_is_nothing_to_confirm(tmp_path: Path) -> None:
    """Nor about another ring, nor a second time by somebody else."""
    proposed(tmp_path, ring=bytes(15) + b"1")
    with pytest.raises(OperatorError, match="nothing about this ring waits"):
        confirmed(tmp_path, "Wang Wei")
    proposed(tmp_path)
    first = confirmed(tmp_path, "Wang Wei")
    assert confirmed(tmp_path, "Wang Wei") == first  # given again
    with pytest.raises(OperatorError, match="nothing about this ring waits"):
        confirmed(tmp_path, "Zhao Min")


def test_a_later_verdict_replaces_an_earlier_one_and_both_stay(tmp_path: Path) -> None:
    """Watched, then taken for innocent: the file has all four lines."""
    proposed(tmp_path)
    confirmed(tmp_path, "Wang Wei")
    proposed(tmp_path, "Zhao Min", Verdict.INNOCENT)
    confirmed(tmp_path, "Li Na")
    found = office(tmp_path)
    assert [one.verdict.value for one in found.all()] == ["watch"] * 2 + ["innocent"] * 2
    standing = found.standing(RING)
    assert standing is not None
    assert standing.verdict is Verdict.INNOCENT


def test_names_are_not_written_and_terms_are(tmp_path: Path) -> None:
    """A line holds marks of people; the terms of a filing are read back as they were."""
    (tmp_path / "case.txt").write_text("evidence")
    words = {
        "reason": "F302",
        "confidence": "confirmed",
        "event-date": "2026-01-05",
        "product": "consumer",
        "outcome": "refused",
        "notice": "exempt:court_order",
    }
    terms = read_terms(words, ["device_trace=case.txt"], tmp_path)
    office(tmp_path).propose(
        case=CASE,
        ring=RING,
        seen=SEEN,
        verdict=Verdict.FRAUD,
        operator="Li Na",
        now=NOW,
        left_out=[bytes(32)],
        terms=terms,
    )
    (line,) = office(tmp_path).all()
    assert (line.terms, line.left_out) == (terms, (bytes(32),))
    assert b"Li" not in (tmp_path / "decisions.jsonl").read_bytes()


def test_a_changed_or_missing_line_stops(tmp_path: Path) -> None:
    """An edited verdict and a removed first line are found; a cut off last line is left out."""
    proposed(tmp_path)
    confirmed(tmp_path, "Wang Wei")
    path = tmp_path / "decisions.jsonl"
    whole = path.read_bytes()
    for damaged in (whole.replace(b"watch", b"fraud", 1), whole[whole.index(b"\n") + 1 :]):
        path.write_bytes(damaged)
        with pytest.raises(OperatorError, match=r"line [12] was changed"):
            proposed(tmp_path)
    path.write_bytes(whole[:-10])
    assert len(office(tmp_path).all()) == 1
    assert confirmed(tmp_path, "Wang Wei").step is Step.CONFIRMED
    assert len(office(tmp_path).all()) == 2


def test_a_disk_that_does_not_take_it_decides_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed write is an error in words, and no verdict stands."""
    proposed(tmp_path)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("client.rings.decisions.os.fsync", full)
    with pytest.raises(OperatorError, match="nothing was decided"):
        confirmed(tmp_path, "Wang Wei")
