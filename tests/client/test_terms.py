"""Terms of runs are accepted only if they fit what the lender joined under."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import client.terms
from client.bundles import listed_digests, read_bundles
from client.doctor.gate import _bundles
from client.terms import LONGEST_NAME, accept, accepted, is_accepted, make_room
from shared.errors import OperatorError, PeerError
from shared.training.agreement import Agreement
from shared.training.consortium import Consortium, parse_consortium
from tests.deployment.consortium import TERMS

OURS: Consortium = parse_consortium(
    TERMS.format(gate=1, enrol=2).replace("minimum_lenders = 3", "minimum_lenders = 4").encode()
)


def shown(agreement: Agreement) -> tuple[str, bytes]:
    """As the gate shows an agreement."""
    return agreement.digest(), json.dumps(agreement.to_dict()).encode()


def test_terms_that_fit_are_kept_and_found_by_their_digest(tmp_path: Path) -> None:
    """Other seeds, families, rounds and stricter floors are the coordinator's to choose."""
    for changes in ({}, {"seed": 9}, {"family": "network", "rounds": 3}, {"minimum_cell": 5}):
        terms = OURS.agreement(**changes)
        assert accept(tmp_path, OURS, *shown(terms)) == []
        assert is_accepted(tmp_path, terms.digest())
        assert accepted(tmp_path, OURS, terms.digest()) == terms


def test_terms_that_do_not_fit_are_told_and_not_kept(tmp_path: Path) -> None:
    """Each floor, the profile, the sums, the schema."""
    good = OURS.agreement()
    narrow = replace(good.schema, columns=good.schema.columns[:2])
    for change in (
        {"minimum_lenders": 3},
        {"sums": "plain"},
        {"schema": narrow},
        {"profile": "production", "minimum_lenders": 5},
    ):
        terms = replace(good, **change)  # type: ignore[arg-type]
        assert accept(tmp_path, OURS, *shown(terms))
        assert not is_accepted(tmp_path, terms.digest())
        with pytest.raises(OperatorError, match="not accepted"):
            accepted(tmp_path, OURS, terms.digest())


def test_what_is_called_otherwise_than_it_is_or_is_no_agreement_is_refused(tmp_path: Path) -> None:
    """A digest that is a path is no digest."""
    digest, content = shown(OURS.agreement())
    other = OURS.agreement(seed=1).digest()
    for called, text in (
        (other, content), ("../../x", content), (digest, b"{"), (digest, b"[1]"),
        (digest, b"[" * 100_000), (digest, b"x" * (2 << 20)),
    ):  # fmt: skip
        with pytest.raises(PeerError):
            accept(tmp_path, OURS, called, text)
    assert not (tmp_path / "terms").exists()


def test_terms_that_were_changed_afterwards_are_not_taken(tmp_path: Path) -> None:
    """Nor such that consortium.toml has outgrown."""
    terms = OURS.agreement()
    digest, content = shown(terms)
    accept(tmp_path, OURS, digest, content)
    stricter = replace(OURS, terms=replace(OURS.terms, minimum_lenders=5))
    with pytest.raises(OperatorError, match="was changed"):
        accepted(tmp_path, stricter, digest)
    path = tmp_path / f"terms/{digest}.json"
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 1'))
    with pytest.raises(OperatorError, match="was changed"):
        accepted(tmp_path, OURS, digest)


def test_no_list_of_bundles_allows_none(tmp_path: Path) -> None:
    """Nor does one with something else in it."""
    path = tmp_path / "bundles.json"
    for text in (None, "{", "{}", '["abc"]', f'["{"A" * 64}"]', "[3]"):
        if text is not None:
            path.write_text(text)
        with pytest.raises(OperatorError):
            read_bundles(tmp_path)
    path.write_text(json.dumps(["ab" * 32]))
    assert read_bundles(tmp_path) == {"ab" * 32}


@pytest.mark.parametrize("name", ["n" * 201, "a\x1b[2Jb", "a\u202eb", ["n"], 7, None])
def test_a_name_that_is_no_short_text_is_refused(tmp_path: Path, name: object) -> None:
    """It is the one text that consortium.toml does not fix; the longest name is kept."""
    for called in ("n" * LONGEST_NAME, "二〇二六年"):
        assert accept(tmp_path, OURS, *shown(OURS.agreement(name=called))) == []
    with pytest.raises(PeerError, match="name"):
        accept(tmp_path, OURS, *shown(OURS.agreement(name=name)))
    assert len(list((tmp_path / "terms").iterdir())) == 2


def test_a_number_too_great_to_be_one_is_no_agreement(tmp_path: Path) -> None:
    """JSON's whole numbers have no bound; a double's have."""
    digest, content = shown(OURS.agreement())
    text = content.replace(b'"time_cutoff": null', b'"time_cutoff": 1' + b"0" * 400)
    with pytest.raises(PeerError, match="no agreement"):
        accept(tmp_path, OURS, digest, text)


def test_the_oldest_terms_that_are_not_listed_make_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of open runs stay; where all are, there is no room and nothing is removed."""
    monkeypatch.setattr(client.terms, "MOST_KEPT", 3)
    assert make_room(tmp_path, ())
    kept = [OURS.agreement(seed=seed).digest() for seed in range(3)]
    for seed, digest in enumerate(kept):
        accept(tmp_path, OURS, *shown(OURS.agreement(seed=seed)))
        os.utime(tmp_path / f"terms/{digest}.json", (seed, seed))
    assert not make_room(tmp_path, kept)
    assert all(is_accepted(tmp_path, digest) for digest in kept)
    assert make_room(tmp_path, kept[:1])
    assert [is_accepted(tmp_path, digest) for digest in kept] == [True, False, True]


def test_what_is_listed_is_digests_or_refused() -> None:
    """Neither a text for the terminal nor one that is endlessly nested."""
    assert listed_digests(json.dumps(["ab" * 32]).encode()) == ["ab" * 32]
    for content in (
        b"{", b"{}", b"\xff", b"[3]", b'["abc"]', b"[" * 100_000,
        json.dumps(["ab" * 31 + "a\n"]).encode(), json.dumps(["AB" * 32]).encode(),
    ):  # fmt: skip
        with pytest.raises(PeerError):
            listed_digests(content)


def test_the_doctor_quotes_no_bundle_that_is_no_digest(tmp_path: Path) -> None:
    """A text for the terminal is told as no list; a digest is told (control)."""
    (tmp_path / "bundles.json").write_text(json.dumps(["ab" * 32]))
    member: Any = SimpleNamespace(folder=tmp_path)
    evil = _bundles(member, json.dumps(["\x1b[2J all is well"]).encode())
    assert not any("well" in str(part) for part in (evil.what, evil.remedy))
    assert "cdcdcdcd" in _bundles(member, json.dumps(["cd" * 32]).encode()).what
