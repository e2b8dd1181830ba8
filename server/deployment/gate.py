"""The gate: the one door that lenders have, HTTPS with certificates on both sides.

    POST /v1/fleet/…        what a node needs (`admission.py`), passed to the SuperLink
    GET  /lianfang/…        agreements of open runs, bundles, members, who is revoked; whether the
                            SuperLink is up
    POST /lianfang/renew    new certificates for whoever asks under its own old one

Invariants:
- TLS 1.3; a connection without a certificate of the consortium's authority ends in the handshake,
  which is bounded itself (`entrance.py`).
- Nothing is answered before `admission` has judged the request's own certificate, at each request.
- Sizes and times are bounded: of heads, of each call's body, of all bytes of one member that are
  under way, its answers' too, of what it uploads for one question (`bodies.py`, `uploads.py`), of
  how long a request may take to arrive and an answer to be taken, and of how many connections one
  member holds (`member_protocol.py`). Whoever dribbles stops nobody else.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from server.actor import TRANSPORT, TRANSPORT_KEY
from server.deployment.admission import CALLS, NODE_KEY, Admission
from server.deployment.bodies import (
    CONFIRM,
    FLEET,
    PULL,
    PUSH,
    RENEW,
    UPLOAD,
    announced,
    most_of,
    promised,
    uploaded,
)
from server.deployment.enrolment import listening_at
from server.deployment.entrance import EntranceServer
from server.deployment.forwarding import Forwarding, passed_of
from server.deployment.gate_counts import GateCounts
from server.deployment.handed_questions import HandedQuestions
from server.deployment.heartbeat import Heartbeat
from server.deployment.held_answer import HeldAnswer
from server.deployment.loopback import Loopback
from server.deployment.member_protocol import CERTIFICATE, MemberProtocol
from server.deployment.node_keys import NodeKeys
from server.deployment.refused_request import RefusedRequestError
from server.deployment.revoked_page import RevokedPage
from server.deployment.seldom import DAY_SECONDS, RENEWALS_OF_A_DAY, Seldom
from server.deployment.terms_page import TermsPage
from server.deployment.uploads import Uploads
from server.files import stamp_of
from server.keys import AUTHORITY, read_certificate
from server.revoked import RevokedCodes, read_revoked
from shared.errors import LianfangError, OperatorError, PeerError
from shared.identity.enrolment_messages import read_renewal
from shared.training.consortium import FILE, parse_consortium
from shared.wire.scan import UnscannableError

MOST_HEAD = 32 << 10
KEEP_SECONDS = 60
CONNECTIONS, REQUESTS_OF_ONE = 1024, 16
_COUNTS_SECONDS = 2.0
_LONGEST_NUMBER = 12
_LOG_SECONDS = 60.0
_OWN = "/lianfang/"
_KNOWN = CALLS | {
    _OWN + name for name in ("ready", "terms", "bundles", "members", "revoked", "renew")
}
"""Paths that are counted by name."""
_log = logging.getLogger("lianfang.gate")


class Gate:
    """The application. `clock`: the time with a zone."""

    def __init__(self, folder: Path, clock: Any = lambda: datetime.now(UTC)) -> None:
        self._folder = folder
        self._clock = clock
        self.tls = tls_of(folder)
        self._admission = Admission(
            read_certificate(folder / AUTHORITY),
            RevokedCodes(folder, read_revoked(folder)),
            NodeKeys(folder),
            clock,
        )
        self._pages, self._revoked = TermsPage(folder), RevokedPage(folder)
        self.counts = GateCounts()
        self._under_way: dict[str, int] = {}
        self._uploads, self._handed = Uploads(), HandedQuestions()
        self._told = Seldom(1, _LOG_SECONDS)
        self._renewals = Seldom(RENEWALS_OF_A_DAY, DAY_SECONDS)
        routes = [Route("/{path:path}", self._answer, methods=["GET", "POST"])]
        self.app = Starlette(routes=routes, lifespan=self._life)

    @asynccontextmanager
    async def _life(self, app: Starlette) -> AsyncIterator[None]:
        self._forwarding = Forwarding(Loopback(self._folder))
        writer = asyncio.create_task(self._keep_up())
        try:
            yield
        finally:
            writer.cancel()
            await self._forwarding.close()

    async def _keep_up(self) -> None:
        """Write the counts; show a renewed certificate from the next connection on."""
        stamp, heart = stamp_of(self._folder / TRANSPORT), Heartbeat(self._folder, "gate")
        while True:
            heart.beat()
            self.counts.connections = MemberProtocol.held.total()
            with contextlib.suppress(OSError):
                self.counts.write(self._folder)
            await asyncio.sleep(_COUNTS_SECONDS)
            if (changed := stamp_of(self._folder / TRANSPORT)) != stamp:
                stamp = changed
                _follow(self.tls, self._folder)

    async def _answer(self, request: Request) -> Response:
        path, code = request.url.path, ""
        try:
            code = self._admission.lender(request.scope.get(CERTIFICATE))
            self.counts.members[code] += 1
            with self._turn(code):
                answer = await self._admitted(code, path, request)
            if self._admission.ends_soon(request.scope[CERTIFICATE]):
                answer.headers["connection"] = "close"  # on the next one a renewed one shows
            return answer
        except RefusedRequestError as error:
            self.counts.refused[error.reason] += 1
            if self._told.take((code, error.reason)):  # not a line for each: the disk is ours
                _log.warning("refused (%s): %s", error.reason, error.what)
            answer = _json({"error": error.what}, error.status)
            answer.headers["connection"] = "close"  # a renewed certificate shows on the next one
            return answer
        except ClientDisconnect:  # in the middle of its request: nobody hears an answer
            self.counts.refused["gone"] += 1
            return Response(status_code=400)

    @contextlib.contextmanager
    def _turn(self, code: str) -> Any:
        if self._under_way.get(code, 0) >= REQUESTS_OF_ONE:
            raise RefusedRequestError(429, "many", "too many requests are under way")
        self._under_way[code] = self._under_way.get(code, 0) + 1
        try:
            yield
        finally:
            self._under_way[code] -= 1

    async def _admitted(self, code: str, path: str, request: Request) -> Response:
        if request.method == "POST" and path.startswith(FLEET):
            return await self._fleet(code, path, request)
        if request.method == "POST" and path == RENEW:
            async with self._body(code, request) as body:
                return await self._renew(code, body)
        self._count(path)
        if request.method == "GET" and path == "/lianfang/ready":
            return _json({}, 200 if await self._forwarding.ready() else 503)
        found = await run_in_threadpool(self._page, path) if request.method == "GET" else None
        if found is None:
            raise RefusedRequestError(403, "path", "the gate does not pass this")
        return found

    async def _fleet(self, code: str, path: str, request: Request) -> Response:
        admission = self._admission
        passed = passed_of(request.headers.items())
        admission.check_call(code, path, passed.get(NODE_KEY, ""))
        self._count(path)
        async with self._body(code, request) as body:
            question = self._checked(code, path, body)
            answer = self._uploads.answer(code)
            try:
                status, content, headers = await self._forwarding.post(
                    path, body, passed, answer.grow
                )
            except BaseException:
                answer.let_go()
                raise
        if path == PUSH and status == 200:
            with contextlib.suppress(UnscannableError):
                self._uploads.asked_for(code, question, promised(content))
        if path == PULL and status == 200:
            self._handed.given(code, content)
        self.counts.bytes_out += len(content)
        return HeldAnswer(content, status, headers, answer)

    def _checked(self, code: str, path: str, body: bytes) -> str:
        """The question that a reply answers, if one is announced; what is not its is refused."""
        if path == UPLOAD:
            self._uploads.brought(code, *uploaded(body))
        if path == CONFIRM:
            self._handed.check_confirmed(code, body)
        if path != PUSH:
            return ""
        reply = announced(body)
        self._admission.check_reply(reply)
        return reply.question

    def _count(self, path: str) -> None:
        self.counts.requests[path if path in _KNOWN else "other"] += 1

    @asynccontextmanager
    async def _body(self, code: str, request: Request) -> AsyncIterator[bytes]:
        """A body, which counts as under way until the block ends."""
        most, pieces = most_of(request.url.path), []
        stated = request.headers.get("content-length", "0")
        if not stated.isdecimal() or len(stated) > _LONGEST_NUMBER or int(stated) > most:
            raise RefusedRequestError(413, "size", f"a body of more than {most} bytes")
        with self._uploads.body(code) as held:
            async for piece in request.stream():
                held.grow(len(piece))
                if held.size > most:
                    raise RefusedRequestError(413, "size", f"a body of more than {most} bytes")
                pieces.append(piece)
            self.counts.bytes_in += held.size
            body = b"".join(pieces)
            pieces.clear()
            yield body

    def _page(self, path: str) -> Response | None:
        """A page for every member; None when there is none there."""
        pages = self._pages
        if path == "/lianfang/terms":
            return _json(pages.digests())
        if path == "/lianfang/bundles":
            return _json(pages.bundles())
        if path == "/lianfang/members":
            return _raw(_handler("server.consortium.members", "page")(self._folder))
        if path == "/lianfang/revoked":
            return _raw(self._revoked.content(self._clock()))
        digest = path.removeprefix("/lianfang/terms/")
        agreement = pages.agreement(digest) if digest != path else None
        return None if agreement is None else _raw(agreement)

    async def _renew(self, code: str, body: bytes) -> Response:
        if self._renewals.full(code):
            raise RefusedRequestError(429, "renewals", "too many renewals in a day")
        try:
            if read_renewal(body).code != code:
                raise PeerError(f"a renewal of another member than {code}")
            renewed = _handler("server.consortium.renewal", "renewed")
            answer = await run_in_threadpool(renewed, self._folder, body, self._clock())
            self._renewals.take(code)
            return _raw(answer)
        except LianfangError as error:
            self.counts.refused["renewal"] += 1
            return _json({"error": error.what, "remedy": error.remedy}, 400)


def _handler(module: str, name: str) -> Any:
    """A handler of the consortium's own, loaded when it is first needed."""
    return getattr(import_module(module), name)


def _json(content: object, status: int = 200) -> Response:
    return _raw(json.dumps(content).encode(), status)


def _raw(content: bytes, status: int = 200) -> Response:
    return Response(content, status, media_type="application/json")


def tls_of(folder: Path) -> ssl.SSLContext:
    """TLS 1.3 under the coordinator's transport certificate; members show theirs."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_verify_locations(folder / AUTHORITY)
        context.load_cert_chain(folder / TRANSPORT, folder / TRANSPORT_KEY)
    except (OSError, ssl.SSLError) as error:
        raise OperatorError(
            f"{folder}: {TRANSPORT} and {TRANSPORT_KEY} cannot be used",
            remedy="restore both from the same copy, or let the authority certify a new pair",
        ) from error
    return context


def _follow(context: ssl.SSLContext, folder: Path) -> None:
    try:
        context.load_cert_chain(folder / TRANSPORT, folder / TRANSPORT_KEY)
        _log.info("a renewed certificate is shown from now on")
    except (OSError, ssl.SSLError):
        _log.error("%s has changed and cannot be used; the one before is shown", TRANSPORT)


def server_of(gate: Gate, host: str, port: int) -> EntranceServer:
    """Serves the gate; not started yet."""

    def turned() -> None:
        gate.counts.refused["handshakes"] += 1

    config = uvicorn.Config(
        gate.app,
        host=host,
        port=port,
        http=MemberProtocol,
        ws="none",
        lifespan="on",
        ssl_context_factory=lambda config, default: gate.tls,
        h11_max_incomplete_event_size=MOST_HEAD,
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=KEEP_SECONDS,
        timeout_graceful_shutdown=2,
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
    )
    return EntranceServer(config, turned)


def main(folder: Path) -> int:
    """Run until told to stop."""
    host, port = listening_at(parse_consortium((folder / FILE).read_bytes()).gate)
    server_of(Gate(folder), host, port).run()
    return 0
