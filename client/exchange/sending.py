"""A lender's events on their way to whoever takes them: kept, sent, answered.

    submit   keep on disk ► send (again and again, the same bytes) ► keep the receipt

Invariants:
- Nothing is lost and nothing is filed twice: events are kept before they are sent, and sent until
  they are answered, under one name.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, TypeVar

from client.exchange.answered import STEP_BYTES, Named, group_of, settled_by
from client.exchange.progress import Progress, no_progress
from client.exchange.reaching import reached
from client.exchange.submissions import Settled, Submissions
from shared.blacklist.events import Event, read_event
from shared.blacklist.receipt import Receipt
from shared.errors import PeerError
from shared.identity.certificate import Role, read_member
from shared.secure_sum.encoding import read_text
from shared.wire import registry_pb2 as wire
from shared.wire.padding import fill_in_steps

T = TypeVar("T")
PATIENCE = 60.0


class Sender:
    """Over the `stub` of a service that has `Submit`, which `registry` (a code) serves: the list's
    registry, or another service in the role `role`. `authority`: DER; `clock`: the time with a
    zone; `sleep` waits that many seconds between attempts; `who` it is, in errors; `read`: an event
    of its text, as sent.
    """

    def __init__(
        self,
        stub: Any,
        registry: str,
        authority: bytes,
        submissions: Submissions,
        *,
        clock: Callable[[], datetime],
        sleep: Callable[[float], None] = time.sleep,
        attempts: int = 6,
        role: Role = "registry",
        who: str = "the registry",
        read: Callable[[bytes], Event] = read_event,
    ) -> None:
        self._stub, self._who = stub, who
        self._registry, self._authority = registry, authority
        self._submissions, self._role, self._read = submissions, role, read
        self._clock, self._sleep, self._attempts = clock, sleep, attempts

    def keep(self, events: Sequence[Event]) -> None:
        """On disk, to be sent with what is pending."""
        self._submissions.keep(events)

    def not_refused(self) -> Iterator[bytes]:
        """Texts of what was kept so far, in order, without what was refused."""
        return self._submissions.not_refused()

    def submit(self, events: Sequence[Event], progress: Progress = no_progress) -> list[Settled]:
        """Keep and send; the answers in order. OperatorError when the registry cannot be reached:
        the events are kept, and `send_pending` goes on with them.
        """
        self._submissions.keep(events)
        self.send_pending(progress)
        answers = [self._submissions.answer(event.event_id) for event in events]
        return [answer for answer in answers if answer is not None]

    def send_pending(self, progress: Progress = no_progress) -> int:
        """Send what is not answered yet, in order; how many events were answered."""
        return len(self.settle_pending(progress))

    def settle_pending(self, progress: Progress = no_progress) -> list[Settled]:
        """The same; how each was answered, also those that were refused."""
        pending: list[Named] = list(self._submissions.pending())
        settled: list[Settled] = []
        told = progress(len(pending))
        while len(settled) < len(pending):
            group = group_of(pending[len(settled) :])
            answers = self._send(group)
            self._submissions.settle(answers)
            settled += answers
            told(len(group))
        return settled

    def _send(self, group: Sequence[Named]) -> list[Settled]:
        request = wire.SubmitRequest(events=[text for _, text in group])
        fill_in_steps(request, STEP_BYTES)
        reply = self._call(lambda: self._stub.Submit(request, timeout=PATIENCE))
        registry = read_member(reply.certificate, self._authority, self._clock())
        if (registry.code, registry.role) != (self._registry, self._role):
            raise PeerError(f"the answer is not signed by the {self._role} that was asked")
        text = self._submissions.receipt_before(group[0][0])
        last = None if text is None else read_text(Receipt, text)
        return settled_by(reply, group, registry, last, self._read)

    def _call(self, call: Callable[[], T]) -> T:
        """Try again while the service or the way to it is down."""
        return reached(call, self._attempts, self._sleep, self._who)
