"""The compiled group where this machine has it, and how it is compared with libsodium."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from shared.tokens.group import Group, InvalidPointError, Points, points_of, scalars_of
from shared.tokens.lanes import group as module
from shared.tokens.lanes.group import Lanes, compiled
from shared.tokens.sodium import Sodium

SODIUM = Sodium()
VECTORS = json.loads(Path(__file__).with_name("rfc9496_ristretto255.json").read_text())
INVALID = [bytes.fromhex(text) for texts in VECTORS["invalid"].values() for text in texts]
IDENTITY = points_of([bytes(32)])


def lanes_or_skip() -> Lanes:
    """Compiles at once. A machine without the instructions says that nothing was tested."""
    if compiled() is None:
        pytest.skip("NOT TESTED: compiled additions need a processor with AVX512-IFMA and llvmlite")
    return Lanes(pays=0)


def lanes_of(kernel: object, patch: pytest.MonkeyPatch) -> Lanes:
    """Lanes that use this kernel."""
    given = cache(lambda: kernel)
    given()
    patch.setattr(module, "compiled", given)
    return Lanes(pays=0)


@cache
def pool() -> Points:
    """The identity, small multiples of the generator and of its inverse, and elements at large."""
    small = SODIUM.multiply_base(scalars_of([*range(1, 6), *range(-5, 0)]))
    uniform = np.random.default_rng(1).integers(0, 256, (20, 64), dtype=np.uint8)
    return np.concatenate([IDENTITY, small, SODIUM.from_uniform(uniform)])


def drawn(count: int, seed: int) -> Points:
    """(count, 32), with repetition."""
    return pool()[np.random.default_rng(seed).integers(0, len(pool()), count)]


def spoilt(count: int, row: int, bad: bytes) -> Points:
    points = drawn(count, 3).copy()
    points[row] = np.frombuffer(bad, np.uint8)
    return points


def calls(points: Points, other: Points) -> dict[str, Callable[[Group], Points | None]]:
    """Everything that is compiled, with `points` in every place."""
    return {
        "add": lambda group: group.add(points, other),
        "add to": lambda group: group.add(other, points),
        "subtract": lambda group: group.subtract(points, other),
        "subtract from": lambda group: group.subtract(other, points),
        "add all": lambda group: group.add_all([other, points, other[:1]]),
        "add one": lambda group: group.add_all([points]),
        "total": lambda group: group.total(points),
        "check": lambda group: group.check(points),
    }


def outcome(call: Callable[[Group], Points | None], group: Group) -> bytes | str:
    """The bytes, or the refusal."""
    try:
        result = call(group)
    except InvalidPointError as error:
        return str(error)
    return b"" if result is None else repr(result.shape).encode() + result.tobytes()


def differences(group: Group) -> Iterator[str]:
    """Calls that do not end as libsodium's, over valid points and over every invalid one."""
    columns = [(pool(), drawn(len(pool()), 2))]
    columns += [(spoilt(9, at % 9, bad), drawn(9, 4)) for at, bad in enumerate(INVALID)]
    for points, other in columns:
        for name, call in calls(points, other).items():
            if outcome(call, group) != outcome(call, SODIUM):
                yield name
