"""A Flower Grid in this process: the real ServerApp and ClientApp, no Ray, no network.

Invariants:
- Every message and reply goes through Flower's own protobuf form, so that what works here is what
  travels elsewhere; sizes are the real ones, and no object is shared between the two sides.
- A lender works on one message at a time, in the order they were sent, as a Flower node does; a
  slow one holds up nobody else.
- A handler's exception becomes an error reply with the exception's name only.
- Faults are asked for by stage and lender, and happen exactly as asked (see `faults.py`).
- A run that is to stop (`stop`) stops at its next look at the grid, never within a lock.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

from flwr.app import ConfigRecord, Context, Error, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.common.constant import SUPERLINK_NODE_ID
from flwr.common.serde import message_from_proto, message_to_proto
from flwr.serverapp import Grid, ServerApp
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity

from server.simulation.faults import Faults

_FIRST_NODE = 1000
_RUN_ID = 1


class InProcessGrid(Grid):
    """`folders`: one lender's folder per node. `workers` of them compute at a time."""

    def __init__(
        self,
        client_app: ClientApp,
        folders: Iterable[Path],
        *,
        workers: int = 2,
        faults: Faults | None = None,
    ) -> None:
        TaskIdentity.task_id, TaskIdentity.run_id = _RUN_ID, _RUN_ID
        TaskIdentity.node_id = SUPERLINK_NODE_ID
        self._app = client_app
        self._contexts = {
            _FIRST_NODE + i: Context(
                run_id=_RUN_ID,
                node_id=_FIRST_NODE + i,
                node_config={"lender-directory": str(folder)},
                state=RecordDict(),
                run_config={},
            )
            for i, folder in enumerate(folders)
        }
        self._faults = faults or Faults()
        self._cores = threading.Semaphore(workers)
        self._closing = threading.Event()
        self.stopped = False
        self._threads = {
            node: ThreadPoolExecutor(1, thread_name_prefix=f"lender-{node}")
            for node in self._contexts
        }
        self._numbers = (f"m{i}" for i in itertools.count())
        self._replies: dict[str, Future[Message]] = {}
        self._run: Run | None = None

    def stop(self) -> None:
        """Let the run's next call raise KeyboardInterrupt. Takes no lock: for signal handlers."""
        self.stopped = True

    def close(self) -> None:
        """Wait for lenders at work, who begin nothing new, and let their threads go."""
        self._closing.set()
        for thread in self._threads.values():
            thread.shutdown(wait=False, cancel_futures=True)
        for thread in self._threads.values():
            thread.shutdown(wait=True)

    def set_run(self, run: Run) -> None:
        """Keep Flower's description of the run."""
        self._run = run

    @property
    def run(self) -> Run:
        """Flower's description of the run; RuntimeError when it was never set."""
        if self._run is None:
            raise RuntimeError("no run was set")
        return self._run

    def create_message(
        self,
        content: RecordDict,
        message_type: str,
        dst_node_id: int,
        group_id: str,
        ttl: float | None = None,
    ) -> Message:
        """A message to a node."""
        return Message(content, dst_node_id, message_type, ttl=ttl, group_id=group_id)

    def get_node_ids(self) -> list[int]:
        """Nodes that are connected now."""
        self._go_on()
        return [n for n in self._contexts if not self._faults.away(self._folder(n))]

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        """Hand messages to the lenders' threads; returns their numbers."""
        self._go_on()
        numbers = []
        for message in messages:
            number, node = next(self._numbers), message.metadata.dst_node_id
            message.metadata.__dict__["_message_id"] = number
            self._faults.before(_stage(message))
            self._replies[number] = self._threads[node].submit(self._deliver, _travelled(message))
            numbers.append(number)
        return numbers

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """Replies that have come in to any of these numbers."""
        self._go_on()
        done = [n for n in message_ids if n in self._replies and self._replies[n].done()]
        return [self._replies.pop(number).result() for number in done]

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> list[Message]:
        """Push, wait for all replies, pull."""
        numbers = self.push_messages(messages)
        for number in numbers:
            self._replies[number].exception(timeout)
        return self.pull_messages(numbers)

    def _go_on(self) -> None:
        if self.stopped:
            raise KeyboardInterrupt

    def _folder(self, node: int) -> str:
        return Path(str(self._contexts[node].node_config["lender-directory"])).name

    def _deliver(self, message: Message) -> Message:
        node, stage = message.metadata.dst_node_id, _stage(message)
        member = self._folder(node)
        if self._faults.cut_off(stage, member):
            return Message(Error(code=0, reason="fault"), reply_to=message)
        try:
            self._closing.wait(self._faults.during(stage, member))
            with self._cores if _computes(message) else nullcontext():
                if self._closing.is_set():
                    raise InterruptedError
                reply = _travelled(self._app(message, self._contexts[node]))
        except Exception as error:  # noqa: BLE001 - Flower answers any exception with an Error
            reply = Message(Error(code=0, reason=type(error).__name__), reply_to=message)
        if self._faults.lost(stage, member):
            return Message(Error(code=0, reason="fault"), reply_to=message)
        return reply


def run_in_process(
    server_app: ServerApp, grid: InProcessGrid, run_config: Mapping[str, str | bool | float]
) -> None:
    """Run a ServerApp over the grid to its end."""
    context = Context(
        run_id=_RUN_ID,
        node_id=SUPERLINK_NODE_ID,
        node_config={},
        state=RecordDict(),
        run_config=dict(run_config),
    )
    server_app(grid, context)


def _travelled(message: Message) -> Message:
    return message_from_proto(message_to_proto(message))


def _stage(message: Message) -> str:
    return _asked(message, "stage")


def _computes(message: Message) -> bool:
    """Not who hands out the shares of a round: it waits for its disk and does little else."""
    return _asked(message, "kind") != "Survivors"


def _asked(message: Message, field: str) -> str:
    record = message.content.get("ask")
    return str(record.get(field)) if isinstance(record, ConfigRecord) else ""
