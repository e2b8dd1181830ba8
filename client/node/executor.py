"""Takes messages from the SuperNode, one at a time, and has them answered by the worker.

Invariants:
- Only the code installed here runs. A bundle is looked at by its digest alone: one that is not on
  the lender's list is answered with a refusal; nothing of its question is read, here or elsewhere.
- A question is bounded before it is read (`question.py`); one that cannot be read is answered as
  failed, and ends nothing.
- What heavy libraries there are is loaded once; a worker that is killed is replaced by a fork and
  given the same message again. Asked the same twice, a lender gives the same answer.
- This process has one thread, so that forking is safe, and shares no connection with a worker.
- A question that is answered for long is told in the log every minute, by its kind alone; after
  `[node] answer_minutes` its worker is ended, and the coordinator is told so in our own words.
- What goes out is a reply of our own making. No exception's text, no log, no file's name does.
"""

from __future__ import annotations

import logging
import os
import re
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from client.bundles import read_bundles
from client.node.flower import ENVIRONMENT
from client.node.heartbeat import Heartbeat
from client.node.loopback import Loopback
from client.node.question import (
    LostQuestionError,
    Question,
    Task,
    confirm,
    fetched,
    message_of,
    question_of,
    task_of,
)
from client.node.worker import Worker
from client.settings import answer_seconds, member_named
from shared.errors import OperatorError
from shared.wire.failures import STRANGE_QUESTION, WORKER_ENDED, WORKER_LATE
from shared.wire.parts import StrangePartsError

if TYPE_CHECKING:
    from flwr.app import Context, Message
    from flwr.supercore.runtime import RuntimeHttpClient

CLIENT_APP = "flwr-clientapp"
SHORTEST_PAUSE, LONGEST_PAUSE, SHARE = 0.01, 0.25, 0.05
HEARTBEAT_SECONDS, REPLY_SECONDS, TELL_SECONDS = 10.0, 0.5, 60.0
MOST_TRIES = 3
"""How often a message is given to a worker."""
_ACQUIRE = "/flwr.proto.Runtime/AcquireTask"
_log = logging.getLogger("lianfang.executor")


class _TooLongError(Exception):
    """The worker is at one question for longer than this lender allows."""


class Executor:
    """Of a lender's folder. `most`: seconds for one answer."""

    def __init__(self, folder: Path, most: float) -> None:
        self._folder = folder
        self._most = most
        self._heart = Heartbeat(folder, "executor")
        self._loopback = Loopback(folder)
        self._secret = self._loopback.superexec_secret.read_bytes()
        self._worker = Worker.forked(folder)
        self._client: RuntimeHttpClient | None = None
        self._last = time.monotonic()

    def run(self) -> None:
        """Until the process is ended; the worker ends with it."""
        while True:
            try:
                token = self._acquired()
                self._heart.beat()
                if token:
                    self._carry(token)
                    self._last = time.monotonic()
            except httpx.HTTPError as error:  # the SuperNode is starting, or was killed
                _log.info("the SuperNode does not answer: %s", type(error).__name__)
                self._forget()
                time.sleep(LONGEST_PAUSE)
                continue
            waited = time.monotonic() - self._last
            time.sleep(min(LONGEST_PAUSE, max(SHORTEST_PAUSE, SHARE * waited)))

    def _acquired(self) -> str:
        from flwr.proto.runtime_pb2 import AcquireTaskRequest
        from flwr.supercore.interceptors import SuperExecAuthHttpInterceptor

        if self._client is None:
            self._client = self._connected(
                SuperExecAuthHttpInterceptor(
                    master_secret=self._secret, protected_methods=frozenset({_ACQUIRE})
                )
            )
        answer = self._client.AcquireTask(AcquireTaskRequest(supported_task_types=[CLIENT_APP]))
        return str(answer.token) if answer.HasField("task") else ""

    def _carry(self, token: str) -> None:
        """Fetch a task's input, have it answered, hand in the reply."""
        from flwr.common.constant import SubStatus
        from flwr.supercore.inflatable.inflatable_utils import ObjectPushError
        from flwr.supercore.interceptors import RuntimeTokenHttpInterceptor
        from flwr.supernode.runtime.run_clientapp import push_message, push_task_output

        with self._connected(RuntimeTokenHttpInterceptor(token)) as client:
            task = task_of(client)
            try:
                reply = self._replied(client, task, question_of(client))
            except LostQuestionError:
                _log.warning("a question did not come whole; it is asked again")
                return
            try:
                push_message(client, reply, task.context)
            except ObjectPushError:  # the SuperNode has forgotten it, or ended, meanwhile
                _log.warning("a reply was not taken; it is asked for again")
                return
            push_task_output(client, task.context, SubStatus.COMPLETED, "")

    def _replied(self, client: Any, task: Task, question: Question) -> Message:
        """The reply to a question, whatever it is; LostQuestionError when it does not come."""
        allowed, message, why = self._allowed(task.bundle), None, ""
        try:
            parts = fetched(client, task, question, self._heart.beat)
            message = message_of(question, parts) if allowed else None
        except (httpx.HTTPError, LostQuestionError):
            raise
        except Exception as error:  # noqa: BLE001 - the coordinator's bytes: they do not end us
            why = str(error) if isinstance(error, StrangePartsError) else type(error).__name__
        confirm(client, task, question)
        if why:
            _log.error("refused: a question that no stage asks (%s)", why)
            return _failed(question.bare, STRANGE_QUESTION)
        if message is None:
            return _refused(self._folder, question.bare)
        return self._answer(client, message, task.context, task.number)

    def _allowed(self, digest: str) -> bool:
        try:
            allowed = digest in read_bundles(self._folder)
        except OperatorError as error:
            _log.error("%s", error)
            return False
        if not allowed:
            _log.error("refused: the bundle %s is not in bundles.json", digest)
        return allowed

    def _answer(self, client: Any, message: Message, context: Context, task: int) -> Message:
        for _ in range(MOST_TRIES):
            try:
                self._worker.ask(message, context, task)
                return self._awaited(client, message)
            except _TooLongError:
                text = "%s: no answer after %.0f minutes; the worker is ended, the message failed"
                _log.error(text, _kind(message), self._most / 60)
                self._replace()
                return _failed(message, WORKER_LATE)
            except (EOFError, OSError):
                _log.error("the worker has ended; another one takes the message")
                self._replace()
        return _failed(message, WORKER_ENDED)

    def _replace(self) -> None:
        self._worker.end()
        self._worker = Worker.forked(self._folder)

    def _awaited(self, client: RuntimeHttpClient, message: Message) -> Message:
        from flwr.proto.runtime_pb2 import SendTaskHeartbeatRequest

        began = told = beaten = time.monotonic()
        while True:
            reply = self._worker.reply(REPLY_SECONDS)
            if reply is not None:
                return reply
            self._heart.beat()
            if time.monotonic() - began > self._most:
                raise _TooLongError
            if time.monotonic() - told > TELL_SECONDS:
                told = time.monotonic()
                _log.warning("%s: no answer yet after %.0f s", _kind(message), told - began)
            if time.monotonic() - beaten > HEARTBEAT_SECONDS:
                beaten = time.monotonic()
                client.SendTaskHeartbeat(SendTaskHeartbeatRequest())

    def _forget(self) -> None:
        if self._client is not None:
            with suppress(httpx.HTTPError):
                self._client.close()
            self._client = None

    def _connected(self, interceptor: Any) -> RuntimeHttpClient:
        from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor
        from flwr.supercore.runtime import RuntimeHttpClient

        return RuntimeHttpClient.from_server_address(
            self._loopback.address("supernode"),
            insecure=False,
            root_certificates=self._loopback.certificate.read_bytes(),
            interceptors=[RuntimeVersionHttpInterceptor("flwr-clientapp"), interceptor],
        )


def _kind(message: Message) -> str:
    """What is asked, in a word; nothing that was sent but a name."""
    record = message.content.get("ask") if message.has_content() else None
    stage = record.get("stage") if isinstance(record, Mapping) else None
    known = isinstance(stage, str) and re.fullmatch(r"[a-z0-9_./ -]{1,40}", stage, re.ASCII)
    return f"question {stage!r}" if known else "a question"


def _refused(folder: Path, message: Message) -> Message:
    """One word: the coordinator's operator is told which lender to ask."""
    from flwr.app import Message

    from shared.wire.messages import UNKNOWN, Refused, pack_reply

    word = Refused(member_named(folder) or UNKNOWN, "operator")
    return Message(pack_reply(word), reply_to=message)


def _failed(message: Message, reason: str) -> Message:
    from flwr.app import Error, Message
    from flwr.common.constant import ErrorCode

    return Message(Error(ErrorCode.CLIENT_APP_CRASHED, reason), reply_to=message)


def main(folder: Path) -> int:
    """Run until told to stop."""
    os.environ.update(ENVIRONMENT)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.umask(0o077)
    import client.app
    import client.lender  # noqa: F401 - torch and pandas: once, before workers fork off

    try:
        Executor(folder, answer_seconds(folder)).run()
    except Exception as error:  # noqa: BLE001 - its text may quote what was sent
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}:{place.lineno}"
        _log.error("ended by %s at %s", type(error).__name__, where)
    return 1
