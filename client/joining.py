"""Joining a consortium: keys are made here, a request goes out, certificates come back.

    own/joining.json     what was begun: whose invitation, the request, the table; no secret
    own/identity.key     Ed25519      own/transport.key   P-256      own/node.key   P-384
    consortium.toml authority.crt certificate.crt transport.crt members.json bundles.json
    client.toml          last of all: with it the folder has joined

Invariants:
- Private keys are made in this folder, owner-readable, and nothing here sends one.
- Interrupted anywhere, the same command goes on: the same keys, the same request. A folder has
  joined or not, since `client.toml` comes last.
- No file that something else wrote is written over.
- Nothing of an answer is written before all of it was checked against the invitation's authority.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from client.credentials import private_text
from client.files import keep_private, write_durably
from client.https import pinned_authority, request
from shared.errors import OperatorError, PeerError
from shared.identity.certificate import public_of
from shared.identity.enrolment import certificate_of, check_answer, enrol_request
from shared.identity.enrolment_messages import (
    MOST_ANSWER,
    EnrolAnswer,
    EnrolRequest,
    read_answer,
    read_request,
)
from shared.identity.invitation import Invitation, read_invitation
from shared.identity.node_key import new_node_key, node_public_of
from shared.identity.pem import certificate_to_pem, private_from_pem, private_to_pem
from shared.identity.transport import new_transport_key, transport_public_of
from shared.training.consortium import FILE as CONSORTIUM
from shared.training.consortium import Consortium, parse_consortium

SETTINGS = "client.toml"
BEGUN = "own/joining.json"
IDENTITY_KEY, TRANSPORT_KEY, NODE_KEY = "own/identity.key", "own/transport.key", "own/node.key"
AUTHORITY, CERTIFICATE, TRANSPORT = "authority.crt", "certificate.crt", "transport.crt"
MEMBERS, BUNDLES = "members.json", "bundles.json"
TABLE = "table.parquet"
ENROL_PATH = "/v1/enrol"
_ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)
Random = Callable[[int], bytes]


@dataclass(frozen=True)
class Joined:
    """What a folder has joined. `public`: raw identity key; `members`: code → raw keys."""

    code: str
    consortium: Consortium
    public: bytes
    members: dict[str, bytes]
    bundles: tuple[str, ...]


def begin(
    folder: Path, line: str, *, now: datetime, table: str = "", random: Random = os.urandom
) -> tuple[Invitation, EnrolRequest]:
    """The request of whoever holds the invitation in `line`, with keys made in `folder` now or by
    an earlier call. `table`: what stands in client.toml later.

    Raises OperatorError: no invitation, expired, or the folder is something else's.
    """
    invitation = read_invitation(line, _ALWAYS)
    _check_unused(folder)
    if not table.isprintable():
        raise OperatorError("the table's name holds characters that do not print", remedy="mend it")
    begun = _begun(folder)
    if begun is None:
        invitation = read_invitation(line, now)  # one that was begun in time may end late
        _check_no_keys(folder)
    else:
        _check_same(folder, begun, invitation)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        keep_private(folder / "own")
        about = {
            "code": invitation.code,
            "consortium": invitation.consortium,
            "authority": invitation.authority.hex(),
            "table": table or (begun or {}).get("table") or TABLE,
        }
        _put(folder / BEGUN, json.dumps(about).encode())
        keys = _keys(folder, random)
        asked = enrol_request(invitation, *keys)
        _put(folder / BEGUN, json.dumps(about | {"request": asked.content().decode()}).encode())
    except OSError as error:
        raise _unwritable(folder, error) from error
    return invitation, asked


def join(
    folder: Path, line: str, *, now: datetime, table: str = "", random: Random = os.urandom
) -> Joined:
    """Join over the network. Raises as `begin` and `finish`, and UnreachableError; given again it
    goes on where it was.
    """
    invitation, asked = begin(folder, line, now=now, table=table, random=random)
    authority = pinned_authority(invitation.address, invitation.authority)
    reply = request(invitation.address, authority, "POST", ENROL_PATH, asked.content(), now=now)
    return finish(folder, reply.content(), now=now)


def finish(folder: Path, content: bytes, *, now: datetime) -> Joined:
    """Take the coordinator's answer, however it came, and write the folder. Raises PeerError when
    it is not the answer to what was asked here, OperatorError.
    """
    _check_unused(folder)
    begun = _begun(folder)
    if begun is None or "request" not in begun:
        raise OperatorError(
            f"{folder}: nothing was asked from here that this could answer",
            remedy="give the answer in the folder in which the request was made",
        )
    asked = read_request(begun["request"].encode())
    answer = _answer(content)
    public = public_of(private_from_pem(private_text(folder / IDENTITY_KEY)))
    pinned = bytes.fromhex(begun["authority"])
    check_answer(answer, asked, pinned=pinned, public=public, now=now)
    consortium = _consortium(answer, begun["consortium"])
    try:
        _write(folder, answer, consortium, asked.code, begun["table"])
    except OSError as error:
        raise _unwritable(folder, error) from error
    members = {code: bytes.fromhex(key) for code, key in sorted(answer.members.items())}
    return Joined(asked.code, consortium, public, members, answer.bundles)


def _answer(content: bytes) -> EnrolAnswer:
    try:
        return read_answer(content)
    except PeerError as error:
        _check_no_request(content)
        raise PeerError(
            error.what,
            remedy="name the file that lianfang-server admit wrote, copied whole; nothing was "
            "written here",
        ) from error


def _check_no_request(content: bytes) -> None:
    try:
        read_request(content)
    except PeerError:
        return
    raise OperatorError(
        "this is a request, not the coordinator's answer to one",
        remedy="hand it to the coordinator's operator (lianfang-server admit), and join with the "
        "file that comes back",
    )


def read_answer_file(path: Path) -> bytes:
    """An answer that came as a file; OperatorError."""
    try:
        with path.open("rb") as file:
            return file.read(MOST_ANSWER + 1)
    except OSError as error:
        raise OperatorError(
            f"{path} cannot be read: {error.strerror}", remedy="name the file that was handed over"
        ) from error


def settings_text(code: str, consortium: Consortium, table: str) -> str:
    """The text of client.toml."""
    quoted = json.dumps
    lines = [
        "[lender]",
        f"member = {quoted(code)}",
        f"table = {quoted(table, ensure_ascii=False)}",
        f"terms = {quoted(CONSORTIUM)}",
        f"authority = {quoted(AUTHORITY)}",
        f"certificate = {quoted(CERTIFICATE)}",
        f"key = {quoted(IDENTITY_KEY)}",
    ]
    if consortium.profile == "production":
        lines.append(f"members = {quoted(MEMBERS)}")
    else:
        lines += [
            "# demo: whom the authority certifies is believed. With the next line, only whom you",
            f"# have compared: lianfang-client members\n# members = {quoted(MEMBERS)}",
        ]
    lines += ["", "[node]", f"gate = {quoted(consortium.gate)}"]
    return "\n".join([*lines, f"enrol = {quoted(consortium.enrol)}", ""])


def _write(
    folder: Path, answer: EnrolAnswer, consortium: Consortium, code: str, table: str
) -> None:
    def pem(text: str) -> bytes:
        return certificate_to_pem(certificate_of(text))  # what was checked, and nothing beside it

    def listed(content: object) -> bytes:
        return json.dumps(content, indent=1).encode()

    _put(folder / CONSORTIUM, answer.consortium.encode())
    _put(folder / AUTHORITY, pem(answer.authority))
    _put(folder / CERTIFICATE, pem(answer.certificate))
    _put(folder / TRANSPORT, pem(answer.transport))
    _put(folder / MEMBERS, listed(dict(sorted(answer.members.items()))))
    _put(folder / BUNDLES, listed(list(answer.bundles)))
    _put(folder / SETTINGS, settings_text(code, consortium, table).encode())
    (folder / BEGUN).unlink(missing_ok=True)


def _consortium(answer: EnrolAnswer, name: str) -> Consortium:
    try:
        found = parse_consortium(answer.consortium.encode())
    except OperatorError as error:
        raise PeerError(
            f"the coordinator's {error.what}",
            remedy="tell its operator; nothing was written here",
        ) from error
    if found.name != name:
        raise PeerError("the coordinator's consortium.toml is another consortium's")
    if found.gate != answer.gate:
        raise PeerError("the coordinator names two addresses for its gate")
    return found


def _keys(folder: Path, random: Random) -> tuple[bytes, bytes, bytes]:
    """The raw identity key, and the public halves (PEM) of the others, made where missing."""
    makers: dict[str, Callable[[], bytes]] = {
        IDENTITY_KEY: lambda: private_to_pem(random(32)),
        TRANSPORT_KEY: lambda: new_transport_key(random),
        NODE_KEY: lambda: new_node_key(random),
    }
    for name, make in makers.items():
        if not (folder / name).exists():
            _put(folder / name, make())
    texts = [private_text(folder / name) for name in makers]
    return private_from_pem(texts[0]), transport_public_of(texts[1]), node_public_of(texts[2])


def _begun(folder: Path) -> dict[str, Any] | None:
    path = folder / BEGUN
    try:
        found = json.loads(path.read_bytes())
        if not isinstance(found, dict) or not {"code", "authority", "consortium"} <= found.keys():
            raise ValueError("entries")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise OperatorError(
            f"{path} cannot be read", remedy="mend its mode, or join in a new folder"
        ) from error
    return found


def _check_unused(folder: Path) -> None:
    if (folder / SETTINGS).exists():
        raise OperatorError(
            f"{folder / SETTINGS} is there: this folder has joined already",
            remedy="see whether all is well: lianfang-client doctor; renew certificates that end: "
            "lianfang-client renew; to join another consortium name another --folder",
        )


def _check_no_keys(folder: Path) -> None:
    there = [CONSORTIUM, AUTHORITY, CERTIFICATE, TRANSPORT, MEMBERS, BUNDLES]
    for name in (IDENTITY_KEY, TRANSPORT_KEY, NODE_KEY, *there):
        if (folder / name).exists():
            raise OperatorError(
                f"{folder / name} is there and belongs to something else; nothing was written",
                remedy="name another --folder",
            )


def _check_same(folder: Path, begun: dict[str, Any], invitation: Invitation) -> None:
    if (begun["code"], begun["authority"]) != (invitation.code, invitation.authority.hex()):
        raise OperatorError(
            f"{folder}: joining was begun here with the invitation of {begun['code']!s:.64}",
            remedy="go on with that invitation, or name another --folder; if it was refused for "
            f"good, remove {folder / 'own'}, whose keys were never certified, and join anew",
        )


def _put(path: Path, content: bytes) -> None:
    write_durably(path, content)


def _unwritable(folder: Path, error: OSError) -> OperatorError:
    return OperatorError(
        f"{error.filename or folder} cannot be written: {error.strerror or type(error).__name__}",
        remedy="free space or mend the folder's permissions, then give the same command again",
    )
