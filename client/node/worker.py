"""The process that answers questions: forked off the executor, and the only one that sees rows.

Invariants:
- It runs the client app installed here. What it is given is one message and its context; what it
  gives back is one reply.
- A reply to another question than the last one asked is dropped: who was interrupted while it
  waited asks anew.
- It keeps the lender open from question to question; when it is killed, the next one opens it anew
  from the lender's folder.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import sys
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import TYPE_CHECKING

from client.node.child import end_with_parent
from client.node.table_look import look_at_table
from shared.wire.failures import NOT_TAKEN

if TYPE_CHECKING:
    from flwr.app import Context, Message

FOLDER_KEY = "lender-directory"
_looked: set[Path] = set()
"""Folders whose table the first worker looks at before it is asked."""
PIPE_SECONDS = 60
"""For one end to take what the other writes, once that has begun."""


@dataclass
class Worker:
    """A worker that is at work or waits; `told`: the executor's end of the pipe."""

    process: int
    told: Connection
    asked: str = ""
    """The message that was asked last."""

    @classmethod
    def forked(cls, folder: Path) -> Worker:
        """A new one. Connections that are open in the executor stay the executor's alone."""
        here, there = Pipe()
        parent, first = os.getpid(), folder not in _looked
        _looked.add(folder)
        sys.stdout.flush()
        sys.stderr.flush()
        process = os.fork()
        if process:
            there.close()
            _bounded(here)
            return cls(process, here)
        try:
            _close_all_but(there.fileno())
            end_with_parent(parent)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            if first:
                look_at_table(folder)
            _serve(there, folder)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(1)

    def ask(self, message: Message, context: Context, task: int) -> None:
        """Give it a question; OSError when it has ended, or takes no more."""
        from flwr.common.serde import context_to_proto, message_to_proto

        self.asked = message.metadata.message_id
        self.told.send_bytes(task.to_bytes(8, "big"))
        self.told.send_bytes(message_to_proto(message).SerializeToString())
        self.told.send_bytes(context_to_proto(context).SerializeToString())

    def reply(self, seconds: float) -> Message | None:
        """Its reply, if that comes in time; EOFError or OSError when it has ended."""
        from flwr.common.serde import message_from_proto
        from flwr.proto.message_pb2 import Message as MessageProto

        if not self.told.poll(seconds):
            return None
        reply = message_from_proto(MessageProto.FromString(self.told.recv_bytes()))
        return reply if reply.metadata.reply_to_message_id == self.asked else None

    def end(self) -> None:
        """End it now, if it has not."""
        self.told.close()
        try:
            os.kill(self.process, signal.SIGKILL)
            os.waitpid(self.process, 0)
        except (ProcessLookupError, ChildProcessError):
            pass


def _bounded(pipe: Connection) -> None:
    """No write or read of this end waits longer than `PIPE_SECONDS`: BlockingIOError then."""
    time = struct.pack("ll", PIPE_SECONDS, 0)  # struct timeval, socket(7)
    with socket.socket(fileno=os.dup(pipe.fileno())) as end:
        for option in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
            end.setsockopt(socket.SOL_SOCKET, option, time)


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
        return Message(Error(ErrorCode.CLIENT_APP_RAISED_EXCEPTION, NOT_TAKEN), reply_to=message)
