"""The registry's answers to submitted events: which of them are settled, and how.

Invariants:
- A receipt settles an event only if the registry that was asked signed it, for this very event, at
  a place in one log after the receipt before.
- What it says in a refusal is kept short and printable: it is shown on terminals.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from client.exchange.submissions import Settled
from shared.blacklist.events import Event, event_digest, read_event
from shared.blacklist.receipt import Receipt, check_later, read_receipt
from shared.errors import PeerError
from shared.identity.certificate import Member
from shared.wire import registry_pb2 as wire

MOST_EVENTS = 64
STEP_BYTES = 16_384
"""A submission has 1, 2, 4 … times this many bytes."""
MOST_STEPS = 16
_MOST_LETTERS = 500
Named = tuple[bytes, bytes]
"""An event's name and its text."""


def group_of(pending: Sequence[Named]) -> list[Named]:
    """As many as one submission takes, in order."""
    group: list[Named] = []
    size = 0
    for event_id, text in pending[:MOST_EVENTS]:
        size += len(text) + 8
        if group and size > MOST_STEPS * STEP_BYTES - 64:
            break
        group.append((event_id, text))
    return group


def settled_by(
    reply: wire.SubmitReply,
    group: Sequence[Named],
    registry: Member,
    last: Receipt | None,
    read: Callable[[bytes], Event] = read_event,
) -> list[Settled]:
    """How each of the group was answered; `last`: the receipt before; `read`: an event of its text.
    PeerError for a receipt that is for something else, and then nothing is settled.
    """
    if len(reply.answers) != len(group):
        raise PeerError("the registry answered another number of events than were sent")
    settled = []
    for (event_id, text), answer in zip(group, reply.answers, strict=True):
        if answer.receipt:
            digest = event_digest(read(text))
            receipt = read_receipt(answer.receipt, registry.code, registry.public, event_id, digest)
            check_later(last, receipt)
            last = receipt
            settled.append(Settled(event_id, answer.receipt, None))
        else:
            refusal = _brief(f"{answer.refusal.reason}: {answer.refusal.what}")
            settled.append(Settled(event_id, None, refusal, _brief(answer.refusal.remedy)))
    return settled


def _brief(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text[:_MOST_LETTERS])
