"""An invitation is one line that is copied whole, in time, or refused with what to do."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from datetime import timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import OperatorError, PeerError
from shared.identity.address import host_and_port
from shared.identity.invitation import PREFIX, Invitation, read_invitation
from tests.identities import NOW

INVITATION = Invitation(
    "L01",
    "联防 Five",
    "coordinator.example:8444",
    bytes(range(32)),
    bytes(range(32, 64)),
    NOW.replace(microsecond=0) + timedelta(days=7),
)


def line_of(content: object) -> str:
    """A well-formed line of whatever content."""
    body = base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()
    return f"{PREFIX}{body}.{hashlib.sha256(body.encode()).hexdigest()[:8]}"


def content_of(**changes: object) -> dict[str, object]:
    body = INVITATION.text().removeprefix(PREFIX).partition(".")[0]
    return json.loads(base64.urlsafe_b64decode(body + "==")) | changes


def test_the_line_comes_back_as_it_was() -> None:
    """One printable ASCII line; breaks that a mail program put in do no harm."""
    line = INVITATION.text()
    assert line.isascii()
    assert line.isprintable()
    assert " " not in line
    assert read_invitation(line, NOW) == INVITATION
    folded = "\r\n".join(line[at : at + 60] for at in range(0, len(line), 60))
    assert read_invitation(f"  {folded}\n", NOW) == INVITATION


def test_nothing_secret_shows() -> None:
    """In a `repr`, which may come into a log."""
    assert "secret" not in repr(INVITATION)
    assert INVITATION.secret.hex() not in repr(INVITATION)
    assert repr(INVITATION.secret) not in repr(INVITATION)


@given(at=st.integers(0, 10**6), put=st.characters(codec="ascii", categories=("L", "N")))
def test_a_letter_that_differs_is_found(at: int, put: str) -> None:
    """Wherever it stands."""
    line = INVITATION.text()
    at %= len(line)
    changed = line[:at] + put + line[at + 1 :]
    if changed != line:
        with pytest.raises(OperatorError, match="invitation"):
            read_invitation(changed, NOW)


@pytest.mark.parametrize("cut", [0, 5, 20, 200, -1, -9])
def test_a_line_copied_in_part_is_refused_and_not_quoted(cut: int) -> None:
    line = INVITATION.text()[:cut]
    with pytest.raises(OperatorError, match="invitation") as caught:
        read_invitation(line, NOW)
    assert line[12:40] not in str(caught.value) or not line[12:40]
    assert caught.value.remedy


def test_an_expired_one_says_so() -> None:
    """A second after its time; the second before it is good."""
    assert read_invitation(INVITATION.text(), INVITATION.expires) == INVITATION
    with pytest.raises(OperatorError, match="is expired since") as caught:
        read_invitation(INVITATION.text(), INVITATION.expires + timedelta(seconds=1))
    assert "new one" in caught.value.remedy


@pytest.mark.parametrize(
    "changes",
    [
        {"code": "../../etc/passwd"},
        {"code": "L01/x"},
        {"code": ""},
        {"code": "L" * 65},
        {"code": "L01\n"},
        {"consortium": "a\x1b[2Jb"},
        {"consortium": ""},
        {"address": "evil.example:1/../../x"},
        {"address": "user@evil.example:443"},
        {"address": "evil.example:99999"},
        {"authority": "00"},
        {"secret": "zz"},
        {"expires": "tomorrow"},
        {"expires": "2031-05-07T00:00:00"},
        {"more": "x"},
        {"code": 7},
    ],
)
def test_hostile_entries_are_refused(changes: dict[str, object]) -> None:
    """Path characters, terminal codes, wrong sizes, unknown entries; the control is read."""
    assert read_invitation(line_of(content_of()), NOW) == INVITATION
    with pytest.raises(OperatorError, match="not an invitation that this version understands"):
        read_invitation(line_of(content_of(**changes)), NOW)


def test_a_line_without_end_is_refused_at_once() -> None:
    """Megabytes are not parsed, and lists in lists do not end the process."""
    for line in (PREFIX + "A" * 10_000_000, line_of(content_of(code="x" * 5000))):
        with pytest.raises(OperatorError, match="one begins with"):
            read_invitation(line, NOW)
    deep = base64.urlsafe_b64encode(b"[" * 1400).decode()
    with pytest.raises(OperatorError, match="understands"):
        read_invitation(f"{PREFIX}{deep}.{hashlib.sha256(deep.encode()).hexdigest()[:8]}", NOW)


def test_one_cannot_be_made_that_could_not_be_read() -> None:
    with pytest.raises(PeerError, match="a time without a zone"):
        replace(INVITATION, expires=NOW.replace(tzinfo=None))
    east = replace(INVITATION, expires=INVITATION.expires.astimezone(timezone(timedelta(hours=8))))
    assert read_invitation(east.text(), NOW).expires == INVITATION.expires


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("localhost:1", ("localhost", 1)),
        ("c-1.example.cn:65535", ("c-1.example.cn", 65535)),
        ("127.0.0.1:8443", ("127.0.0.1", 8443)),
        ("[::1]:8443", ("::1", 8443)),
    ],
)
def test_addresses_are_host_and_port(text: str, parts: tuple[str, int]) -> None:
    assert host_and_port(text) == parts


@pytest.mark.parametrize(
    "text",
    [
        *("", "host", "host:", ":1", "host:0", "host:65536", "host: 1", "ho st:1", "host:1\n"),
        *("-h:1", "http://host:1", "host:1/", "a@b:1", "host:١", "h" * 300 + ":1", "[::1:1"),
        "host;rm:1",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """Whatever a URL, a shell or a log would take for more than host and port."""
    with pytest.raises(OperatorError, match="is not HOST:PORT"):
        host_and_port(text)
