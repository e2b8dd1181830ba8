"""What both sides know of a lender's certificates that are about to end, or have."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from client.joining import finish
from client.node.mutual import Mutual
from client.node.renewing import SECONDS, Renewing
from client.renewal import lifetime
from server.consortium.admission import admitted
from server.consortium.lapsed import why_shut_out
from server.consortium.members import read_members, revoke
from server.deployment.admission import SOON, Admission
from server.deployment.node_keys import NodeKeys
from server.keys import AUTHORITY, read_certificate
from server.revoked import RevokedCodes
from shared.errors import OperatorError
from shared.identity.pem import certificate_from_pem
from tests.consortium_folders import asked, founded, invited
from tests.identities import NOW

DAYS = 30
END = NOW + timedelta(days=DAYS)


@pytest.fixture
def homes(tmp_path: Path) -> tuple[Path, Path]:
    """A coordinator's folder, and that of L01, which has joined for thirty days."""
    folder, home = tmp_path / "consortium", tmp_path / "L01"
    founded(folder, when=NOW)
    request = asked(home, invited(folder, when=NOW, days=DAYS), when=NOW)
    finish(home, admitted(folder, request.content(), NOW), now=NOW)
    return folder, home


def test_the_coordinator_knows_why_a_member_is_shut_out(homes: tuple[Path, Path]) -> None:
    """Ended, or revoked; nothing is known against a member in force or a stranger."""
    folder, _ = homes
    assert read_members(folder)["L01"].until == END.isoformat(timespec="seconds")
    before, after = (why_shut_out(folder, lambda t=t: t) for t in (END, END + timedelta(1)))
    assert (before("L01"), after("L02")) == ("", "")
    assert after("L01") == f"its certificates ended at {END:%Y-%m-%d %H:%M} UTC"
    revoke(folder, "L01")
    assert before("L01") == "it is revoked"


def test_a_list_without_ends_explains_nothing(homes: tuple[Path, Path]) -> None:
    """As an earlier version wrote it; a damaged list explains nothing either, and stops nobody."""
    folder, _ = homes
    path = folder / "members.json"
    members = json.loads(path.read_text())
    del members["L01"]["until"]
    path.write_text(json.dumps(members))
    why = why_shut_out(folder, lambda: END + timedelta(1))
    assert why("L01") == ""
    path.write_text("{")
    assert why("L01") == ""


def test_the_lender_says_that_its_certificate_has_ended(homes: tuple[Path, Path]) -> None:
    """With the command that helps; a day before it connects."""
    _, home = homes
    Mutual(home, lambda: END - timedelta(1)).context()
    with pytest.raises(OperatorError, match=r"ended at .* lianfang-client renew"):
        Mutual(home, lambda: END + timedelta(1)).context()


def test_renewing_looks_ten_times_in_the_last_third(homes: tuple[Path, Path]) -> None:
    """Once an hour where that is oftener; a folder that cannot be read is looked at hourly."""
    _, home = homes
    assert lifetime(home) >= DAYS * 86_400
    assert Renewing(home)._pause() == SECONDS
    assert Renewing(home, seconds=1e9)._pause() == pytest.approx(lifetime(home) / 30)
    assert Renewing(home / "none")._pause() == SECONDS


def test_a_connection_under_a_certificate_that_ends_soon_is_closed(
    homes: tuple[Path, Path],
) -> None:
    """In its last hour, so that a renewed one shows before this one is refused."""
    folder, home = homes
    certificate = certificate_from_pem((home / "transport.crt").read_bytes())

    def soon(left: timedelta) -> bool:
        revoked = RevokedCodes(folder, frozenset())
        authority = read_certificate(folder / AUTHORITY)
        return Admission(authority, revoked, NodeKeys(folder), lambda: END - left).ends_soon(
            certificate
        )

    assert not soon(SOON + timedelta(minutes=1))
    assert soon(SOON - timedelta(minutes=1))
