"""New certificates before the old ones end, over the same identity keys.

Invariants:
- Whoever asks holds the identity key that members.json has under the code, and is not revoked. The
  identity key never changes: others have pinned it.
- The certificate in use stays good until it ends, so nothing that is under way is disturbed.
- An old request is worth nothing (`granted.py`): what was granted is kept, durably, before it is
  given.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from server.authority import issue, issue_transport
from server.consortium.admission import answer_to, end_of
from server.consortium.folder import (
    COORDINATOR,
    TRANSPORT,
    TRANSPORT_KEY,
    authority_of,
    locked,
    unwritable,
)
from server.consortium.granted import (
    Granted,
    check_in_use,
    good,
    granted,
    read_granted,
    write_granted,
)
from server.consortium.invitations import DAYS, read_invitations
from server.consortium.members import in_force, note_end
from server.files import write_durably
from server.keys import COORDINATOR_KEY, private_text, read_identity, read_private
from shared.errors import OperatorError, PeerError
from shared.identity.certificate import public_of
from shared.identity.enrolment import check_renewal, signed_answer
from shared.identity.enrolment_messages import EnrolAnswer, RenewRequest, read_renewal
from shared.identity.pem import certificate_to_pem
from shared.identity.transport import new_transport_key, transport_public_of

Random = Callable[[int], bytes]


def renewed(
    folder: Path,
    content: bytes,
    now: datetime,
    *,
    random: Random = os.urandom,
    authority: Path | None = None,
) -> bytes:
    """The answer to a member's request for renewal, both as they travel. PeerError when it is not
    to be granted, OperatorError when this side cannot.
    """
    held = authority_of(folder, authority, now)
    request = read_renewal(content)
    members = in_force(folder)
    member = members.get(request.code)
    if member is None:
        raise PeerError("only members in force renew their certificates")
    check_renewal(request, member.public, held.certificate)
    given = read_invitations(folder).get(request.code)
    days = DAYS if given is None else given.days
    with locked(folder):
        last = read_granted(folder, request.code)
        check_in_use(last, request)
        answer = answer_to(
            folder, request, held, member.public, days=days, members=members, now=now, random=random
        )
        answer = _kept(folder, request, last, answer, now)
    with suppress(OperatorError):  # it is for the operator's eyes only
        note_end(folder, request.code, end_of(answer))
    return answer.content()


def _kept(
    folder: Path, request: RenewRequest, last: Granted | None, answer: EnrolAnswer, now: datetime
) -> EnrolAnswer:
    """The answer, kept; with the certificates of the last one where it is the same request."""
    asked = request.name().hex()
    same = last if last is not None and last.asked == asked else None
    if same is not None and good(same, now):
        identity, _ = read_identity(folder, now)
        given = replace(answer, certificate=same.certificate, transport=same.transport)
        return signed_answer(given, identity)
    write_granted(folder, request.code, granted(asked, answer, same.issued if same else ()))
    return answer


def renew_own(
    folder: Path,
    code: str,
    *,
    days: int,
    now: datetime,
    random: Random,
    new_key: bool = False,
    authority: Path | None = None,
) -> None:
    """New certificates for the coordinator `code` itself: the same identity key, and with `new_key`
    another transport key. Raises OperatorError; each file is the old one or the new one.
    """
    held = authority_of(folder, authority, now)
    public = public_of(read_private(folder / COORDINATOR_KEY))
    key = new_transport_key(random) if new_key else private_text(folder / TRANSPORT_KEY)
    about = {"days": days, "now": now, "random": random}
    identity = issue(held, code, "coordinator", public, **about)  # type: ignore[arg-type]
    transport = issue_transport(
        held,
        code,
        "coordinator",
        transport_public_of(key),
        **about,  # type: ignore[arg-type]
    )
    try:
        write_durably(folder / COORDINATOR, certificate_to_pem(identity))
        if new_key:
            write_durably(folder / TRANSPORT_KEY, key)
        write_durably(folder / TRANSPORT, certificate_to_pem(transport))
    except OSError as error:
        raise unwritable(folder, error) from error
