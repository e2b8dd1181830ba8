"""Other members' proposals as the registry shows them: believed only as their members signed them.

Invariants:
- A proposal is for the registry that was asked, and its signature fits its certificate and the
  code it names. What a registry makes up, or changes, is an error and never shown.
- A certificate that ended after it signed stops nobody: the registry took the event before.
"""

from __future__ import annotations

from datetime import datetime

from cryptography import x509

from shared.blacklist.events import Event, check_signer
from shared.blacklist.waiting import WaitingEntry, WaitingProposal
from shared.errors import PeerError


def check_waiting(
    waiting: WaitingEntry | WaitingProposal, registry: str, authority: bytes, now: datetime
) -> None:
    """PeerError unless a proposal is signed, under `authority` (DER), by the member it names and
    for this registry. An entry is signed by nobody it names: its digest says what is shown.
    """
    if isinstance(waiting, WaitingEntry):
        return
    event = waiting.proposal
    if event.registry != registry:
        raise PeerError("the registry shows a proposal made for another registry")
    try:
        check_signer(event, authority, now)
    except PeerError as error:
        ended = _ended(event, now)
        if ended is None:
            raise PeerError(
                f"the registry shows a proposal that its member did not sign: {error.what}",
                remedy="consent to nothing; ask the registry's operator and the member it names",
            ) from error
        check_signer(event, authority, ended)


def _ended(event: Event, now: datetime) -> datetime | None:
    """When the certificate ended, if it has."""
    try:
        last = x509.load_der_x509_certificate(event.certificate).not_valid_after_utc
    except ValueError:
        return None
    return last if last < now else None
