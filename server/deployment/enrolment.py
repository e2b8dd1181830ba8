"""Where new members ask, and where members renew their certificates.

    GET  /v1/authority   the authority's certificate (PEM): who is invited knows its digest
    POST /v1/enrol       EnrolRequest → EnrolAnswer
    POST /v1/renew       RenewRequest → EnrolAnswer

Anybody may connect: who asks shows an invitation's proof or a member's signature in the request.
A process of its own (`main`), since it needs the authority's key; `serve_enrolment` in a test.

Invariants:
- Nothing is granted here that `admitted` and `renewed` do not grant.
- Who is refused `MOST_REFUSALS` times in `WINDOW` seconds waits: by address, so that a stranger who
  guesses does not lock out who is invited. Secrets have 256 bits; this keeps the noise down.
- A member is granted `RENEWALS_OF_A_DAY` renewals a day here, as many as at the gate. Only granted
  ones count: a stranger's requests under a member's code take nothing from that member.
- The log holds codes, addresses and our own sentences, never a message.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from server.consortium.admission import admitted
from server.consortium.folder import TRANSPORT, TRANSPORT_KEY, read_consortium
from server.consortium.renewal import renewed
from server.deployment.heartbeat import Heartbeat
from server.deployment.one_request import (
    SECONDS,
    OneRequestServer,
    Request,
    Response,
    refusal,
)
from server.deployment.seldom import DAY_SECONDS, RENEWALS_OF_A_DAY, Seldom
from server.keys import AUTHORITY, read_certificate
from shared.errors import OperatorError, PeerError
from shared.identity.address import host_and_port
from shared.identity.enrolment_messages import MOST_REQUEST, read_renewal
from shared.identity.pem import certificate_to_pem

AUTHORITY_PATH, ENROL_PATH, RENEW_PATH = "/v1/authority", "/v1/enrol", "/v1/renew"
MOST_REFUSALS, WINDOW = 10, 600.0
_MOST_ADDRESSES = 10_000
_LOOK_SECONDS = 0.2
_log = logging.getLogger("lianfang.server")


class Refusals:
    """Counts refusals by address. `clock`: seconds that only grow."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._times: OrderedDict[str, list[float]] = OrderedDict()

    def note(self, address: str) -> None:
        """One more."""
        self._times.setdefault(address, []).append(self._clock())
        self._times.move_to_end(address)
        while len(self._times) > _MOST_ADDRESSES:
            self._times.popitem(last=False)

    def full(self, address: str) -> bool:
        """Whether this address has to wait."""
        begins = self._clock() - WINDOW
        recent = [at for at in self._times.get(address, ()) if at > begins][-MOST_REFUSALS:]
        if recent:
            self._times[address] = recent
        else:
            self._times.pop(address, None)
        return len(recent) >= MOST_REFUSALS


def _now() -> datetime:
    return datetime.now(UTC)


class EnrolmentDesk:
    """Answers requests about the consortium in `folder`; `authority` is where its key lies, if not
    there.
    """

    def __init__(
        self,
        folder: Path,
        *,
        authority: Path | None = None,
        clock: Callable[[], datetime] = _now,
        random: Callable[[int], bytes] = os.urandom,
        refusals: Refusals | None = None,
    ) -> None:
        self._folder, self._authority = folder, authority
        self._clock, self._random = clock, random
        self._refusals = refusals or Refusals()
        self._renewals = Seldom(RENEWALS_OF_A_DAY, DAY_SECONDS)

    def handle(self, request: Request) -> Response:
        """The response to a request, whatever it is."""
        match request.method, request.path:
            case "GET", path if path == AUTHORITY_PATH:
                certificate = certificate_to_pem(read_certificate(self._folder / AUTHORITY))
                return Response(200, certificate, "application/x-pem-file")
            case "POST", path if path in (ENROL_PATH, RENEW_PATH):
                return self._granted(request, admitted if path == ENROL_PATH else renewed)
        return refusal(404, "there is nothing here")

    def _granted(self, request: Request, grant: Callable[..., bytes]) -> Response:
        if self._refusals.full(request.address):
            text = "too many requests of this address were refused"
            return refusal(429, text, f"ask again in {WINDOW / 60:.0f} minutes")
        try:
            renews = read_renewal(request.body).code if request.path == RENEW_PATH else ""
            if self._renewals.full(renews):
                self._refusals.note(request.address)
                _log.warning("%s: %s has renewed often enough today", request.path, renews)
                return refusal(429, "too many renewals in a day", "ask again tomorrow")
            answer = grant(
                self._folder,
                request.body,
                self._clock(),
                random=self._random,
                authority=self._authority,
            )
        except PeerError as error:
            self._refusals.note(request.address)
            _log.warning("%s: %s refused: %s", request.path, request.address, error.what)
            remedy = error.remedy or "ask the coordinator's operator for a new invitation"
            return refusal(403, error.what, remedy)
        except OperatorError as error:
            _log.error("%s: %s", request.path, error)
            return refusal(503, "the coordinator cannot certify now", _OFF_LINE)
        if renews:
            self._renewals.take(renews)
        _log.info("%s: granted to %s", request.path, request.address)
        return Response(200, answer)


_OFF_LINE = "ask its operator, or join by files: lianfang-client join INVITATION --offline FILE"


def serve_enrolment(
    folder: Path,
    listen: str | None = None,
    *,
    desk: EnrolmentDesk | None = None,
    seconds: float = SECONDS,
) -> OneRequestServer:
    """Answer at `listen` ("host:port"), or where consortium.toml says, until `stop`.

    Raises OperatorError when the folder or the address cannot be used.
    """
    address = listening_at(listen or read_consortium(folder).enrol)
    handler = desk or EnrolmentDesk(folder)
    return OneRequestServer(
        address,
        folder / TRANSPORT,
        folder / TRANSPORT_KEY,
        handler.handle,
        most_body=MOST_REQUEST,
        seconds=seconds,
    )


def listening_at(address: str) -> tuple[str, int]:
    """Where to listen for a public address: there if it is a number or localhost, and on all of
    this machine's addresses if it is a name, which may be another machine's in front. Port 0, for
    tests, is any that is free.
    """
    if address.endswith(":0"):
        return address.removesuffix(":0").strip("[]"), 0
    host, port = host_and_port(address)
    is_number = ":" in host or host.replace(".", "").isdigit() or host == "localhost"
    return host if is_number else "", port


def main(folder: Path) -> int:
    """Serve until told to stop: SIGTERM or Ctrl-C."""
    told_to = deque[int]()
    for number in (signal.SIGINT, signal.SIGTERM):  # takes no lock: a second one may come meanwhile
        signal.signal(number, lambda number, frame: told_to.append(number))
    service, heart = serve_enrolment(folder), Heartbeat(folder, "enrolment")
    try:
        while not told_to:
            if heart.due and service.answering():
                heart.beat()
            time.sleep(_LOOK_SECONDS)
    finally:
        service.stop()
    return 0
