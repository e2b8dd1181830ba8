"""A lender's end of the case desk: what it says is checked here, whatever way it came.

Invariants:
- Only statements that the desk signed, and content and ids with the digests it signed, are handed
  on.
- What is received is bounded before it is put together.
- Before a message leaves, the outbox has a line about it (`about_rings`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import chain
from typing import Any, TypeVar, get_args

import grpc
import numpy as np

from client.exchange.parties import Progress, no_progress
from client.exchange.reaching import reached
from client.rings.parties import LateError, Shared, Standing
from shared.cases.bulletin import Head, read_head
from shared.cases.case import MOST_CASES, Case, check_desk, read_case
from shared.cases.case_tokens import TOKEN_BYTES
from shared.cases.pages import REQUEST_BYTES, Stage, check_receipt, count_room
from shared.cases.said import read_shared, read_standing
from shared.errors import PeerError
from shared.secure_sum.history import RecordKind
from shared.wire import cases_pb2 as wire
from shared.wire.cases_pb2_grpc import CaseDeskStub
from shared.wire.padding import fill

T = TypeVar("T")
WHO = "the case desk"
PATIENCE = 120.0
_MOST_HEAD_BYTES = 16 << 10


class CaseDeskClient:
    """Over a channel to the desk with the code `desk`, as the lender `member`. `authority`: DER;
    `clock`: the time with a zone; `sleep` waits that many seconds between attempts.
    """

    def __init__(
        self,
        channel: grpc.Channel,
        desk: str,
        authority: bytes,
        member: str,
        *,
        clock: Callable[[], datetime],
        sleep: Callable[[float], None] = time.sleep,
        attempts: int = 4,
    ) -> None:
        self._stub: Any = CaseDeskStub(channel)  # type: ignore[no-untyped-call]
        self._desk, self._authority, self._clock = desk, authority, clock
        self._sleep, self._attempts, self._member = sleep, attempts, member

    def cases(self) -> list[Standing]:
        """All cases, each signed by the desk."""
        reply = self._call(lambda: self._stub.Cases(wire.CasesRequest(), timeout=PATIENCE))
        if len(reply.cases) > MOST_CASES:
            raise PeerError("the case desk names more cases than any has")
        return [self._standing(one) for one in reply.cases]

    def submit(self, standing: Standing, stage: Stage, text: bytes, page: bytes) -> bytes:
        """As `TheCaseDesk.submit`."""
        request = wire.PageRequest(case=standing.signed.case.id, stage=stage, page=text)
        fill(request, REQUEST_BYTES)

        def sent() -> Any:
            try:
                return self._stub.Submit(request, timeout=PATIENCE)
            except grpc.RpcError as error:
                if _code(error) is grpc.StatusCode.FAILED_PRECONDITION:
                    raise LateError(
                        "the case desk has closed that week",
                        remedy="give the command again: what was not taken goes with the next week",
                    ) from error
                raise

        reply = self._call(sent)
        receipt: bytes = reply.receipt
        check_receipt(receipt, self._desk, reply.certificate, self._authority, page, self._clock())
        return receipt

    def told(self, case: Case, week: int) -> Shared:
        """As `TheCaseDesk.told`; signed by the desk, for this lender and this week."""
        request = wire.ToldRequest(case=case.id)

        def asked() -> tuple[bytes, bytes]:
            chunks = self._stub.Told(request, timeout=PATIENCE)
            first = next(chunks, wire.ToldChunk())
            ids = (one.ids for one in chain([first], chunks))
            return first.said, _joined(ids, count_room(case) * (week + 1) * TOKEN_BYTES)

        text, packed = self._call(asked)
        if len(packed) % TOKEN_BYTES:
            raise PeerError("the case desk told degree ids of another size")
        now, authority = self._clock(), self._authority
        said = read_shared(text, packed, case, week, self._member, self._desk, authority, now)
        return Shared(said, np.frombuffer(packed, np.uint8).reshape(-1, TOKEN_BYTES))

    def heads(self, case: Case, since: int) -> list[Head]:
        """As `TheCaseDesk.heads`; each signed by the desk, of this case."""
        request = wire.HeadsRequest(case=case.id, since=since)

        def asked() -> list[Head]:
            found: list[Head] = []
            for one in self._stub.Heads(request, timeout=PATIENCE):
                if len(found) == case.weeks:
                    raise PeerError("the case desk shows more bulletins than any case has")
                found.append(self._head(one.head, case, now))
            return found

        now = self._clock()
        heads = self._call(asked)
        if heads:
            last = heads[-1]
            check_desk(last.certificate, last.desk, self._desk, self._authority, now)
        return heads

    def content(self, case: Case, head: Head, progress: Progress = no_progress) -> bytes:
        """As `TheCaseDesk.content`; checked by who reads it (`read_content`)."""
        request = wire.ContentRequest(case=case.id, version=head.version)
        return self._call(
            lambda: _joined(
                (one.content for one in self._stub.Content(request, timeout=5 * PATIENCE)),
                head.size,
                progress(head.size),
            )
        )

    def _head(self, text: bytes, case: Case, now: datetime) -> Head:
        """Judged as it comes: what is refused is not kept."""
        if len(text) > _MOST_HEAD_BYTES:
            raise PeerError("a bulletin's head is larger than any")
        head = read_head(text, self._desk, self._authority, now)
        if head.case != case.digest:
            raise PeerError("the case desk shows a bulletin of another case")
        if head.week >= case.weeks:
            raise PeerError("the case desk shows a bulletin of a week that its case does not have")
        return head

    def _standing(self, one: wire.CaseStanding) -> Standing:
        signed = read_case(one.case, self._desk, self._authority)
        if len(one.standing) > _MOST_HEAD_BYTES:
            raise PeerError("the case desk's word is larger than any")
        said = read_standing(one.standing, signed.case, self._desk, self._authority, self._clock())
        stage = next((stage for stage in get_args(Stage) if stage == said.stage), None)
        over: Any = said.stage if said.stage in ("over", "closed") else ""
        return Standing(signed, said.week, stage, said.bulletin, said.closes, over)

    def _call(self, call: Callable[[], T]) -> T:
        return reached(call, self._attempts, self._sleep, WHO)


def _joined(
    chunks: Iterable[bytes], most: int, told: Callable[[int], None] = lambda _: None
) -> bytes:
    """Chunks as one; PeerError when they are more than `most` bytes."""
    content = bytearray()
    for chunk in chunks:
        content += chunk
        if len(content) > most:
            raise PeerError("the case desk sent more than it may")
        told(len(chunk))
    return bytes(content)


def _code(error: grpc.RpcError) -> grpc.StatusCode | None:
    return error.code() if isinstance(error, grpc.Call) else None


def about_rings(request: Any) -> tuple[RecordKind, str]:
    """What a call to the case desk is for, as its line in the outbox says it."""
    purpose = _ASKED.get(type(request).__name__, type(request).__name__)
    if isinstance(request, wire.PageRequest):
        return "events", _SENT.get(request.stage, purpose)
    return "request", purpose


_SENT = {
    "count": "rings: a signed page of pairs to be counted, filled up with drawn ones",
    "edges": "rings: a signed page of edges under case tokens, filled up with drawn ones",
}
_ASKED = {
    "CasesRequest": "rings: which cases are there?",
    "ToldRequest": "rings: which of this lender's attributes are shared?",
    "HeadsRequest": "rings: which bulletins are new?",
    "ContentRequest": "rings: the whole bulletin, please",
}
