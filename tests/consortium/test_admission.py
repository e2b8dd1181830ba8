"""An invitation makes one member, once, however often, late or at the same time it is used."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from client.joining import finish
from server.consortium import admission
from server.consortium.admission import UNKNOWN, admitted
from server.consortium.folder import INVITATIONS, MEMBERS
from server.consortium.invitations import invite, read_invitations, withdraw
from server.consortium.members import in_force, read_members, revoke
from shared.errors import OperatorError, PeerError
from shared.identity.certificate import read_member
from shared.identity.enrolment import certificate_of
from shared.identity.enrolment_messages import read_answer
from shared.identity.invitation import read_invitation
from tests.consortium_folders import asked, founded, invited
from tests.identities import NOW

LATER = NOW + timedelta(hours=73)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    founded(tmp_path / "consortium", when=NOW)
    return tmp_path / "consortium"


def test_whoever_is_invited_becomes_a_member(folder: Path, tmp_path: Path) -> None:
    """With the keys it made, the days that were meant, and everything a lender's folder needs."""
    line = invited(folder, when=NOW, days=90)
    request = asked(tmp_path / "L01", line, when=NOW)
    answer = admitted(folder, request.content(), NOW)
    joined = finish(tmp_path / "L01", answer, now=NOW)
    assert (joined.code, joined.public.hex()) == ("L01", request.public)
    member = read_members(folder)["L01"]
    assert (member.public.hex(), member.node) == (request.public, request.node)
    assert list(in_force(folder)) == ["L01"]
    held = certificate_of(read_answer(answer).authority)
    mine = certificate_of(read_answer(answer).certificate)
    assert read_member(mine, held, NOW + timedelta(days=90)).code == "L01"
    with pytest.raises(PeerError, match="expired"):
        read_member(mine, held, NOW + timedelta(days=91))


def test_the_same_request_is_answered_again_and_another_never(folder: Path, tmp_path: Path) -> None:
    """A lost answer costs nothing, even up to a day after the invitation has ended; other keys
    get nothing, nor does anybody later: keys may have been stolen by then.
    """
    line = invited(folder, when=NOW)
    request = asked(tmp_path / "L01", line, when=NOW)
    admitted(folder, request.content(), NOW)
    again = admitted(folder, request.content(), LATER)
    assert finish(tmp_path / "L01", again, now=LATER).code == "L01"
    with pytest.raises(PeerError, match="too late to be answered again"):
        admitted(folder, request.content(), NOW + timedelta(hours=97))
    other = asked(tmp_path / "elsewhere", line, when=NOW)
    with pytest.raises(PeerError, match="used before, with other keys"):
        admitted(folder, other.content(), NOW)
    assert read_members(folder)["L01"].public.hex() == request.public


def test_an_expired_invitation_admits_nobody(folder: Path, tmp_path: Path) -> None:
    """A second before its end it does: the control."""
    line = invited(folder, when=NOW, hours=72)
    request = asked(tmp_path / "L01", line, when=NOW)
    ends = read_invitation(line, NOW).expires
    with pytest.raises(PeerError, match="expired since"):
        admitted(folder, request.content(), ends + timedelta(seconds=1))
    assert read_members(folder) == {}
    admitted(folder, request.content(), ends)
    assert list(read_members(folder)) == ["L01"]


def test_without_the_secret_nobody_learns_who_is_invited(folder: Path, tmp_path: Path) -> None:
    """A guessed secret and a code that is not invited are refused in the same words."""
    line = invited(folder, when=NOW)
    invitation = read_invitation(line, NOW)
    told = []
    for code in ("L01", "L02"):
        guess = replace(invitation, code=code, secret=os.urandom(32)).text()
        request = asked(tmp_path / f"guess {code}", guess, when=NOW)
        with pytest.raises(PeerError) as caught:
            admitted(folder, request.content(), NOW)
        told.append(caught.value.what)
    assert told == [UNKNOWN, UNKNOWN]
    admitted(folder, asked(tmp_path / "L01", line, when=NOW).content(), NOW)


def test_what_the_coordinator_keeps_lets_no_thief_join(folder: Path, tmp_path: Path) -> None:
    """The secret is in no file of its folder; with what stands there instead, nothing is won."""
    invitation = read_invitation(invited(folder, when=NOW), NOW)
    files = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert invitation.secret.hex().encode() not in files
    assert invitation.secret not in files
    stolen = bytes.fromhex(read_invitations(folder)["L01"].verifier)
    thief = replace(invitation, secret=stolen).text()
    with pytest.raises(PeerError, match=UNKNOWN):
        admitted(folder, asked(tmp_path / "thief", thief, when=NOW).content(), NOW)


def test_asked_at_the_same_time_one_set_of_keys_wins(folder: Path, tmp_path: Path) -> None:
    """Eight requests with keys of their own over one invitation: one answer."""
    line = invited(folder, when=NOW)
    requests = [asked(tmp_path / f"L{at}", line, when=NOW).content() for at in range(8)]

    def outcome(content: bytes) -> bool:
        try:
            return bool(admitted(folder, content, NOW))
        except PeerError:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(outcome, requests)) == 1
    assert len(read_members(folder)) == 1


@pytest.mark.parametrize("broken", ["write_invitations", "add_member", "answer_to"])
def test_interrupted_anywhere_the_same_request_goes_on(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """And never another one, from the moment something may have been certified."""
    line = invited(folder, when=NOW)
    request = asked(tmp_path / "L01", line, when=NOW)
    other = asked(tmp_path / "other", line, when=NOW)

    def fails(*arguments: object, **named: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(admission, broken, fails)
        with pytest.raises(KeyboardInterrupt):
            admitted(folder, request.content(), NOW)
    if broken != "write_invitations":
        with pytest.raises(PeerError, match="other keys"):
            admitted(folder, other.content(), NOW)
    assert finish(tmp_path / "L01", admitted(folder, request.content(), NOW), now=NOW).code == "L01"


def test_revoked_is_revoked_for_ever(folder: Path, tmp_path: Path) -> None:
    """The same request is not answered again, the code is given to nobody, nobody lists it."""
    line = invited(folder, when=NOW)
    request = asked(tmp_path / "L01", line, when=NOW)
    admitted(folder, request.content(), NOW)
    assert revoke(folder, "L01")
    assert not revoke(folder, "L01")
    with pytest.raises(PeerError, match="L01 is revoked"):
        admitted(folder, request.content(), NOW)
    assert in_force(folder) == {}
    for code in ("L01", "l01"):
        with pytest.raises(OperatorError, match="is taken"):
            invited(folder, code, when=NOW)


def test_a_withdrawn_or_repeated_invitation_makes_the_first_line_useless(
    folder: Path, tmp_path: Path
) -> None:
    """The newer line works: the control."""
    first, second = invited(folder, when=NOW), invited(folder, when=NOW)
    with pytest.raises(PeerError, match=UNKNOWN):
        admitted(folder, asked(tmp_path / "first", first, when=NOW).content(), NOW)
    admitted(folder, asked(tmp_path / "second", second, when=NOW).content(), NOW)
    third = invited(folder, "L03", when=NOW)
    assert withdraw(folder, "L03")
    assert not withdraw(folder, "L03")
    with pytest.raises(PeerError, match=UNKNOWN):
        admitted(folder, asked(tmp_path / "third", third, when=NOW).content(), NOW)


def test_a_key_stands_under_one_code(folder: Path, tmp_path: Path) -> None:
    """Who copies another's folder does not become a second member with its keys."""
    one = asked(tmp_path / "L01", invited(folder, when=NOW), when=NOW)
    admitted(folder, one.content(), NOW)
    home = tmp_path / "L02"
    asked(home, invited(folder, "L02", when=NOW), when=NOW)
    line = invited(folder, "L02", when=NOW)
    for name in ("identity.key", "node.key"):
        shutil.copyfile(tmp_path / "L01" / "own" / name, home / "own" / name)
    with pytest.raises(PeerError, match="already that of another member"):
        admitted(folder, asked(home, line, when=NOW).content(), NOW)
    assert list(read_members(folder)) == ["L01"]


@pytest.mark.parametrize("code", ["", "../L01", "L 01", "L01\n", "Ｌ01", "x" * 65, ".L01", "-L"])
def test_a_code_with_other_letters_is_not_invited(folder: Path, code: str) -> None:
    """Path characters, spaces, look-alikes; nothing is kept of it."""
    with pytest.raises(OperatorError, match="is no code for a member"):
        invited(folder, code, when=NOW)
    assert not (folder / INVITATIONS).exists()


def test_codes_that_differ_by_capitals_are_not_both_given(folder: Path, tmp_path: Path) -> None:
    """Nor the coordinator's own."""
    invited(folder, "L01", when=NOW)
    with pytest.raises(OperatorError, match="by capitals only"):
        invited(folder, "l01", when=NOW)
    with pytest.raises(OperatorError, match="is taken"):
        invited(folder, "Coordinator", when=NOW)


@pytest.mark.parametrize(("hours", "days"), [(0, 1), (1441, 1), (1, 0), (1, 3651)])
def test_an_invitation_is_neither_endless_nor_too_short(
    folder: Path, hours: int, days: int
) -> None:
    with pytest.raises(OperatorError, match="are not within"):
        invite(folder, "L01", hours=hours, days=days, now=NOW, random=os.urandom)


def test_with_the_authority_off_line_nobody_is_certified_but_where_it_is(
    folder: Path, tmp_path: Path
) -> None:
    """The key lies elsewhere: told with what to do, and nothing is used up."""
    request = asked(tmp_path / "L01", invited(folder, when=NOW), when=NOW)
    away = tmp_path / "usb"
    shutil.move(folder / "authority", away)
    with pytest.raises(OperatorError, match="key is not here") as caught:
        admitted(folder, request.content(), NOW)
    assert "--authority" in caught.value.remedy
    assert read_invitations(folder)["L01"].used == ""
    answer = admitted(folder, request.content(), NOW, authority=away)
    assert finish(tmp_path / "L01", answer, now=NOW).code == "L01"


@pytest.mark.parametrize("name", [MEMBERS, INVITATIONS])
@pytest.mark.parametrize(
    "content", ["[]", "{", '{"L01": 3}', '{"../x": {}}', '{"L01": {"public": "00"}}', "[" * 9999]
)
def test_a_damaged_list_stops_and_is_named(folder: Path, name: str, content: str) -> None:
    """Nobody is admitted by accident."""
    (folder / name).write_text(content)
    with pytest.raises(OperatorError, match=name.replace(".", r"\.")):
        (read_members if name == MEMBERS else read_invitations)(folder)


def test_certificates_do_not_outlast_their_authority(folder: Path, tmp_path: Path) -> None:
    """Near the authority's end they last as long as it does."""
    late = NOW + timedelta(days=3600)
    founded(tmp_path / "old", when=NOW, days=3650)
    line = invited(tmp_path / "old", when=late, days=365)
    request = asked(tmp_path / "L01", line, when=late)
    joined = finish(tmp_path / "L01", admitted(tmp_path / "old", request.content(), late), now=late)
    assert joined.code == "L01"
