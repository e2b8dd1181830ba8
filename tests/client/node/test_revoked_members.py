"""Whom the coordinator revokes its lenders hear of by themselves, and believe within limits."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from client.node import terms_poll
from client.revocations import KEPT, take_revocations
from client.revoked import BY_COORDINATOR, REVOKED, read_coordinators, read_own, read_revoked
from server.consortium.members import revoke
from server.deployment.revoked_page import RevokedPage
from server.keys import read_identity
from shared.errors import OperatorError, PeerError
from shared.identity.pem import certificate_to_pem
from shared.identity.revocations import read_revocations, signed_revocations
from tests.client.node.test_terms_poll import Gate
from tests.consortium_folders import founded
from tests.identities import NOW, authority_of, identity_under

EXCHANGE = '[registry]\ncode = "R1"\n[holders]\nK1 = "k1.example:7443"\n'


@pytest.fixture(scope="module")
def coordinator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A consortium that believes L03 and K1 no more."""
    folder = tmp_path_factory.mktemp("revoked") / "consortium"
    founded(folder, when=NOW)
    for code in ("L03", "K1"):
        revoke(folder, code)
    return folder


@pytest.fixture
def home(coordinator: Path, tmp_path: Path) -> Path:
    """A lender of it."""
    place = tmp_path / "L01"
    (place / "own").mkdir(parents=True)
    (place / "authority.crt").write_bytes((coordinator / "authority.crt").read_bytes())
    knows(place, "L01", "L02", "L03", "L07")
    return place


def knows(home: Path, *codes: str) -> None:
    """Put these on the lender's list of members, which is L01."""
    listed = {code: number.to_bytes(32).hex() for number, code in enumerate(codes)}
    (home / "members.json").write_text(json.dumps(listed))
    (home / "client.toml").write_text('[lender]\nmember = "L01"\n')


def shown(coordinator: Path) -> bytes:
    return RevokedPage(coordinator).content(NOW)


def test_codes_are_added_and_none_is_taken_away(coordinator: Path, home: Path) -> None:
    """What was written by hand stays, in a file of its own; the signed list is kept as evidence;
    again it is no news.
    """
    (home / REVOKED).write_text('["L09"]')
    assert take_revocations(home, shown(coordinator), NOW).added == ("L03",)
    assert read_revoked(home) == {"L09", "L03"}
    assert read_own(home) == {"L09"}
    assert (home / KEPT).read_bytes()
    assert (home / BY_COORDINATOR).stat().st_mode & 0o077 == 0
    again = take_revocations(home, shown(coordinator), NOW)
    assert (again.added, again.held) == ((), ())


def test_the_coordinator_does_not_end_the_shared_list_with_a_word(
    coordinator: Path, home: Path
) -> None:
    """Key holders and the registry of the lender's own exchange.toml are told and not added; where
    that file cannot be read nobody is.
    """
    (home / "exchange.toml").write_text(EXCHANGE)
    taken = take_revocations(home, shown(coordinator), NOW)
    assert (taken.added, taken.held) == (("L03",), ("K1",))
    assert read_revoked(home) == {"L03"}
    (home / BY_COORDINATOR).unlink()
    (home / "exchange.toml").write_text("[holders")
    with pytest.raises(OperatorError, match="cannot be read"):
        take_revocations(home, shown(coordinator), NOW)
    assert read_revoked(home) == frozenset()


def test_being_early_ends_no_shared_list_either(coordinator: Path, home: Path) -> None:
    """Codes that are no member's here, or this lender's own, are not taken, though exchange.toml is
    not there yet. One that was a member's and is a key holder's later is left out at each reading,
    unless the lender wrote it down itself: the control.
    """
    knows(home, "L01", "L03", "K2")
    early = listing(coordinator, "K1", "K2", "R1", "L01", "L03")
    assert take_revocations(home, early, NOW).added == ("K2", "L03")
    services = {"R1", "K1", "K2"}
    assert read_revoked(home, services) == {"L03"}
    (home / REVOKED).write_text('["K2"]')
    assert read_revoked(home, services) == {"L03", "K2"}


def test_the_list_of_the_revoked_is_bounded(
    coordinator: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one place more it is taken: the control. Codes that are nobody's take no place."""
    monkeypatch.setattr("client.revocations.MOST_CODES", 2)
    for number in range(3):
        take_revocations(home, listing(coordinator, *(f"N{number}{i}" for i in range(9))), NOW)
    assert read_coordinators(home) == frozenset()
    assert take_revocations(home, listing(coordinator, "L02", "L03"), NOW).added == ("L02", "L03")
    with pytest.raises(PeerError, match="more than 2 codes"):
        take_revocations(home, listing(coordinator, "L07"), NOW)
    assert read_coordinators(home) == {"L02", "L03"}
    monkeypatch.setattr("client.revocations.MOST_CODES", 3)
    assert take_revocations(home, listing(coordinator, "L07"), NOW).added == ("L07",)


def listing(coordinator: Path, *codes: str) -> bytes:
    """A list of these, as the coordinator signs it."""
    signer, authority = read_identity(coordinator, NOW)
    return signed_revocations(codes, authority, signer, NOW)


def test_a_list_that_is_not_the_coordinators_changes_nothing(coordinator: Path, home: Path) -> None:
    """Changed, signed by a lender, of another authority, or no list at all; as it was it is taken:
    the control.
    """
    honest = json.loads(shown(coordinator))
    mine = identity_under(authority_of(), "L01")
    pem = certificate_to_pem(mine.member.certificate).decode()
    for changed in (
        honest | {"codes": ["L01"]},
        honest | {"at": "2020-01-01"},
        honest | {"authority": "00" * 32},
        honest | {"coordinator": pem},
        honest | {"codes": ["../x"]},
        honest | {"codes": [7]},
        honest | {"more": 1},
        honest | {"signature": "zz"},
        [],
        None,
    ):
        with pytest.raises(PeerError):
            take_revocations(home, json.dumps(changed).encode(), NOW)
    with pytest.raises(PeerError):
        take_revocations(home, b"[" * 100_000, NOW)
    assert not (home / BY_COORDINATOR).exists()
    assert take_revocations(home, json.dumps(honest).encode(), NOW).added


def test_a_lender_cannot_sign_the_list() -> None:
    """Though its certificate is of the same authority; a coordinator can: the control."""
    authority = authority_of()
    signers = [identity_under(authority, "L01"), identity_under(authority, "C", "coordinator")]
    lenders, coordinators = (
        signed_revocations(["L02"], authority.certificate, one, NOW) for one in signers
    )
    with pytest.raises(PeerError, match="not this consortium's coordinator's"):
        read_revocations(lenders, authority.certificate, NOW)
    assert read_revocations(coordinators, authority.certificate, NOW).codes == ("L02",)


def test_the_page_follows_the_list(coordinator: Path) -> None:
    """It is signed once and again when somebody is revoked, or an hour has passed."""
    page = RevokedPage(coordinator)
    first = page.content(NOW)
    assert page.content(NOW + timedelta(minutes=59)) is first
    assert page.content(NOW + timedelta(minutes=61)) is not first
    revoke(coordinator, "L07")
    assert "L07" in json.loads(page.content(NOW + timedelta(minutes=62)))["codes"]
    (coordinator / REVOKED).write_text('["K1", "L03"]')


def test_a_node_takes_the_list_by_itself(
    coordinator: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Once a minute, told in the log; a gate without the page, or a strange list, ends nothing."""
    now = [100.0]
    monkeypatch.setattr(terms_poll.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(terms_poll, "datetime", _Then)
    gate = Gate(tmp_path)
    (tmp_path / "authority.crt").write_bytes((coordinator / "authority.crt").read_bytes())
    (tmp_path / "exchange.toml").write_text(EXCHANGE)
    knows(tmp_path, "L01", "L03")
    gate.look()
    gate.answers["/lianfang/revoked"] = shown(coordinator)
    gate.look()
    assert not (tmp_path / BY_COORDINATOR).exists()
    now[0] += 60.0
    gate.look()
    assert read_revoked(tmp_path) == {"L03"}
    for _ in range(3):
        now[0] += 60.0
        gate.look()
    assert caplog.text.count("has revoked L03") == 1
    assert caplog.text.count("has revoked K1, which exchange.toml names") == 1
    assert caplog.text.count("who is revoked is not known: it answers 403") == 1


class _Then(datetime):
    @classmethod
    def now(cls, tz: object = None) -> datetime:
        return NOW.astimezone(UTC)
