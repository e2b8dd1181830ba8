"""A book against a list, 3 of 5 holders, in one process: ours, and openmined-psi if installed."""

from __future__ import annotations

import importlib
import secrets
from collections.abc import Iterable
from typing import Any

import numpy as np

from shared.tokens.evaluation import MOST_INPUTS, blind, evaluate, finish
from shared.tokens.fastest import fastest_group
from shared.tokens.group import Group
from shared.tokens.keys import KeySet, KeyShare
from shared.tokens.tags import tags_of
from tests.bench.tokens_steps import QUORUM, Times, dealt, inputs_of

STEP = 7
"""Every seventh member of the book is on the list."""
BLOCK = 3 * MOST_INPUTS
"""Items that ours and the other do in turn: whole requests."""


def both(items: int) -> tuple[dict[str, float], dict[str, float] | None]:
    """Processor seconds of ours and of openmined-psi, in turn on one part of the work after the
    other, so that both meet the machine as busy.
    """
    group = fastest_group()
    keys, shares = dealt(group)
    sides: tuple[list[Times], list[Times]] = ([], [])
    for start in range(0, items, BLOCK):
        stop = min(start + BLOCK, items)
        first = start // STEP
        book, listed = inputs_of(start, stop), inputs_of(first, first + stop - start, STEP)
        sides[0].append(ours(group, keys, shares, book, listed))
        peer = openmined(book, listed)
        if peer is not None:
            sides[1].append(peer)
    return _seconds(sides[0]), _seconds(sides[1]) if sides[1] else None


def ours(
    group: Group,
    keys: KeySet,
    shares: dict[int, KeyShare],
    book: list[bytes],
    listed: list[bytes],
) -> Times:
    """Lender and all holders, for the book and for the list, and the match."""
    times = Times()
    both_tags = [
        tags(group, keys, shares, inputs, times, name)
        for name, inputs in (("book", book), ("list", listed))
    ]
    with times.of("match"):
        hits = np.isin(_keys(both_tags[0]), _keys(both_tags[1]))
    if int(hits.sum()) != len(set(book) & set(listed)):
        raise AssertionError("the tokens do not give the intersection")
    return times


def tags(
    group: Group,
    keys: KeySet,
    shares: dict[int, KeyShare],
    inputs: list[bytes],
    times: Times,
    name: str,
) -> np.ndarray:
    """(m, 32): the tags of inputs; `times` gets the lender's and the holders' share of it."""
    found = []
    for part in _batches(inputs):
        with times.of(f"{name}_lender"):
            own = blind(group, keys, part, secrets.token_bytes)
        request, answers = own.request(QUORUM), {}
        for index in QUORUM:
            with times.of(f"{name}_holders"):
                answers[index] = evaluate(group, shares[index], request, secrets.token_bytes)
        with times.of(f"{name}_lender"):
            outputs = finish(group, keys, own, request, answers, part)
            found.append(tags_of(outputs, keys.epoch))
    return np.concatenate(found)


def _batches(inputs: list[bytes]) -> Iterable[list[bytes]]:
    return (inputs[at : at + MOST_INPUTS] for at in range(0, len(inputs), MOST_INPUTS))


def _seconds(blocks: list[Times]) -> dict[str, float]:
    return {name: sum(sum(block.found[name]) for block in blocks) / 1e6 for name in blocks[0].found}


def _keys(rows: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(rows).view("V32").ravel().view("S32")


def openmined(book: list[bytes], listed: list[bytes]) -> Times | None:
    """Its client and server on the same work; None where not installed."""
    try:
        psi: Any = importlib.import_module("private_set_intersection.python")
    except ImportError:
        return None
    mine, theirs = ([item.decode() for item in side] for side in (book, listed))
    client, server = psi.client.CreateWithNewKey(True), psi.server.CreateWithNewKey(True)
    times, raw = Times(), psi.DataStructure.RAW
    with times.of("server"):
        setup = server.CreateSetupMessage(1e-9, len(mine), theirs, raw)
    with times.of("client"):
        request = client.CreateRequest(mine)
    with times.of("server"):
        response = server.ProcessRequest(request)
    with times.of("client"):
        hits = client.GetIntersection(setup, response)
    if len(hits) != len(set(book) & set(listed)):
        raise AssertionError("openmined-psi does not give the intersection")
    return times
