"""Where the points of a small graph stand: springs and repulsion; one graph, one drawing.

Fruchterman and Reingold, *Graph drawing by force-directed placement*, 1991, from a spiral instead
of a drawn start; parts that hang together by nothing are kept near by a weak pull inwards.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
_ROUNDS, _SEPARATING, _FEWER = 300, 120, 60
_LARGE = 200
_INWARDS = 0.05


def layout(points: int, lines: Sequence[tuple[int, int]]) -> Points:
    """(points, 2) in units of the usual length of a line, around the origin."""
    if points < 2:
        return np.zeros((points, 2))
    place = _start(points)
    pairs = np.array(sorted({(min(a, b), max(a, b)) for a, b in lines}), np.int64).reshape(-1, 2)
    rounds = _ROUNDS if points <= _LARGE else _FEWER
    heat = np.linspace(0.1 * np.sqrt(points), 0.01, rounds)
    for step in heat:
        push = _push(place, pairs)
        length = np.maximum(np.linalg.norm(push, axis=1, keepdims=True), 1e-9)
        place = place + push / length * np.minimum(length, step)
    return _upright(place - place.mean(axis=0))


def apart(place: Points, size: Points) -> Points:
    """(points, 2): the points moved so that few boxes of this `size` (points, 2) around overlap."""
    place, count = place.copy(), len(place)
    for _ in range(_SEPARATING if count <= _LARGE else _FEWER):
        between = place[:, None, :] - place[None, :, :]
        between += np.where(between == 0, np.triu(np.ones((count, count)), 1)[:, :, None] * 1e-3, 0)
        over = (size[:, None, :] + size[None, :, :]) / 2 - np.abs(between)
        both = (over > 0).all(axis=2) & ~np.eye(count, dtype=bool)
        if not both.any():
            break
        across = over[:, :, 0] < over[:, :, 1]
        step = np.where(np.stack([across, ~across], axis=2) & both[:, :, None], over, 0)
        place += 0.3 * (step * np.sign(between)).sum(axis=1)
    return place


def _start(points: int) -> Points:
    """On a spiral, in the order of the points."""
    at = np.arange(points)
    angle, far = at * np.pi * (3 - np.sqrt(5)), np.sqrt(at + 0.5)
    return np.stack([far * np.cos(angle), far * np.sin(angle)], axis=1) * 0.6


def _push(place: Points, pairs: NDArray[np.int64]) -> Points:
    apart = place[:, None, :] - place[None, :, :]
    square = np.maximum((apart**2).sum(axis=2), 1e-4)
    push: Points = (apart / square[:, :, None]).sum(axis=1) - _INWARDS * place
    if len(pairs):
        along = place[pairs[:, 0]] - place[pairs[:, 1]]
        pull = along * np.linalg.norm(along, axis=1, keepdims=True)
        np.add.at(push, pairs[:, 0], -pull)
        np.add.at(push, pairs[:, 1], pull)
    return push


def _upright(place: Points) -> Points:
    """The longer way lies across the page."""
    _, _, axes = np.linalg.svd(place, full_matrices=False)
    turned: Points = place @ (axes * np.sign(axes[:, :1] + 1e-12)).T
    return turned
