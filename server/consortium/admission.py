"""A request of somebody invited becomes a member, however it arrived.

Invariants:
- The invitation is marked as used, durably, before anything is certified: two sets of keys never
  get certificates for one invitation, whatever is interrupted or asked at the same time.
- The same request again gets an answer again until a day after the invitation's end, so that a lost
  answer costs nothing; later, keys that may have been stolen meanwhile get no certificates. Another
  request never gets one.
- Who holds no invitation learns nothing about which codes are invited.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509

from server.authority import Authority, issue, issue_transport
from server.consortium.folder import (
    authority_of,
    bundles_of,
    consortium_text,
    locked,
    read_consortium,
)
from server.consortium.invitations import Given, read_invitations, write_invitations
from server.consortium.members import MemberEntry, add_member, note_end
from server.keys import read_identity
from shared.errors import PeerError
from shared.identity.certificate import public_of
from shared.identity.enrolment import certificate_of, check_request, signed_answer
from shared.identity.enrolment_messages import (
    EnrolAnswer,
    EnrolRequest,
    RenewRequest,
    read_request,
)
from shared.identity.pem import certificate_to_pem

UNKNOWN = "there is no open invitation for this request"
_NOBODY = Given(public_of(bytes(range(32))).hex(), "2000-01-01T00:00:00+00:00", 1)
"""Checked against where there is no invitation, so that both cases take the same time."""
_ANOTHER = (
    "ask the coordinator's operator for an invitation under another code, and tell them if it was "
    "not you who used this one: a code that was used is given once and for ever"
)
_AGAIN = timedelta(days=1)
"""How long after its end an invitation that was used is answered again."""
Random = Callable[[int], bytes]


def admitted(
    folder: Path,
    content: bytes,
    now: datetime,
    *,
    random: Random = os.urandom,
    authority: Path | None = None,
) -> bytes:
    """The answer to a request, both as they travel; `authority` is where its key lies, if not in
    `folder`.

    Raises PeerError when the request is not to be granted, OperatorError when this side cannot.
    """
    held = authority_of(folder, authority, now)
    request = read_request(content)
    with locked(folder):
        given = read_invitations(folder)
        found = _checked(request, given.get(request.code), held, now)
        if not found.used:
            given[request.code] = replace(found, used=request.name().hex())
            write_invitations(folder, given)
        members = add_member(
            folder,
            request.code,
            public=bytes.fromhex(request.public),
            node=request.node,
            now=now,
        )
    public = bytes.fromhex(request.public)
    answer = answer_to(
        folder, request, held, public, days=found.days, members=members, now=now, random=random
    )
    note_end(folder, request.code, end_of(answer))
    return answer.content()


def answer_to(
    folder: Path,
    request: EnrolRequest | RenewRequest,
    held: Authority,
    public: bytes,
    *,
    days: int,
    members: Mapping[str, MemberEntry],
    now: datetime,
    random: Random,
) -> EnrolAnswer:
    """Certificates over these keys, with all that a member needs beside them, signed."""
    identity, _ = read_identity(folder, now)
    code, transport = request.code, request.transport.encode()
    days = _within(held, days, now)
    bare = EnrolAnswer(
        request=request.name().hex(),
        certificate=_pem(issue(held, code, "lender", public, days=days, now=now, random=random)),
        transport=_pem(
            issue_transport(held, code, "lender", transport, days=days, now=now, random=random)
        ),
        authority=_pem(held.certificate),
        coordinator="",
        consortium=consortium_text(folder).decode("utf-8"),
        gate=read_consortium(folder).gate,
        bundles=bundles_of(folder),
        members={other: one.public.hex() for other, one in members.items()},
    )
    return signed_answer(bare, identity)


def end_of(answer: EnrolAnswer) -> datetime:
    """When the first of the answer's two certificates ends."""
    both = (certificate_of(text) for text in (answer.certificate, answer.transport))
    return min(x509.load_der_x509_certificate(one).not_valid_after_utc for one in both)


def _checked(request: EnrolRequest, given: Given | None, held: Authority, now: datetime) -> Given:
    found = given or _NOBODY
    try:
        check_request(request, bytes.fromhex(found.verifier), held.certificate)
    except PeerError as error:
        # What is wrong with the keys is told; whether there is such an invitation is not.
        told = "invitation" not in error.what
        raise PeerError(error.what if told else UNKNOWN) from error
    if given is None:
        raise PeerError(UNKNOWN)
    if found.used:
        if found.used != request.name().hex():
            raise PeerError("this invitation was used before, with other keys", remedy=_ANOTHER)
        if found.expired(now - _AGAIN):
            late = "this invitation was used, and it is too late to be answered again"
            raise PeerError(late, remedy=_ANOTHER)
        return found
    if found.expired(now):
        raise PeerError(f"this invitation is expired since {found.expires}")
    return found


def _within(held: Authority, days: int, now: datetime) -> int:
    """At most as long as the authority itself lasts; in its last day as asked, which is refused."""
    left = (x509.load_der_x509_certificate(held.certificate).not_valid_after_utc - now).days
    return min(days, left) if left > 0 else days


def _pem(certificate: bytes) -> str:
    return certificate_to_pem(certificate).decode()
