"""Where the parts of a large detection are worked on: in this process, or in Ray's workers.

Invariants:
- What a task gives back stays where it was made and is named by a reference; only what is asked for
  with `fetched` comes to this process.
- A task is a function of its arguments alone, so that Ray may do it again elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from shared.errors import OperatorError


class Engine(Protocol):
    """Does tasks."""

    def kept(self, value: Any) -> Any:
        """A reference to a value of this process."""

    def done(self, work: Callable[..., Any], *given: Any) -> Any:
        """A reference to what `work` gives for these values and references."""

    def dealt(self, work: Callable[..., Any], count: int, *given: Any) -> list[Any]:
        """References to each of the `count` things that `work` gives."""

    def fetched(self, references: Sequence[Any]) -> list[Any]:
        """The values."""


class Here:
    """This process, one task after another: references are the values themselves."""

    def kept(self, value: Any) -> Any:
        """The value."""
        return value

    def done(self, work: Callable[..., Any], *given: Any) -> Any:
        """What it gives."""
        return work(*given)

    def dealt(self, work: Callable[..., Any], count: int, *given: Any) -> list[Any]:
        """What it gives."""
        return list(work(*given))

    def fetched(self, references: Sequence[Any]) -> list[Any]:
        """The same."""
        return list(references)


class OnRay:
    """Ray's workers; `workers` says where they are."""

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        self._works: dict[Any, Any] = {}

    def kept(self, value: Any) -> Any:
        """In Ray's store of objects."""
        return self._ray.put(value)

    def done(self, work: Callable[..., Any], *given: Any) -> Any:
        """Begun, not waited for."""
        return self._remote(work).remote(*given)

    def dealt(self, work: Callable[..., Any], count: int, *given: Any) -> list[Any]:
        """Begun, not waited for."""
        if count == 1:
            return [self._remote(_first).remote(self.done(work, *given))]
        return list(self._remote(work).options(num_returns=count).remote(*given))

    def fetched(self, references: Sequence[Any]) -> list[Any]:
        """As soon as all are there."""
        return list(self._ray.get(list(references)))

    def _remote(self, work: Callable[..., Any]) -> Any:
        if work not in self._works:
            self._works[work] = self._ray.remote(work)
        return self._works[work]


def _first(values: Sequence[Any]) -> Any:
    return next(iter(values))


def swapped(engine: Engine, deal: Any, given: Sequence[Any], gather: Any, *about: Any) -> list[Any]:
    """A shuffle: each of the `given` is dealt into as many parts, gathered across all of them."""
    parts = len(given)
    dealt = [engine.dealt(deal, parts, one, *about, parts) for one in given]
    return [engine.done(gather, *(piece[at] for piece in dealt)) for at in range(parts)]


@contextmanager
def workers(address: str = "", cores: int | None = None) -> Iterator[OnRay]:
    """Ray's workers at this address, or on this machine's `cores`, until the block ends.

    OperatorError when Ray is not installed.
    """
    for name in ("RAY_USAGE_STATS_ENABLED", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"):
        os.environ.setdefault(name, "0")
    try:
        import ray
    except ImportError as error:
        raise OperatorError(
            "detection in parts needs Ray", remedy="pip install 'lianfang[ray]'"
        ) from error
    about: dict[str, Any] = {"num_cpus": cores, "include_dashboard": False}
    if address:
        about = {"address": address}
    try:
        ray.init(log_to_driver=False, configure_logging=False, **about)
        yield OnRay(ray)
    finally:
        ray.shutdown()
