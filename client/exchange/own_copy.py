"""This lender's own copy of the list: opened when needed, answered from only as it was seen.

Invariants:
- A copy that is not of the version of the last checkpoint kept here answers nothing: one that was
  removed, or put back from an old backup, would say "no hit" about whoever was listed since.
- What needs no copy (own entries, decisions) does not open it, so a damaged one stops no lookup of
  theirs; a sync takes a damaged one whole again.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from client.exchange.array_file import DamagedFileError
from client.exchange.index import ListIndex
from shared.errors import OperatorError

T = TypeVar("T")


class OwnCopy:
    """In `folder`; `known`: the version of the last checkpoint, None when nobody keeps one."""

    def __init__(self, folder: Path, known: Callable[[], int | None]) -> None:
        self._folder, self._known = folder, known
        self._index: ListIndex | None = None

    @property
    def index(self) -> ListIndex:
        """The copy, of whatever version. Raises OperatorError, DamagedFileError."""
        if self._index is None:
            self._index = ListIndex(self._folder)
        return self._index

    def answering(self) -> ListIndex:
        """The copy; OperatorError unless it is of the version that this lender has seen last."""
        for _ in range(2):
            known = self._known()
            if known is None or self.index.version == known:
                return self.index
            held, self._index = self.index.version, None  # another process may have synced since
        raise OperatorError(
            f"{self._folder} holds version {held} of the list, this lender has seen {known}: "
            "nothing was looked up",
            remedy="sync it: lianfang-client list sync",
        )

    def brought_up(self, sync: Callable[[ListIndex], T]) -> T:
        """Let `sync` bring the copy up to date; a damaged one is begun anew, from nothing."""
        try:
            return sync(self.index)
        except DamagedFileError:
            self._index = ListIndex(self._folder, anew=True)
            return sync(self._index)
