"""The coordinator's answers to Flower's SuperNode, bounded as their bytes come.

Invariants:
- An answer is given up at the first byte too many, whatever it says of its own length. It is never
  unpacked, and never looked for anywhere else.
- The parts of one question are bounded together, in number and bytes, while they come, however
  many threads fetch them; what they are made of is the executor's to judge
  (`shared/wire/parts.py`).
- What it is told of runs and their bundles, and keeps until it ends, is bounded each and together;
  a bundle is the one that its run named.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from shared.errors import PeerError
from shared.wire.bounds import MOST_PARTS, MOST_REPLY, MOST_SMALL

if TYPE_CHECKING:
    import httpx

MOST_ANSWER = MOST_REPLY + MOST_SMALL
"""Bytes of one answer as it travels: a part, a bundle, or what a question says of itself."""


MOST_BUNDLE, MOST_KEPT = 16 << 20, 128 << 20
"""Bytes of one bundle (ours has one million), and of all runs and bundles that are kept."""


class TooMuchError(PeerError):
    """The coordinator sends more than any question of ours takes."""


def with_bounds(client: type[Any]) -> type[Any]:
    """Flower's client class, with every answer bounded; its calls raise TooMuchError."""

    class Bounded(client):  # type: ignore[misc]
        def __init__(self, *given: Any, **named: Any) -> None:
            super().__init__(*given, **named)
            self._client.event_hooks = {"response": [_bound]}  # before any of its body is read

    return Bounded


def _bound(response: httpx.Response) -> None:
    import httpx

    if response.has_redirect_location or "content-encoding" in response.headers:
        raise TooMuchError("an answer that is packed, or to be had elsewhere")
    stream = response.stream

    class Stream(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            left = most = getattr(_asking, "most", MOST_ANSWER)
            question = getattr(_asking, "question", None)
            for piece in stream:  # type: ignore[union-attr]
                left -= len(piece)
                if left < 0:
                    raise TooMuchError(f"an answer of more than {most} bytes")
                if question is not None:
                    question.coming(len(piece))
                yield piece

        def close(self) -> None:
            stream.close()  # type: ignore[union-attr]

    response.stream = Stream()


_asking = threading.local()
"""Of each thread: the question whose part it fetches now; how many bytes the answer has at most."""


@contextmanager
def _at_most(size: int) -> Iterator[None]:
    """Answers that this thread fetches within have no more bytes."""
    _asking.most = size
    try:
        yield
    finally:
        del _asking.most


class KeptAnswers:
    """Of one SuperNode: what it keeps of the coordinator's answers until it ends."""

    def __init__(self) -> None:
        self._left = MOST_KEPT
        self._bundles = set[str]()

    def run(self, fetch: Callable[[], Any]) -> Any:
        """What is told of a run, as `fetch` gives it; TooMuchError when it is too much."""
        with _at_most(MOST_SMALL):
            run = fetch()
        self._keep(MOST_SMALL)
        return run

    def bundle(self, digest: str, fetch: Callable[[], Any]) -> Any:
        """The bundle of this digest, as `fetch` gives it; TooMuchError when it is too large, or
        there are too many; PeerError when it is another one.
        """
        with _at_most(MOST_BUNDLE + MOST_SMALL):
            fab = fetch()
        if not fab.hash_str == digest == hashlib.sha256(fab.content).hexdigest():
            raise PeerError("a bundle that is not the one its run names")
        if digest not in self._bundles:
            self._keep(len(fab.content))
            self._bundles.add(digest)
        return fab

    def _keep(self, size: int) -> None:
        if size > self._left:
            raise TooMuchError("more runs and bundles than this process keeps: start it again")
        self._left -= size


class OneQuestion:
    """The parts of one question, which several threads fetch."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._parts, self._bytes = MOST_PARTS, MOST_REPLY
        self._coming = MOST_REPLY + MOST_PARTS * MOST_SMALL

    def coming(self, size: int) -> None:
        """So many bytes of any part have come, as they travel; TooMuchError as `fetched`."""
        with self._guard:
            self._coming -= size
            if self._coming < 0:
                raise TooMuchError(f"a question of more than {MOST_REPLY} bytes")

    def fetched(self, fetch: Callable[[], bytes]) -> bytes:
        """One more part, as `fetch` gives it; TooMuchError when nothing of ours has so much."""
        with self._guard:
            self._parts -= 1
            if self._parts < 0 or self._bytes < 0:
                raise TooMuchError(f"a question of more than {MOST_PARTS} parts")
        _asking.question = self
        try:
            content = fetch()
        finally:
            _asking.question = None
        with self._guard:
            self._bytes -= len(content)
            if self._bytes < 0:
                raise TooMuchError(f"a question of more than {MOST_REPLY} bytes")
        return content
