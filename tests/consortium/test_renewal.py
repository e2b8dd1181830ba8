"""Certificates are renewed over the same identity key, while everybody else goes on."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from client import cli, next_key, renewal
from client.joining import finish, join
from client.members import MemberLists, accept
from client.node.renewing import Renewing
from client.renewal import due, renew, renew_if_due
from client.tls import read_transport
from server import cli as server_cli
from server.consortium.admission import admitted
from server.consortium.members import revoke
from server.consortium.renewal import renew_own, renewed
from server.keys import AUTHORITY, COORDINATOR, read_certificate, read_private
from shared.errors import OperatorError, PeerError
from shared.identity.certificate import read_member
from shared.identity.enrolment import renew_request
from shared.identity.enrolment_messages import read_answer
from shared.identity.pem import certificate_from_pem
from shared.identity.transport import new_transport_key, read_peer, transport_public_of
from tests.consortium_folders import asked, enrolling, founded, invited, now, readdressed
from tests.identities import NOW


def certificate(home: Path, name: str = "certificate.crt") -> bytes:
    return certificate_from_pem((home / name).read_bytes())


def ends(der: bytes) -> object:
    return x509.load_der_x509_certificate(der).not_valid_after_utc


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    founded(tmp_path / "consortium", when=NOW)
    return tmp_path / "consortium"


@pytest.fixture
def home(folder: Path, tmp_path: Path) -> Path:
    """A lender that joined for 30 days."""
    place = tmp_path / "L01"
    request = asked(place, invited(folder, when=NOW, days=30), when=NOW)
    finish(place, admitted(folder, request.content(), NOW), now=NOW)
    return place


def request_of(home: Path, folder: Path, key: bytes | None = None) -> bytes:
    private = read_private(home / "own" / "identity.key")
    transport = transport_public_of(key or (home / "own" / "transport.key").read_bytes())
    authority = read_certificate(folder / AUTHORITY)
    current = certificate(home, "transport.crt")
    return renew_request("L01", private, authority, transport, current).content()


@pytest.mark.parametrize("new_key", [False, True])
def test_a_lender_renews_over_the_network(tmp_path: Path, new_key: bool) -> None:
    """Longer dates, the same identity key, another transport key only where asked for; what the
    folder had beside is as it was.
    """
    folder, home = tmp_path / "consortium", tmp_path / "L01"
    founded(folder)
    with enrolling(folder) as port:
        readdressed(folder, port)
        join(home, invited(folder, days=2), now=now())
        before, key = certificate(home), (home / "own" / "transport.key").read_bytes()
        others = {path: path.read_bytes() for path in home.glob("*.json")}
        invitations = json.loads((folder / "invitations.json").read_text())
        invitations["L01"]["days"] = 100
        (folder / "invitations.json").write_text(json.dumps(invitations))
        result = renew(home, now=now(), new_key=new_key)
    authority = read_certificate(folder / AUTHORITY)
    after = read_member(certificate(home), authority, now() + timedelta(days=50))
    assert after.public == read_member(before, authority, now()).public
    assert result.until > now() + timedelta(days=99)
    assert not result.terms_differ
    assert ((home / "own" / "transport.key").read_bytes() != key) == new_key
    assert read_transport(home, "L01", now()).code == "L01"
    assert {path: path.read_bytes() for path in home.glob("*.json")} == others


def test_one_whose_certificates_ended_comes_back(folder: Path, home: Path) -> None:
    """Its identity key is enough: the request needs no certificate that is good."""
    late = NOW + timedelta(days=31)
    authority = read_certificate(folder / AUTHORITY)
    with pytest.raises(PeerError, match="expired"):
        read_member(certificate(home), authority, late)
    assert renewed(folder, request_of(home, folder), late)


def test_only_the_member_itself_renews(folder: Path, home: Path) -> None:
    """A stranger's key, another's code, a revoked member: refused, each by its reason."""
    stranger = os.urandom(32)
    authority = read_certificate(folder / AUTHORITY)
    transport = transport_public_of(new_transport_key(os.urandom))
    current = certificate(home, "transport.crt")

    def refused(code: str, private: bytes, why: str) -> None:
        request = renew_request(code, private, authority, transport, current).content()
        with pytest.raises(PeerError, match=why):
            renewed(folder, request, NOW)

    mine = read_private(home / "own" / "identity.key")
    refused("L01", stranger, "not that of the identity key")
    refused("L02", mine, "only members in force")
    assert renewed(folder, request_of(home, folder), NOW)
    revoke(folder, "L01")
    refused("L01", mine, "only members in force")


def test_an_old_answer_is_not_taken_again(
    folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recorded answer to an earlier renewal does not put the old certificate back."""
    recorded = renewed(folder, request_of(home, folder), NOW)
    monkeypatch.setattr(renewal, "_answered", lambda *arguments: recorded)
    renew(home, now=NOW)
    before = {path: path.read_bytes() for path in home.rglob("*.crt")}
    with pytest.raises(PeerError, match="for another request"):
        renew(home, now=NOW)  # the certificate in use is another now
    assert {path: path.read_bytes() for path in home.rglob("*.crt")} == before


@pytest.mark.parametrize("at", range(4))
def test_interrupted_it_can_be_given_again(
    folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """At any of its four writes with a new key, also where key and certificate fit no more."""
    monkeypatch.setattr(renewal, "_answered", lambda *a: renewed(folder, a[3], a[4]))
    write, calls = renewal.write_durably, iter(range(100))

    def failing(path: Path, content: bytes) -> None:
        if next(calls) == at:
            raise OSError(28, "No space left on device")
        write(path, content)

    for module in (renewal, next_key):
        monkeypatch.setattr(module, "write_durably", failing)
    with pytest.raises(OperatorError, match="cannot be written"):
        renew(home, now=NOW, new_key=True)
    renew(home, now=NOW)
    authority = read_certificate(folder / AUTHORITY)
    shown = x509.load_der_x509_certificate(certificate(home, "transport.crt"))
    key = transport_public_of((home / "own" / "transport.key").read_bytes())
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    assert shown.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo) == key
    assert read_peer(certificate(home, "transport.crt"), authority, NOW).code == "L01"


def test_an_old_request_brings_no_key_back_that_was_given_up(folder: Path, home: Path) -> None:
    """Recorded, and sent again after the member took another transport key. Where nothing was kept
    of what was granted it is granted: the control.
    """
    first = request_of(home, folder)
    certificate_taken(home, renewed(folder, first, NOW))
    key = new_transport_key(os.urandom)
    renewed(folder, request_of(home, folder, key), NOW + timedelta(days=1))
    with pytest.raises(PeerError, match="another certificate than the last one issued to L01"):
        renewed(folder, first, NOW + timedelta(days=2))
    (folder / "renewals" / "L01.json").unlink()
    assert renewed(folder, first, NOW + timedelta(days=2))


def test_the_same_request_gets_the_same_certificates(folder: Path, home: Path) -> None:
    """So repeating makes nothing last longer, and two that ask at once may both go on; once those
    have ended it gets new ones, and whichever is taken may be renewed.
    """
    request = request_of(home, folder)
    first, again, late = (
        read_answer(renewed(folder, request, NOW + timedelta(days=days))) for days in (0, 20, 31)
    )
    assert (first.certificate, first.transport) == (again.certificate, again.transport)
    assert first.transport != late.transport
    for answer in (first, late):
        (home / "transport.crt").write_text(answer.transport)
        fresh = request_of(home, folder)
        before = (folder / "renewals" / "L01.json").read_bytes()
        assert renewed(folder, fresh, NOW + timedelta(days=32))
        (folder / "renewals" / "L01.json").write_bytes(before)


def certificate_taken(home: Path, answer: bytes) -> None:
    (home / "transport.crt").write_text(read_answer(answer).transport)


@pytest.mark.parametrize("new_key", [False, True])
def test_a_lost_answer_costs_nothing(
    folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch, new_key: bool
) -> None:
    """Whether the next attempt is the same or not: the new key that was asked for is the one that
    the lender has then, and the next new key is another.
    """
    answers: list[bytes] = []

    def lost(*given: object) -> bytes:
        answers.append(renewed(folder, given[3], given[4]))  # type: ignore[arg-type]
        raise PeerError("nobody answers")

    before = (home / "own" / "transport.key").read_bytes()
    monkeypatch.setattr(renewal, "_answered", lost)
    for _ in range(2):
        with pytest.raises(PeerError, match="nobody answers"):
            renew(home, now=NOW, new_key=new_key)
    monkeypatch.setattr(renewal, "_answered", lambda *a: renewed(folder, a[3], a[4]))
    renew(home, now=NOW)
    taken = certificate(home, "transport.crt")
    assert {certificate_from_pem(read_answer(one).transport.encode()) for one in answers} == {taken}
    assert ((home / "own" / "transport.key").read_bytes() != before) == new_key
    kept = (home / "own" / "transport.key").read_bytes()
    renew(home, now=NOW, new_key=True)
    assert (home / "own" / "transport.key").read_bytes() != kept
    assert read_transport(home, "L01", NOW).code == "L01"


def test_it_is_renewed_by_itself_in_its_last_third(
    folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thirty-one days: not on the 20th, on the 21st."""
    monkeypatch.setattr(renewal, "_answered", lambda *a: renewed(folder, a[3], a[4]))
    early, late = NOW + timedelta(days=19), NOW + timedelta(days=20)
    assert not due(home, early)
    assert renew_if_due(home, now=early) is None
    assert due(home, late)
    found = renew_if_due(home, now=late)
    assert found is not None
    assert found.until > NOW + timedelta(days=49)
    assert not due(home, late)


def test_a_node_that_runs_looks_after_its_certificates(
    folder: Path,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What fails is told and tried again; nothing is asked before it is time."""
    asked_for: list[str] = []

    def failing(*arguments: object) -> bytes:
        asked_for.append("asked")
        raise PeerError("the coordinator is asleep")

    monkeypatch.setattr(renewal, "_answered", failing)
    Renewing(home, clock=lambda: NOW + timedelta(days=5)).look()
    assert asked_for == []
    late = NOW + timedelta(days=25)
    Renewing(home, clock=lambda: late).look()
    assert "could not be renewed: the coordinator is asleep" in caplog.text
    assert due(home, late)
    monkeypatch.setattr(renewal, "_answered", lambda *a: renewed(folder, a[3], a[4]))
    running = Renewing(home, clock=lambda: late)
    running.start()
    running.stop()
    assert not due(home, late)


def test_the_coordinator_renews_its_own(folder: Path) -> None:
    """Over the same identity key, which lenders know; the command says until when."""
    before = read_member(
        read_certificate(folder / COORDINATOR), read_certificate(folder / AUTHORITY), NOW
    )
    key = (folder / "own" / "transport.key").read_bytes()
    renew_own(folder, "coordinator", days=700, now=NOW, random=os.urandom)
    authority, late = read_certificate(folder / AUTHORITY), NOW + timedelta(days=699)
    after = read_member(read_certificate(folder / COORDINATOR), authority, late)
    assert (after.code, after.public) == (before.code, before.public)
    assert read_peer(read_certificate(folder / "transport.crt"), authority, late)
    assert (folder / "own" / "transport.key").read_bytes() == key


def test_the_coordinators_commands_name_what_ends_soon(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`members` exits with 1 in the last month, and with 0 after `renew`."""
    folder = tmp_path / "consortium"
    founded(folder, days=10)
    assert server_cli.main(["members", str(folder)]) == 1
    assert server_cli.main(["renew", str(folder), "--new-key", "--json"]) == 0
    assert server_cli.main(["members", str(folder)]) == 0
    assert server_cli.main(["revoke", str(folder), "L09"]) == 2
    server_cli.main(["invite", str(folder), "L09"])
    assert server_cli.main(["revoke", str(folder), "L09"]) == 0
    assert "is good no more" in capsys.readouterr().out


def test_a_pinned_key_is_never_replaced(tmp_path: Path, home: Path) -> None:
    """A new member is pinned by the lender's word; another key under a known code is not."""
    own = bytes.fromhex(json.loads((home / "members.json").read_text())["L01"])
    lists = MemberLists({"L01": own}, {"L01": own, "L02": b"b" * 32})
    assert (lists.new, lists.changed, lists.gone) == (("L02",), (), ())
    accept(home, lists, ["L02"])
    pinned = json.loads((home / "members.json").read_text())
    assert pinned["L02"] == (b"b" * 32).hex()
    changed = MemberLists({"L01": own, "L02": b"b" * 32}, {"L01": own, "L02": b"c" * 32})
    assert changed.changed == ("L02",)
    with pytest.raises(OperatorError, match="shows another key than the one pinned"):
        accept(home, changed, ["L02"])
    with pytest.raises(OperatorError, match="shows no member 'L07'"):
        accept(home, changed, ["L07"])
    assert json.loads((home / "members.json").read_text()) == pinned


def test_a_folder_that_has_not_joined_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["renew", str(tmp_path)]) == 2
    assert "lianfang-client join -h" in " ".join(capsys.readouterr().err.split())
