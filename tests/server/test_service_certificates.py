"""A service's certificates: told of before they end, renewed over the same keys, taken over."""

from __future__ import annotations

import json
import logging
import secrets
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest

from client.tls import Transport, channel
from server import service_certificates, tls
from server.actor import CERTIFICATE, TRANSPORT, read_actor, write_actor
from server.authority import Authority, create_authority, write_authority
from server.authority import issue_transport as certified
from server.cli import main
from server.deployment import service_process
from server.deployment.metrics import certificates_of
from server.deployment.observing import _health
from server.deployment.services import FILE, Service
from server.keys import AUTHORITY
from server.service_certificates import FILES, OwnCertificates, ends_of, renew_service, revoked_at
from shared.errors import OperatorError
from shared.identity.transport import new_transport_key, transport_public_of
from tests.consortium_folders import founded

NOW = datetime.now(UTC).replace(microsecond=0)
BEGAN = NOW - timedelta(days=300)


def authority_of(name: str = "Five") -> Authority:
    return create_authority(name, days=600, now=BEGAN, random=secrets.token_bytes)


OURS = authority_of()


def service(folder: Path, *, days: int = 310, authority: Authority = OURS) -> Path:
    """A registry's folder, whose certificates end so many days after `BEGAN`: here in ten days."""
    write_actor(
        folder, authority, "R1", "registry", days=days, now=BEGAN, random=secrets.token_bytes
    )
    return folder


def renewed(
    folder: Path,
    authority: Authority = OURS,
    now: datetime = NOW,
    revoked: frozenset[str] = frozenset(),
) -> Any:
    return renew_service(folder, authority, revoked=revoked, now=now, random=secrets.token_bytes)


def copied(folder: Path, *sources: tuple[str, Path]) -> Path:
    """A folder with these `.crt` files, each from a service's."""
    folder.mkdir()
    for name, source in sources:
        shutil.copy2(source / name, folder / name)
    return folder


def test_new_certificates_are_over_the_same_keys(tmp_path: Path) -> None:
    """They end later, at most with the authority's; the control is what they were."""
    folder = service(tmp_path / "r1")
    before = read_actor(folder, "registry", NOW)
    done = renewed(folder)
    after = read_actor(folder, "registry", NOW + timedelta(days=200))
    assert (done.code, done.role) == ("R1", "registry")
    assert after.identity.member.public == before.identity.member.public
    assert (after.identity.private, after.transport_key) == (
        before.identity.private,
        before.transport_key,
    )
    ends = ends_of(folder)
    assert ends[CERTIFICATE] == ends[TRANSPORT] == done.until <= ends[AUTHORITY]
    with pytest.raises(OperatorError, match="expired"):
        read_actor(service(tmp_path / "r2"), "registry", NOW + timedelta(days=200))


def test_a_copy_without_private_keys_is_enough(tmp_path: Path) -> None:
    """As it travels to the authority's machine and back; also after they have ended."""
    folder, copy = service(tmp_path / "r1", days=200), tmp_path / "copy"
    with pytest.raises(OperatorError, match="expired"):
        read_actor(folder, "registry", NOW)
    copy.mkdir()
    for name in FILES:
        shutil.copy2(folder / name, copy / name)
    renewed(copy)
    for name in (CERTIFICATE, TRANSPORT):
        shutil.copy2(copy / name, folder / name)
    assert read_actor(folder, "registry", NOW).identity.member.code == "R1"


def refused(folder: Path, why: str, **about: Any) -> None:
    """Nothing is written."""
    before = {name: (folder / name).read_bytes() for name in FILES}
    with pytest.raises(OperatorError, match=why) as error:
        renewed(folder, **about)
    assert error.value.remedy
    assert before == {name: (folder / name).read_bytes() for name in FILES}


def test_what_another_authority_certified_is_not_renewed(tmp_path: Path) -> None:
    """Nor what is revoked here; the control is off the list."""
    strange, gone = service(tmp_path / "strange", authority=authority_of()), tmp_path / "gone"
    service(gone)
    (gone / "revoked.json").write_text('["R1"]')
    refused(strange, "not issued")
    refused(gone, "revoked")
    (gone / "revoked.json").unlink()
    assert renewed(gone).code == "R1"


@pytest.mark.parametrize(("code", "role"), [("L01", "lender"), ("C", "coordinator")])
def test_lenders_and_the_coordinator_are_not_renewed_as_services(
    code: str, role: Any, tmp_path: Path
) -> None:
    """From their three files alone either: they have ways that prove whose the keys are."""
    made = tmp_path / "made"
    write_actor(made, OURS, code, role, days=310, now=BEGAN, random=secrets.token_bytes)
    refused(copied(tmp_path / "copy", *((name, made) for name in FILES)), f"a {role}'s")


@pytest.mark.parametrize(("code", "role"), [("K1", "keyholder"), ("L01", "lender"), ("R1", "desk")])
def test_no_ones_transport_key_is_certified_as_anothers(
    code: str, role: Any, tmp_path: Path
) -> None:
    """A folder put together of two: its other code, or other role, is refused; the control is both
    of one.
    """
    own, other = service(tmp_path / "r1"), tmp_path / "other"
    write_actor(other, OURS, code, role, days=310, now=BEGAN, random=secrets.token_bytes)
    mixed = (AUTHORITY, own), (CERTIFICATE, own), (TRANSPORT, other)
    refused(copied(tmp_path / "mixed", *mixed), f"is of {code} .{role}., and .* of R1 .registry.")
    assert renewed(copied(tmp_path / "copy", *((name, own) for name in FILES))).code == "R1"


def test_whom_the_authoritys_lists_revoke_is_not_renewed_from_a_copy_without_a_list(
    tmp_path: Path,
) -> None:
    """The list beside the key, or of the consortium that the key lies in; neither is refused, too.
    The control: off the lists, the same copy is renewed.
    """
    own, home = service(tmp_path / "r1"), tmp_path / "consortium" / "authority"
    copy = copied(tmp_path / "copy", *((name, own) for name in FILES))
    write_authority(home, OURS)
    command = ["renew", str(copy), "--authority", str(home)]
    before = (copy / CERTIFICATE).read_bytes()
    with pytest.raises(OperatorError, match="no list") as error:
        revoked_at(home)
    assert "revoked.json" in error.value.remedy
    for here, there in (('["R1"]', "[]"), ("[]", '["R1"]'), ("[]", "not a list")):
        (home / "revoked.json").write_text(here)
        (home.parent / "revoked.json").write_text(there)
        assert main(command) == 2
        assert (copy / CERTIFICATE).read_bytes() == before
    refused(copy, "revoked by the list", revoked=frozenset({"R1"}))
    (home / "revoked.json").unlink()
    (home.parent / "revoked.json").write_text("[]")
    assert main(command) == 0


@pytest.mark.parametrize(("days", "told"), [(31, 0), (29, 1)])
def test_that_they_end_is_told_from_thirty_days_before(
    days: int, told: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Once a day, with the command; and no more once they are renewed."""
    folder, passed = service(tmp_path / "r1"), [0.0]
    ends = ends_of(folder)[CERTIFICATE]
    clock = ends - timedelta(days=days)
    own = OwnCertificates(folder, lambda: clock, lambda: passed[0])
    for hours in (1, 2, 23):
        passed[0] = hours * 3600.0
        own.renewed()
    assert [one.levelname for one in caplog.records] == ["WARNING"] * told
    assert ("lianfang-server renew" in caplog.text) == bool(told)
    passed[0] = 25 * 3600.0
    own.renewed()
    assert len(caplog.records) == 2 * told
    renewed(folder, now=clock)
    passed[0] = 50 * 3600.0
    own.renewed()
    assert len(caplog.records) == 2 * told


def test_only_what_is_whole_and_fits_is_taken_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Not while files are still being put there, and not another's; then those before stay."""
    folder, passed = service(tmp_path / "r1"), [0.0]
    own = OwnCertificates(folder, lambda: NOW, lambda: passed[0])

    def looks(number: int) -> list[bool]:
        found = []
        for _ in range(number):
            passed[0] += 6.0
            found.append(own.renewed())
        return found

    assert looks(3) == [False] * 3
    renewed(folder)
    assert looks(3) == [False, True, False]
    wrong = certified(
        OURS, "R2", "registry", transport_public_of(new_transport_key(secrets.token_bytes)),
        days=9, now=NOW, random=secrets.token_bytes,
    )  # fmt: skip
    (folder / TRANSPORT).write_bytes(tls.certificate_to_pem(wrong))
    caplog.clear()
    caplog.set_level(logging.ERROR)
    assert looks(4) == [False] * 4
    assert "those before stay" in caplog.text
    renewed_transport = service(tmp_path / "r3") / TRANSPORT
    shutil.copy2(renewed_transport, folder / TRANSPORT)
    assert looks(3) == [False, True, False]


def _lender() -> Transport:
    key = new_transport_key(secrets.token_bytes)
    certificate = certified(
        OURS, "L01", "lender", transport_public_of(key), days=30, now=NOW,
        random=secrets.token_bytes,
    )  # fmt: skip
    return Transport("L01", OURS.certificate, certificate, key)


@contextmanager
def _kept(folder: Path, clock: list[datetime]) -> Iterator[int]:
    """The service of a folder, as `start` keeps it, without its store; `clock`: when it opens."""
    ports, handlers = [0], list[Any]()

    def opened(one: Service) -> tls.Running:
        def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
            return b"here"

        method = grpc.unary_unary_rpc_method_handler(answer)
        handler = grpc.method_handlers_generic_handler("t.T", {"Ask": method})
        running = tls.serve(
            read_actor(one.folder, "registry", clock[0]),
            f"127.0.0.1:{ports[0]}",
            lambda server: server.add_generic_rpc_handlers((handler,)),
        )
        ports[0] = running.port
        return running

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(service_process.signal, "signal", lambda number, end: handlers.append(end))
        patch.setattr(service_process, "Probe", _Silent)
        patch.setattr(service_process, "_LOOK_SECONDS", 0.02)
        patch.setattr(service_certificates, "_LOOK_SECONDS", 0.02)
        about = Service("registry", folder, "127.0.0.1:0")
        thread = threading.Thread(
            target=service_process.serve_until_told, args=(folder, about, opened), daemon=True
        )
        thread.start()
        while not ports[0]:
            assert thread.is_alive()
            time.sleep(0.01)
        try:
            yield ports[0]
        finally:
            handlers[0](15, None)
            thread.join(20)
            assert not thread.is_alive()


class _Silent:
    """In place of the probe, which a service's own end of time would end as well."""

    def __init__(self, service: Service) -> None:
        pass

    def answers(self) -> bool:
        return False

    def close(self) -> None:
        pass


def _answered(port: int) -> bool:
    with channel(f"127.0.0.1:{port}", "R1", _lender()) as line:
        try:
            return bool(line.unary_unary("/t.T/Ask")(b"", timeout=20) == b"here")
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.UNAVAILABLE:
                return False
            raise


def test_certificates_that_ended_in_mid_life_are_renewed_without_a_start(tmp_path: Path) -> None:
    """The service runs on, and nobody believes it: the control. New ones put in its folder, and it
    is believed again, at the same port.
    """
    folder = service(tmp_path / "r1", days=299)  # they ended yesterday
    clock = [NOW - timedelta(days=2)]
    with _kept(folder, clock) as port:
        assert not _answered(port)
        clock[0] = NOW
        renewed(folder)
        until = time.monotonic() + 60
        while not _answered(port):
            assert time.monotonic() < until
            time.sleep(0.05)


def test_the_command_renews_a_service(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the authority's key; without it, it says how; the coordinator's own goes as before."""
    folder, home = service(tmp_path / "r1"), tmp_path / "authority"
    assert main(["authority", "create", str(home), "--name", "Five"]) == 0
    (home / "authority.key").unlink()
    write_authority(home, OURS)
    assert main(["renew", str(folder)]) == 2
    assert "no private key is needed" in " ".join(capsys.readouterr().err.split())
    assert main(["renew", str(folder), "--authority", str(home), "--days", "99", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["code"], said["role"]) == ("R1", "registry")
    assert datetime.fromisoformat(said["until"]) == ends_of(folder)[TRANSPORT]
    assert main(["renew", str(folder), "--authority", str(home), "--new-key"]) == 2


def test_members_metrics_and_health_tell_of_a_service_that_ends_soon(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And of the coordinator's own; once renewed, none of them does: the control."""
    place = tmp_path / "consortium"
    founded(place)
    folder = service(tmp_path / "r1")
    (place / FILE).write_text(f'[registry]\nfolder = "{folder}"\nlisten = "127.0.0.1:7444"\n')
    assert main(["members", str(place), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["services_days"]["registry"] <= 10 < told["own_days"]
    days = certificates_of(place)
    assert 9 <= days[f"registry/{TRANSPORT}"] <= days[f"registry/{CERTIFICATE}"] <= 10
    ending = json.loads(_health(place, ())[2])["ending"]
    assert {*ending} == {f"registry/{CERTIFICATE}", f"registry/{TRANSPORT}"}
    renewed(folder)
    assert main(["members", str(place), "--json"]) == 0
    assert json.loads(_health(place, ())[2])["ending"] == {}
