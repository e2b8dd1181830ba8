"""The in-process grid with some lenders' replies changed on their way, or their nodes not there."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from flwr.app import Message, RecordDict

from server.simulation.grid import InProcessGrid
from shared.wire.messages import Reply, pack_reply, parse_reply

Change = Callable[[str, Reply], Reply | RecordDict]
"""change(label of the question, honest reply) → what arrives instead."""


def node_of(lender: str) -> int:
    """L01 is at the first node."""
    return 999 + int(lender[1:])


def changed(lender: str, change: Change) -> Callable[[InProcessGrid], InProcessGrid]:
    """A grid on which one lender's replies are changed."""

    def wrap(grid: InProcessGrid) -> InProcessGrid:
        labels: dict[str, str] = {}
        push, pull = grid.push_messages, grid.pull_messages

        def pushed(messages: Iterable[Message]) -> list[str]:
            messages = list(messages)
            numbers = push(messages)
            stages = [str(message.content["ask"]["stage"]) for message in messages]
            labels.update(zip(numbers, stages, strict=True))
            return numbers

        def pulled(numbers: Iterable[str]) -> list[Message]:
            return [_changed(message, labels, lender, change) for message in pull(numbers)]

        grid.push_messages, grid.pull_messages = pushed, pulled  # type: ignore[method-assign]
        return grid

    return wrap


def _changed(message: Message, labels: dict[str, str], lender: str, change: Change) -> Message:
    if message.metadata.src_node_id == node_of(lender) and message.has_content():
        label = labels[message.metadata.reply_to_message_id]
        reply = change(label, parse_reply(message.content))
        message.content = reply if isinstance(reply, RecordDict) else pack_reply(reply)
    return message


def without(grid: InProcessGrid, absent: Callable[[], set[str]]) -> InProcessGrid:
    """A grid on which the nodes of some lenders are not there, as `absent` says at each look."""
    there = grid.get_node_ids

    def look() -> list[int]:
        gone = {node_of(lender) for lender in absent()}
        return [node for node in there() if node not in gone]

    grid.get_node_ids = look  # type: ignore[method-assign]
    return grid
