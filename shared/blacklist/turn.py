"""One event's turn: the event against the view before it, and the changes it makes.

Invariants:
- Changes are read before the view, so that rules see their own.
- Days are those on which the registry received events; members' clocks decide nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from shared.blacklist import events
from shared.blacklist.events import event_digest
from shared.blacklist.row_names import row_names
from shared.blacklist.standing import Standing
from shared.blacklist.state import Changes, EntryState, Proposal, View
from shared.blacklist.terms import Terms
from shared.blacklist.transitions import Move, Status, check_move
from shared.errors import PeerError

_EPOCH_DAY = date(1970, 1, 1).toordinal()
_SECONDS = 86_400
_COUNTED = {
    "filed": "filings",
    "disputed": "disputes",
    "proposed": "proposals",
    "seconded": "approvals of others' entries",
}


class RefusedError(PeerError):
    """An event the rules do not allow now; `reason` is a short code."""

    def __init__(self, reason: str, what: str, *, remedy: str = "") -> None:
        super().__init__(what, remedy=remedy)
        self.reason = reason


@dataclass(frozen=True)
class Logged:
    """An event in the log. `seq` from 1; `received`: seconds since 1970 by the registry's clock."""

    seq: int
    received: int
    event: events.Event

    @property
    def day(self) -> date:
        """The day (UTC) it was received."""
        return date.fromordinal(_EPOCH_DAY + self.received // _SECONDS)


class Turn:
    """What the rules for one event work on; `changes` is what comes of it."""

    def __init__(self, view: View, logged: Logged, terms: Terms) -> None:
        self.view, self.terms = view, terms
        self.seq, self.day = logged.seq, logged.day
        self.changes = Changes()

    def entry(self, name: bytes) -> EntryState:
        """The entry of this name, 16 bytes; RefusedError `unknown`."""
        found = self.changes.entries.get(name) or self.view.entry(name)
        if found is None:
            raise RefusedError("unknown", "there is no such entry")
        return found

    def own(self, name: bytes, member: str) -> EntryState:
        """The entry, which must be this member's; RefusedError `unknown`, `not_yours`."""
        found = self.entry(name)
        if found.contributor != member:
            raise RefusedError("not_yours", "only its contributor may do this to an entry")
        return found

    def put(self, entry: EntryState) -> None:
        """This is the entry from now on."""
        self.changes.entries[entry.entry_id] = entry

    def moved(self, entry: EntryState, move: Move, after: Status) -> EntryState:
        """In another status; IllegalTransitionError where the table does not lead there."""
        check_move(entry.status, move, after)
        return replace(entry, status=after)

    def reversed(self, entry: EntryState) -> EntryState:
        """Marked as reversed, which counts once against its contributor."""
        if not entry.reversed:
            self.count(entry.contributor, "reversed")
        return replace(entry, reversed=True)

    def standing(self, code: str) -> Standing:
        """The member's standing, what this event counted included."""
        return self.changes.standings.get(code) or self.view.standing(code)

    def count(self, code: str, what: str, number: int = 1) -> None:
        """Note `number` more of `what` (a field of `standing.Day`) today."""
        counted = self.standing(code).count(self.day.toordinal(), what, self.terms, number)
        self.changes.standings[code] = counted

    def check_quota(self, code: str, what: str, most: int) -> None:
        """RefusedError `quota` when the member has `most` of `what` (`filed`, `disputed`,
        `proposed`, `seconded`) today already.
        """
        if self.standing(code).since(self.day.toordinal(), 1, what) >= most:
            raise RefusedError(
                "quota",
                f"this member's {_COUNTED[what]} of today are used up",
                remedy="go on tomorrow",
            )

    def note_rows(self, name: bytes, event: events.File | events.Refile) -> None:
        """Keep the entry's new tags and row names. RefusedError `copied`: a live entry has the row,
        and disputes must meet one entry; or this one has the tag, of an earlier epoch.
        """
        rows = row_names(event)
        if any(self.view.filed(row) is not None for row in rows):
            raise RefusedError(
                "copied",
                "a row of this filing was filed before",
                remedy="seal every record anew; another lender's record cannot be filed again",
            )
        tokens = () if events.is_stripped(event) else event.tokens
        tags = frozenset(token.token for token in tokens)
        if not tags.isdisjoint(self.view.tags(name)):
            raise RefusedError(
                "copied",
                "the entry has a token of this filing already, under an earlier key",
                remedy="make tokens under the newest key",
            )
        self.changes.tags[name] = tags
        self.changes.rows[name] = rows

    def propose(self, event: events.Decided, **about: object) -> None:
        """Keep the event as a proposal; `about`: fields of `Proposal`. RefusedError `quota`."""
        self.check_quota(event.member, "proposed", self.terms.proposals_a_day)
        self.count(event.member, "proposed")
        kind, digest = type(event).__name__, event_digest(event)
        made = Proposal(event.event_id, digest, event.member, kind, self.day)
        self.changes.proposals[event.event_id] = replace(made, **about)  # type: ignore[arg-type]
