"""The process that answers questions: forked off the executor, and the only one that sees rows.

Invariants:
- It runs the client app installed here. What it is given is one message and its context; what it
  gives back is one reply.
- It keeps the lender open from question to question; when it is killed, the next one opens it anew
  from the lender's folder.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import TYPE_CHECKING

from client.node.child import end_with_parent

if TYPE_CHECKING:
    from flwr.app import Context, Message

FOLDER_KEY = "lender-directory"


@dataclass
class Worker:
    """A worker that is at work or waits; `told`: the executor's end of the pipe."""

    process: int
    told: Connection

    @classmethod
    def forked(cls, folder: Path) -> Worker:
        """A new one. Connections that are open in the executor stay the executor's alone."""
        here, there = Pipe()
        parent = os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        process = os.fork()
        if process:
            there.close()
            return cls(process, here)
        try:
            _close_all_but(there.fileno())
            end_with_parent(parent)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            _serve(there, folder)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(1)

    def ask(self, message: Message, context: Context, task: int) -> None:
        """Give it a question; OSError when it has ended."""
        from flwr.common.serde import context_to_proto, message_to_proto

        self.told.send_bytes(task.to_bytes(8, "big"))
        self.told.send_bytes(message_to_proto(message).SerializeToString())
        self.told.send_bytes(context_to_proto(context).SerializeToString())

    def reply(self, seconds: float) -> Message | None:
        """Its reply, if that comes in time; EOFError or OSError when it has ended."""
        from flwr.common.serde import message_from_proto
        from flwr.proto.message_pb2 import Message as MessageProto

        if not self.told.poll(seconds):
            return None
        return message_from_proto(MessageProto.FromString(self.told.recv_bytes()))

    def end(self) -> None:
        """End it now, if it has not."""
        self.told.close()
        try:
            os.kill(self.process, signal.SIGKILL)
            os.waitpid(self.process, 0)
        except (ProcessLookupError, ChildProcessError):
            pass


def _close_all_but(handle: int) -> None:
    most = os.sysconf("SC_OPEN_MAX")
    os.closerange(3, handle)
    os.closerange(handle + 1, min(most, 65536))


def _serve(told: Connection, folder: Path) -> None:
    from flwr.common.serde import context_from_proto, message_from_proto, message_to_proto
    from flwr.proto.message_pb2 import Context as ContextProto
    from flwr.proto.message_pb2 import Message as MessageProto
    from flwr.supercore.task_identity import TaskIdentity

    while True:
        try:
            task = int.from_bytes(told.recv_bytes(), "big")
            message = message_from_proto(MessageProto.FromString(told.recv_bytes()))
            context = context_from_proto(ContextProto.FromString(told.recv_bytes()))
        except EOFError:
            return
        TaskIdentity.task_id, TaskIdentity.run_id = task, message.metadata.run_id
        TaskIdentity.node_id = message.metadata.dst_node_id
        context.node_config = {FOLDER_KEY: str(folder)}  # ours, whatever came
        reply = _answered(message, context)
        told.send_bytes(message_to_proto(reply).SerializeToString())


def _answered(message: Message, context: Context) -> Message:
    from flwr.app import Error, Message
    from flwr.common.constant import ErrorCode

    from client.app import app

    try:
        return app(message, context)
    except Exception as error:  # noqa: BLE001 - its text may quote rows, or what was sent
        sys.stderr.write(f"a message was not answered: {type(error).__name__}\n")
        reason = "the lender's app did not take this message"
        return Message(Error(ErrorCode.CLIENT_APP_RAISED_EXCEPTION, reason), reply_to=message)
