"""A contributor's standing: what it filed, what was reversed, what it may file.

Invariants:
- Days older than the window are forgotten; nothing else is. All numbers follow from the events.
- quota = base + verified entries × accuracy. What two institutions stand behind counts from the day
  after, and then for no more than the base: two that approve for each other have a quota too.
- An entry that ends before it could be verified verifies nothing, whoever approved it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from shared.blacklist.terms import Terms


@dataclass(frozen=True)
class Day:
    """Counts of one day; `day`: number of days since 0001-01-01 (`date.toordinal`); `alone`:
    removals without a second institution (`removals`); `lasting`: approvals of entries that still
    answer after `Terms.verified_days`; `corroborated`: those of them that two institutions stand
    behind; `disputed`, `proposed`: what it opened itself; `seconded`: its approvals of others'
    entries.
    """

    day: int
    filed: int = 0
    approved: int = 0
    lasting: int = 0
    corroborated: int = 0
    reversed: int = 0
    withdrawn: int = 0
    disputed: int = 0
    alone: int = 0
    proposed: int = 0
    seconded: int = 0


@dataclass(frozen=True)
class Standing:
    """Of the contributor `code`; `days` in order."""

    code: str
    days: tuple[Day, ...] = ()

    def count(self, day: int, what: str, terms: Terms, number: int = 1) -> Standing:
        """With `number` more of `what` (a field of `Day`) on this day."""
        kept = tuple(one for one in self.days if one.day > day - terms.window_days)
        if not kept or kept[-1].day < day:
            kept += (Day(day),)
        last = replace(kept[-1], **{what: getattr(kept[-1], what) + number})
        return replace(self, days=(*kept[:-1], last))

    def since(self, day: int, days: int, what: str) -> int:
        """How many of `what` in the last `days` days up to `day`."""
        return self._sum(what, lambda one: day - days < one <= day)

    def is_suspended(self, day: int, terms: Terms) -> bool:
        """Whether its reversals keep it from filing (see `Terms`)."""
        reversals = self.since(day, terms.window_days, "reversed")
        approved = self.since(day, terms.window_days, "approved")
        too_many = 100 * reversals > terms.reversal_percent * approved
        return reversals >= terms.least_reversals and too_many

    def verified(self, day: int, base: int, terms: Terms) -> int:
        """Lasting entries that stood for `verified_days`, and `base` at most of those before today
        that another institution approved too, less those withdrawn or reversed.
        """
        old = self._sum(
            "lasting", lambda one: day - terms.window_days < one <= day - terms.verified_days
        )
        young = min(base, self.since(day - 1, terms.verified_days - 1, "corroborated"))
        lost = self.since(day, terms.window_days, "reversed")
        lost += self.since(day, terms.window_days, "withdrawn")
        return max(0, old + young - lost)

    def quota(self, day: int, base: int, terms: Terms) -> int:
        """base + verified × accuracy, rounded down; accuracy: share of approvals not reversed."""
        approved = self.since(day, terms.window_days, "approved")
        right = max(0, approved - self.since(day, terms.window_days, "reversed"))
        return base + (self.verified(day, base, terms) * right // approved if approved else 0)

    def _sum(self, what: str, wanted: Callable[[int], bool]) -> int:
        return sum(int(getattr(one, what)) for one in self.days if wanted(one.day))
