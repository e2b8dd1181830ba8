"""One round of Flower's SecAgg+ (flwr 1.41), with every step measured.

Flower's own functions at the lender and its own workflow at the coordinator; only the network
between them is made here. Same numbers, same threshold and all lenders as neighbours, as in ours.

Invariants:
- A step is counted where ours does it: opening the boxes of shares, which SecAgg+ does when it
  masks, counts as sharing.
- Messages are made and read outside the clock, where Flower's code allows it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
from flwr.app import ConfigRecord, Message, RecordDict
from flwr.common import bytes_to_ndarray, ndarrays_to_parameters, parameters_to_ndarrays
from flwr.common.secure_aggregation.ndarrays_arithmetic import parameters_addition, parameters_mod
from flwr.common.secure_aggregation.secaggplus_constants import RECORD_KEY_CONFIGS, Key
from flwr.common.serde import recorddict_to_proto
from flwr.server.workflow import SecAggPlusWorkflow
from flwr.server.workflow.constant import MAIN_CONFIGS_RECORD
from flwr.server.workflow.constant import Key as WorkflowKey
from flwr.server.workflow.secure_aggregation.secaggplus_workflow import WorkflowState
from flwr.supercore.task_identity import TaskIdentity

from shared.secure_sum.floors import least_threshold
from tests.bench.secure_sum_costs import CLIP, Clock, Costs, mean_of, rows_of, timed, weights_of

# Its package exports a function of the module's name, which hides the module.
lender_side = import_module("flwr.client.mod.secure_aggregation.secaggplus_mod")

RING = 2**32
STEPS = 2**22
MOST_ROWS = 1000.0


class FlowerRounds:
    """SecAgg+ among `lenders`; every round sets up anew, as SecAgg+ does."""

    def __init__(self, lenders: int, length: int) -> None:
        self.costs = Costs()
        self._lenders, self._length = lenders, length
        self._threshold = least_threshold(lenders)
        TaskIdentity.task_id = TaskIdentity.run_id = TaskIdentity.node_id = 1  # messages need them

    def round(self) -> None:
        """One round with all lenders; the mean is compared with what it must be."""
        sides = [
            lender_side.SecAggPlusState(nid=lender + 1, current_stage="setup")
            for lender in range(self._lenders)
        ]
        clocks = [Clock() for _ in sides]
        keys, boxes = self._keys(sides, clocks), {}
        for side, clock in zip(sides, clocks, strict=True):
            with clock.running():
                boxes[side.nid] = lender_side._share_keys(side, ConfigRecord(keys))
        masked = self._masked(sides, clocks, boxes)
        self.costs.share += [clock.milliseconds for clock in clocks]
        self._unmask(sides, keys, masked)

    def _keys(self, sides: list[Any], clocks: list[Clock]) -> dict[str, list[bytes]]:
        keys = {}
        for side, clock in zip(sides, clocks, strict=True):
            asked = ConfigRecord(
                {
                    Key.SAMPLE_NUMBER: self._lenders, Key.SHARE_NUMBER: self._lenders,
                    Key.THRESHOLD: self._threshold, Key.CLIPPING_RANGE: CLIP,
                    Key.TARGET_RANGE: STEPS, Key.MOD_RANGE: RING, Key.MAX_WEIGHT: MOST_ROWS,
                }
            )  # fmt: skip
            with clock.running():
                reply = lender_side._setup(side, asked)
            keys[str(side.nid)] = [reply[Key.PUBLIC_KEY_1], reply[Key.PUBLIC_KEY_2]]
        return keys

    def _masked(
        self, sides: list[Any], clocks: list[Clock], boxes: dict[int, dict[str, Any]]
    ) -> list[np.ndarray]:
        """The sum of all masked vectors, as the workflow's third stage adds them up."""
        total: list[np.ndarray] = []
        adding = Clock()
        for side, clock in zip(sides, clocks, strict=True):
            asked = ConfigRecord(_delivered(side.nid, boxes))
            weights = ndarrays_to_parameters([weights_of(side.nid - 1, self._length)])
            whole, opening = Clock(), Clock()
            with opening_boxes(opening), whole.running():
                reply = lender_side._collect_masked_vectors(
                    side, asked, rows_of(side.nid - 1), weights
                )
            self.costs.mask.append(whole.milliseconds - opening.milliseconds)
            clock.milliseconds += opening.milliseconds
            self.costs.upload.append(wire_bytes(reply))
            with adding.running():
                sent = [bytes_to_ndarray(one) for one in reply[Key.MASKED_PARAMETERS]]
                total = parameters_addition(total, sent) if total else sent
        with adding.running():
            total = parameters_mod(total, RING)
        self.costs.collect.append(adding.milliseconds)
        return total

    def _unmask(
        self, sides: list[Any], keys: dict[str, list[bytes]], masked: list[np.ndarray]
    ) -> None:
        """The workflow's fourth stage, without the time its lenders take in it."""
        everybody = {side.nid for side in sides}
        state = WorkflowState(
            sampled_node_ids=set(everybody), active_node_ids=set(everybody),
            num_shares=self._lenders, threshold=self._threshold, clipping_range=CLIP,
            quantization_range=STEPS, mod_range=RING, max_weight=MOST_ROWS,
            nid_to_neighbours={nid: set(everybody) for nid in everybody},
            nid_to_publickeys={int(nid): pair for nid, pair in keys.items()},
            aggregate_ndarrays=masked,
            legacy_results=[(None, SimpleNamespace(parameters=None))],
        )  # fmt: skip
        wire, strategy = _Wire(sides, self.costs), _Strategy()
        record = ConfigRecord({WorkflowKey.CURRENT_ROUND: 1})
        held = SimpleNamespace(config_records={MAIN_CONFIGS_RECORD: record})
        context = SimpleNamespace(state=held, strategy=strategy)
        workflow = SecAggPlusWorkflow(1.0, self._threshold, clipping_range=CLIP)
        whole = Clock()
        with quiet(), whole.running():
            done = workflow.unmask_stage(wire, context, state)  # type: ignore[arg-type]
        self.costs.unmask.append(whole.milliseconds - wire.lenders.milliseconds)
        assert done, "SecAgg+ stopped"
        worst = np.abs(strategy.mean - mean_of(self._lenders, self._length)).max()
        assert worst <= self._lenders * 2 * CLIP / STEPS * MOST_ROWS / rows_of(0), worst


class _Wire:
    """Hands the workflow's questions to the lenders and counts their time apart."""

    def __init__(self, sides: list[Any], costs: Costs) -> None:
        self._sides = {side.nid: side for side in sides}
        self._costs = costs
        self.lenders = Clock()

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> list[Message]:
        with self.lenders.running():
            return [self._reply(message) for message in messages]

    def _reply(self, message: Message) -> Message:
        asked = message.content.config_records[RECORD_KEY_CONFIGS]
        with timed(self._costs.answer):
            shares = lender_side._unmask(self._sides[message.metadata.dst_node_id], asked)
        content = RecordDict({RECORD_KEY_CONFIGS: ConfigRecord(shares)})
        return Message(content, reply_to=message)


class _Strategy:
    """Keeps the mean that the workflow hands to a strategy."""

    def aggregate_fit(
        self, number: int, results: Any, failures: Any
    ) -> tuple[None, dict[str, Any]]:
        (self.mean,) = parameters_to_ndarrays(results[0][1].parameters)
        return None, {}


@contextmanager
def quiet() -> Iterator[None]:
    """Flower's log says errors only."""
    log = logging.getLogger("flwr")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


@contextmanager
def opening_boxes(clock: Clock) -> Iterator[None]:
    """Count the time SecAgg+ takes to open the boxes of shares."""
    decrypt = lender_side.decrypt

    def counted(key: bytes, box: bytes) -> bytes:
        with clock.running():
            return decrypt(key, box)

    with patch.object(lender_side, "decrypt", counted):
        yield


def wire_bytes(reply: dict[str, Any]) -> int:
    """Bytes of a reply as Flower sends it; what the strategy gets in clear is not counted."""
    content = RecordDict({RECORD_KEY_CONFIGS: ConfigRecord(reply)})
    return int(recorddict_to_proto(content).ByteSize())


def _delivered(nid: int, boxes: dict[int, dict[str, Any]]) -> dict[str, Any]:
    sources, texts = [], []
    for source, reply in boxes.items():
        pairs = zip(reply[Key.DESTINATION_LIST], reply[Key.CIPHERTEXT_LIST], strict=True)
        for destination, text in pairs:
            if destination == nid:
                sources.append(source)
                texts.append(text)
    return {Key.SOURCE_LIST: sources, Key.CIPHERTEXT_LIST: texts}
