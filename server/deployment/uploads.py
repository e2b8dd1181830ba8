"""What members bring and fetch: bytes that the gate holds for them now, and bytes of each reply.

Invariants:
- The bodies of one member that are under way, and the answers that it has not taken yet, have
  `MOST_UNDER_WAY` bytes together.
- What a member uploads for one question has `MOST_REPLY` bytes at most, however often it announces
  its reply anew; a part that comes again counts once. A part that no answer of the SuperLink asked
  for since the gate began counts for one question that does not end.
- What is remembered is bounded by member: the questions answered last, some parts of each.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from server.deployment.refused_request import RefusedRequestError
from shared.wire.bounds import MOST_PARTS, MOST_REPLY

MOST_UNDER_WAY = 150 << 20
_QUESTIONS, _PARTS = 64, 4 * MOST_PARTS
_UNASKED = ""


class Body:
    """A member's body that is being read, or an answer to it."""

    def __init__(self, uploads: Uploads, code: str) -> None:
        self._uploads, self._code = uploads, code
        self.size = 0

    def grow(self, size: int) -> None:
        """By so many bytes; RefusedRequestError when that member has too many under way."""
        under_way = self._uploads.under_way
        if under_way[self._code] + size > MOST_UNDER_WAY:
            raise RefusedRequestError(429, "bytes", "too many bytes are under way")
        under_way[self._code] += size
        self.size += size

    def let_go(self) -> None:
        """Its bytes are held no more."""
        self._uploads.under_way[self._code] -= self.size
        self.size = 0


class Uploads:
    """Of all members, by code."""

    def __init__(self) -> None:
        self.under_way: Counter[str] = Counter()
        self._asked: dict[str, OrderedDict[str, dict[str, int]]] = {}

    @contextmanager
    def body(self, code: str) -> Iterator[Body]:
        """One that is read and passed on within the block."""
        body = Body(self, code)
        try:
            yield body
        finally:
            body.let_go()

    def answer(self, code: str) -> Body:
        """One that comes for a member; whoever asks for it lets it go."""
        return Body(self, code)

    def asked_for(self, code: str, question: str, parts: Iterable[str]) -> None:
        """The SuperLink takes these parts of the member's reply to a question."""
        questions = self._asked.setdefault(code, OrderedDict())
        names = list(parts)
        if not names or question == _UNASKED:
            return
        sizes = questions.setdefault(question, {})
        for name in names:
            if len(sizes) < _PARTS:
                sizes.setdefault(name, 0)
        while len(questions) > _QUESTIONS:
            questions.pop(next(one for one in questions if one != _UNASKED))

    def brought(self, code: str, part: str, size: int) -> None:
        """A part of so many bytes comes; RefusedRequestError when its reply has too many then."""
        questions = self._asked.setdefault(code, OrderedDict())
        found = next((one for one in reversed(questions) if part in questions[one]), _UNASKED)
        sizes = questions.setdefault(found, {})
        more = max(0, size - sizes.get(part, 0))
        if sum(sizes.values()) + more > MOST_REPLY or (part not in sizes and len(sizes) >= _PARTS):
            raise RefusedRequestError(413, "reply", "the parts of a reply are too large together")
        sizes[part] = max(size, sizes.get(part, 0))
