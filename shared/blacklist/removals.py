"""When a removal needs a second institution (docs/decisions/0015-removals.md).

Invariants:
- Every way in which one institution takes rows off the list counts alike: withdrawing, superseding,
  disputing an own entry. More than `Terms.bulk_entries` of them within `Terms.bulk_days` are bulk
  removal. What another institution disputed, approved or consented to does not count.
- An entry supersedes only one it shares a token with.
"""

from __future__ import annotations

from datetime import date

from shared.blacklist.events import File, is_stripped
from shared.blacklist.standing import Standing
from shared.blacklist.state import EntryState, View
from shared.blacklist.terms import Terms


def is_bulk(standing: Standing, day: date, more: int, terms: Terms) -> bool:
    """Whether `more` removals are too many for this institution alone."""
    recent = standing.since(day.toordinal(), terms.bulk_days, "alone")
    return more > 0 and recent + more > terms.bulk_entries


def wants_two(view: View, entry: EntryState, day: date, terms: Terms) -> bool:
    """Whether an entry answers only once a second institution approves it too: severity 3, or what
    it supersedes would have answered for longer, or would be one removal too many.
    """
    old = view.entry(entry.supersedes) if entry.supersedes is not None else None
    if entry.severity == 3 or old is None or not old.is_live:
        return entry.severity == 3
    return entry.expires < old.expires or is_bulk(
        view.standing(entry.contributor), day, removes(entry, old), terms
    )


def removes(entry: EntryState, old: EntryState) -> int:
    """How many removals (0, 1) it is that `entry` supersedes `old`: none with a second institution,
    or when an own dispute of the old one was counted already.
    """
    return int(entry.second is None and old.disputed_by != entry.contributor)


def is_about_another(view: View, event: File, old: EntryState) -> bool:
    """Whether the filing shares no token (so no kind, epoch and identifier) with `old`, which it
    names. False where tokens are erased: it was judged when it came, refusals are not logged.
    """
    known = view.tags(old.entry_id)
    if not known or is_stripped(event):
        return False
    return known.isdisjoint(token.token for token in event.entry.tokens)
