"""What two sums over different lenders show when one is subtracted from the other.

Invariants:
- Codes only; nothing here knows a number of a lender.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_MOST_NAMED = 5


@dataclass(frozen=True)
class Difference:
    """`gone`: lenders of the earlier sum that are not in the later one; `new`: the reverse."""

    gone: tuple[str, ...]
    new: tuple[str, ...]

    @property
    def size(self) -> int:
        """How many lenders' numbers are in the difference."""
        return len(self.gone) + len(self.new)

    def in_words(self) -> str:
        """How the later sum would have to be to be over the same lenders; of many, a few names."""
        parts = [f"{word} {_named(codes)}" for word, codes in
                 (("with", self.gone), ("without", self.new)) if codes]  # fmt: skip
        return ", ".join(parts)


def difference_of(earlier: Iterable[str], later: Iterable[str]) -> Difference:
    """Between two sets of lenders' codes."""
    before, after = set(earlier), set(later)
    return Difference(tuple(sorted(before - after)), tuple(sorted(after - before)))


def nearest_of(earlier: Iterable[tuple[str, ...]], later: Iterable[str]) -> Difference:
    """The smallest difference to any of the earlier sets, of which there is at least one: it shows
    the most of single lenders.
    """
    codes = tuple(later)
    found = (difference_of(one, codes) for one in earlier)
    return min(found, key=lambda one: (one.size, one.gone, one.new))


def _named(codes: tuple[str, ...]) -> str:
    more = len(codes) - _MOST_NAMED
    return " ".join(codes[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
