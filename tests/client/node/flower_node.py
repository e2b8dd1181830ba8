"""Flower's own SuperNode server and state in this process: what an executor fetches tasks from."""

from __future__ import annotations

import hashlib
import io
import threading
import time
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from flwr.app import Context, Message, RecordDict
from flwr.supercore.fab import Fab
from flwr.supercore.inflatable.inflatable_object import iterate_object_tree
from flwr.supercore.inflatable.inflatable_utils import inflate_object_from_contents
from flwr.supercore.object_store import ObjectStoreFactory
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity
from flwr.supernode.main import create_app
from flwr.supernode.nodestate import NodeStateFactory
from flwr.supernode.start_client_internal import _insert_message

from client.node.loopback import HOST, Loopback

NODE, RUN = 7, 11
_PROJECT = """\
[project]
name = "lianfang"
version = "9.9.9"
license = "Apache-2.0"
[tool.flwr.app]
publisher = "lianfang"
[tool.flwr.app.components]
serverapp = "server.app:app"
clientapp = "client.app:app"
[tool.flwr.app.config]
"""
_EVIL = """\
from pathlib import Path
from flwr.clientapp import ClientApp
from flwr.app import Message, RecordDict
Path({marker!r}).write_text("this code ran")
app = ClientApp()
@app.query("answer")
def on_question(message, context):
    return Message(RecordDict(), reply_to=message)
"""


def changed_bundle(marker: Path) -> bytes:
    """A bundle whose client app writes `marker` as soon as it is loaded."""
    files = {"pyproject.toml": _PROJECT, "client/__init__.py": ""}
    files["client/app.py"] = _EVIL.format(marker=str(marker))
    made, manifest = io.BytesIO(), []
    with zipfile.ZipFile(made, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
            digest = hashlib.sha256(text.encode()).hexdigest()
            manifest.append(f"{name},{digest},{8 * len(text.encode())}")
        archive.writestr(".info/CONTENT", "\n".join(manifest))
    return made.getvalue()


@dataclass
class FlowerNode:
    """The SuperNode of a lender's folder, with one run whose bundle is given."""

    state: Any
    store: Any
    bundle: bytes

    def ask(self, content: RecordDict) -> int:
        """Put a message of the run before the executor; its task's number."""
        TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = 1, RUN, 1
        message = Message(content, NODE, "query.answer", group_id="1")
        _insert_message(message, self.state, self.store)
        digest = hashlib.sha256(self.bundle).hexdigest()
        return int(self.state.create_task(task_type="flwr-clientapp", run_id=RUN, fab_hash=digest))

    def lose(self, content: RecordDict) -> None:
        """Put a message before the executor whose parts do not come, and give it up when it has
        been taken, as the SuperNode does.
        """
        store = self.store
        store.put = lambda *_: None  # over the class's own
        try:
            number = self.ask(content)
        finally:
            del store.put
        until = time.monotonic() + 60.0
        while not self.state.get_tasks(task_ids=[number])[0].running_at:
            assert time.monotonic() < until
            time.sleep(0.05)
        asked = list(self.state.msg_store)
        self.state.delete_messages(message_ids=asked)
        for one in asked:
            store.delete(one)
        self.state.finish_task(number, "failed", "its parts did not come")

    def reply(self, seconds: float = 60.0) -> Message:
        """What the executor hands in."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for message in self.state.get_messages_legacy(is_reply=True):
                return self._whole(message.metadata.message_id, until)
            time.sleep(0.05)
        raise AssertionError("no reply came")

    def _whole(self, number: str, until: float) -> Message:
        """The reply with its parts, which come after it."""
        tree = self.store.get_object_tree(number)
        names = [one.object_id for one in iterate_object_tree(tree)]
        while not all(self.store.get(name) for name in names):
            assert time.monotonic() < until
            time.sleep(0.01)
        parts = {name: self.store.get(name) for name in names}
        message: Any = inflate_object_from_contents(number, parts)
        return message


@contextmanager
def flower_node(loopback: Loopback, bundle: bytes) -> Iterator[FlowerNode]:
    """Serves at the folder's port until the block ends."""
    factory = NodeStateFactory(objectstore_factory=ObjectStoreFactory())
    state = factory.state()
    digest = hashlib.sha256(bundle).hexdigest()
    run = Run.create_empty(RUN)
    run.fab_id, run.fab_version, run.fab_hash = "lianfang/lianfang", "9.9.9", digest
    state.set_node_id(NODE)
    state.store_run(run)
    state.store_fab(Fab(digest, bundle, {}))
    context = Context(RUN, NODE, {}, RecordDict(), {})
    state.set_run_series_context(run.series_id, context)
    app = create_app(factory, loopback.superexec_secret.read_bytes())
    config = uvicorn.Config(
        app, HOST, loopback.port("supernode"), log_config=None, lifespan="off", ws="none",
        ssl_certfile=loopback.certificate, ssl_keyfile=loopback.key,
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield FlowerNode(state, factory.objectstore_factory.store(), bundle)
        finally:
            server.should_exit = server.force_exit = True
            thread.join(10)
