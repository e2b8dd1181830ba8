"""Refusals as evidence: kept once, in files nobody else can name, and only when signed."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from server.coordinator.refusals import Refusals, Where
from shared.errors import PeerError
from shared.identity.certificate import Identity
from shared.secure_sum.encoding import text_of
from shared.secure_sum.statements import Refusal, SetUpOpen, signed
from shared.secure_sum.suite import STANDARD
from tests.identities import authority_of, identity_under

AUTHORITY = authority_of()
OPENED = SetUpOpen(1, bytes(32), bytes(32), 8, STANDARD.name, b"")
ASKED = (text_of(OPENED),)
AT = Where("census/unmask", bytes.fromhex("ab" * 32), 2)


def _refusal(by: Identity, **other: object) -> Refusal:
    name = STANDARD.digest(ASKED[0])
    about = {"asked": name, "reason": "threshold", "expected": "9", "came": "4"} | other
    statement = Refusal(member=by.member.code, **about)  # type: ignore[arg-type]
    return signed(STANDARD, by.private, statement)


def test_a_refusal_is_kept_once_as_evidence_and_told_in_words(tmp_path: Path):
    lender = identity_under(AUTHORITY, "L03")
    refusals = Refusals(tmp_path / "refusals", STANDARD, {"L03": lender.member}.get)
    words = "refused (threshold): fewer shares would open a sum than this lender's floor"
    for _ in range(2):
        told = refusals.taken("L03", _refusal(lender), ASKED, AT)
        assert told == f"{words} (expected 9, came 4)"
    assert [path.name for path in (tmp_path / "refusals").iterdir()] == ["001-L03-threshold.json"]


def test_the_evidence_says_where_in_the_run_it_was(tmp_path: Path):
    lender = identity_under(AUTHORITY, "L03")
    refusals = Refusals(tmp_path / "refusals", STANDARD, {"L03": lender.member}.get)
    refusals.taken("L03", _refusal(lender), (b"another text", *ASKED), AT)
    (path,) = (tmp_path / "refusals").iterdir()
    evidence = json.loads(path.read_text())
    assert (evidence["stage"], evidence["round"]) == ("census/unmask", "ab" * 32)
    assert evidence["attempt"] == 2
    assert evidence["asked"].encode() == ASKED[0]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_refusal_signed_by_somebody_else_is_no_evidence(tmp_path: Path):
    lender, other = identity_under(AUTHORITY, "L03"), identity_under(AUTHORITY, "L04")
    refusals = Refusals(tmp_path / "refusals", STANDARD, {"L03": lender.member}.get)
    forged = replace(_refusal(other), member="L03")
    with pytest.raises(PeerError, match="signature does not fit"):
        refusals.taken("L03", forged, ASKED, AT)
    assert not (tmp_path / "refusals").exists()


def test_a_refusal_of_an_unknown_lender_is_kept_and_marked(tmp_path: Path):
    lender = identity_under(AUTHORITY, "L03")
    Refusals(tmp_path / "refusals", STANDARD, {}.get).taken("L03", _refusal(lender), ASKED, AT)
    (path,) = (tmp_path / "refusals").iterdir()
    assert json.loads(path.read_text())["checked"] is False


@pytest.mark.parametrize("reason", ["", "../../etc/passwd", "because", "threshold\n"])
def test_a_reason_that_is_none_names_no_file(reason: str, tmp_path: Path):
    lender = identity_under(AUTHORITY, "L03")
    refusals = Refusals(tmp_path / "refusals", STANDARD, {}.get)
    with pytest.raises(PeerError, match="a reason that is none"):
        refusals.taken("L03", _refusal(lender, reason=reason), ASKED, AT)


@pytest.mark.parametrize("code", ["../L03", "L03/x", "", "L 03", "\x1b[2J"])
def test_a_code_that_no_certificate_holds_names_no_file(code: str, tmp_path: Path):
    refusal = replace(_refusal(identity_under(AUTHORITY, "L03")), member=code)
    with pytest.raises(PeerError, match="another lender's name"):
        Refusals(tmp_path / "refusals", STANDARD, {}.get).taken(code, refusal, ASKED, AT)


def test_words_that_hide_or_run_on_are_left_out(tmp_path: Path):
    lender = identity_under(AUTHORITY, "L03")
    refusals = Refusals(tmp_path / "refusals", STANDARD, {"L03": lender.member}.get)
    told = refusals.taken("L03", _refusal(lender, expected="\x1b[2J", came="x" * 500), ASKED, AT)
    assert told == "refused (threshold): fewer shares would open a sum than this lender's floor"
