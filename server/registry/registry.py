"""The registry itself, without a network: submit, publish, hand out.

Invariants:
- An event is answered with a receipt only after its transaction is durable; a name that is taken
  answers with the same receipt, or, for other content, with a refusal.
- A sealed record is filed once, so no member files another's row again.
- A key epoch is proposed with a key set that `epoch_admission` takes.
- Lenders submit under their own code only. The registry's own events go through the same rules.
- Its clock never runs backwards in the log, whatever the machine's does.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, insert, select

from server.registry import tables
from server.registry.database import Database
from server.registry.epoch_admission import EpochAdmission
from server.registry.handing_out import Version, snapshot, versions_since
from server.registry.publishing import (
    Batches,
    Buckets,
    latest,
    publish_due,
    unpublish,
)
from server.registry.sealed_records import take_records
from server.registry.sql_state import SqlState, erase
from server.registry.verification import verify
from server.registry.waiting_items import waiting_entries, waiting_proposals
from shared.blacklist.checkpoint import Checkpoint
from shared.blacklist.events import (
    MOST_NAMED,
    Event,
    Expire,
    File,
    OpenEpoch,
    Refile,
    Suspend,
    check_signer,
    event_digest,
    is_stripped,
    read_event,
    signed,
)
from shared.blacklist.lifecycle import Logged, RefusedError, step
from shared.blacklist.receipt import BEGINNING, Receipt, log_head
from shared.blacklist.rows import Row
from shared.blacklist.state import EntryState
from shared.blacklist.terms import TERMS, Terms
from shared.blacklist.transitions import IllegalTransitionError, Status
from shared.blacklist.waiting import WaitingEntry, WaitingProposal
from shared.errors import PeerError
from shared.identity.certificate import Identity
from shared.secure_sum.encoding import read_text, text_of

MOST_EVENTS = 64
"""In one submission."""
_log = logging.getLogger("lianfang.registry")
_EPOCH_DAY = date(1970, 1, 1).toordinal()


@dataclass(frozen=True)
class Refusal:
    """Why an event was not taken: a short code and sentences."""

    reason: str
    what: str
    remedy: str = ""


class Registry:
    """Over an open database. `clock`: the time with a zone; `random`: as `os.urandom`.

    Raises DamagedError when what lies in the database is not what the log gives.
    """

    def __init__(
        self,
        database: Database,
        identity: Identity,
        authority: bytes,
        *,
        clock: Callable[[], datetime],
        random: Callable[[int], bytes],
        admission: EpochAdmission,
        terms: Terms = TERMS,
        batches: Batches | None = None,
    ) -> None:
        self._database, self._identity, self._authority = database, identity, authority
        self._clock, self._random, self._terms = clock, random, terms
        self._admission = admission
        self._batches = Batches() if batches is None else batches
        self._turn = threading.Lock()
        self._unclean = True  # what was erased before a crash may still be in a file
        self._buckets: Buckets | None = verify(database, identity, authority, terms)

    @property
    def code(self) -> str:
        """Its code."""
        return self._identity.member.code

    @property
    def certificate(self) -> bytes:
        """Its identity's certificate (DER), under which it signs."""
        return self._identity.member.certificate

    def submit(self, peer: str, texts: Sequence[bytes]) -> list[Receipt | Refusal]:
        """An answer for each event of the member `peer`, in order. UnavailableError: for none."""
        if not 1 <= len(texts) <= MOST_EVENTS:
            raise PeerError(f"1 to {MOST_EVENTS} events are submitted at a time")
        answers: list[Receipt | Refusal] = []
        with self._turn, self._database.writing() as connection:
            answers += [self._answer(connection, peer, text) for text in texts]
        return answers  # only now: the transaction is over

    def tick(self) -> Checkpoint | None:
        """What time brings: expiries, overdue disputes, erasure, and the next version if due."""
        with self._turn:
            try:
                with self._database.writing() as connection:
                    self._let_time_pass(connection)
                    made = self._publish(connection)
                if self._unclean or made is not None:  # a version may let go of old changes
                    self._unclean = not self._database.clean()
                return made
            except BaseException:
                self._buckets = None  # they may be ahead of the database
                raise

    def latest(self) -> Checkpoint | None:
        """The last checkpoint."""
        with self._database.reading() as connection:
            return latest(connection)

    def snapshot(self) -> Iterator[Checkpoint | Row]:
        """The last checkpoint, then its rows in order; nothing before the first version. Raises
        OvertakenError when a version comes before the last row was read.
        """
        return snapshot(self._database)

    def versions_since(self, version: int) -> Iterator[Version]:
        """Every version after this one, in order."""
        return versions_since(self._database, version)

    def own(self, peer: str) -> list[EntryState]:
        """The live entries of a contributor."""
        entries = tables.entries.c
        query = select(entries.text).where(entries.contributor == peer, entries.live)
        with self._database.reading() as connection:
            texts = connection.scalars(query.order_by(entries.entry_id)).all()
        return [read_text(EntryState, text) for text in texts]

    def waiting(self, peer: str) -> Iterator[WaitingEntry | WaitingProposal]:
        """What waits for a second institution other than its maker, this member."""
        with self._database.reading() as connection:
            day, days = _day(self._now(connection)), self._terms.consent_days
        yield from waiting_entries(self._database, peer)
        yield from waiting_proposals(self._database, peer, day, days)

    def _answer(self, connection: Connection, peer: str, text: bytes) -> Receipt | Refusal:
        try:
            event = read_event(text)
            if event.member != peer:
                raise RefusedError("not_yours", "an event is submitted by who signed it")
            if event.registry != self.code:
                raise RefusedError("registry", f"the event is for {event.registry}")
            known = self._known(connection, event)
            return known if known is not None else self._append(connection, event, text)
        except RefusedError as error:
            return Refusal(error.reason, error.what, error.remedy)
        except IllegalTransitionError as error:
            return Refusal("illegal_transition", error.what, error.remedy)
        except PeerError as error:
            return Refusal("malformed", error.what, error.remedy)

    def _known(self, connection: Connection, event: Event) -> Receipt | None:
        events = tables.events
        row = connection.execute(select(events).where(events.c.event_id == event.event_id)).first()
        if row is None:
            return None
        if row.digest != event_digest(event):
            raise RefusedError("other_content", "another event was filed under this event_id")
        return Receipt(
            registry=self.code,
            event_id=row.event_id,
            digest=row.digest,
            seq=row.seq,
            received=row.received,
            head=row.head,
            signature=row.receipt,
        )

    def _append(self, connection: Connection, event: Event, text: bytes) -> Receipt:
        """Log an event that is new; RefusedError and others, and nothing is written."""
        now = self._clock()
        check_signer(event, self._authority, now)
        if is_stripped(event):
            raise RefusedError("malformed", "an event comes with its sealed records")
        seq, head, last = self._end(connection)
        logged = Logged(seq + 1, max(int(now.timestamp()), last), event)
        state = SqlState(connection)
        changes = step(state, logged, self._terms)
        if isinstance(event, OpenEpoch):  # after the rules, whose quota bounds how often
            self._admission.check(event, state.epochs())
        take_records(connection, event)
        digest = event_digest(event)
        head = log_head(head, logged.seq, logged.received, digest)
        receipt = Receipt(
            registry=self.code,
            event_id=event.event_id,
            digest=digest,
            seq=logged.seq,
            received=logged.received,
            head=head,
        ).signed(self._identity.private)
        connection.execute(
            insert(tables.events).values(
                seq=logged.seq,
                event_id=event.event_id,
                about=_about(event),
                received=logged.received,
                digest=digest,
                head=head,
                text=text,
                receipt=receipt.signature,
            )
        )
        state.take(logged, changes)
        return receipt

    def _end(self, connection: Connection) -> tuple[int, bytes, int]:
        events = tables.events.c
        last = connection.execute(
            select(events.seq, events.head, events.received).order_by(events.seq.desc()).limit(1)
        ).first()
        return (0, BEGINNING, 0) if last is None else (last.seq, last.head, last.received)

    def _now(self, connection: Connection) -> int:
        return max(int(self._clock().timestamp()), self._end(connection)[2])

    def _let_time_pass(self, connection: Connection) -> None:
        day = _day(self._now(connection)).toordinal()
        entries = tables.entries.c
        over = select(entries.entry_id).where(entries.live, entries.expires <= day)
        ended = {*connection.scalars(over), *self._lapsed(connection, day)}
        self._own_events(connection, Expire, sorted(ended))
        late = day - timedelta(days=self._terms.dispute_days).days
        overdue = select(entries.entry_id).where(
            entries.status == Status.DISPUTED.value, entries.disputed < late
        )
        self._own_events(connection, Suspend, connection.scalars(overdue).all())
        final = (
            select(tables.events.c.about)
            .distinct()
            .join(tables.entries, entries.entry_id == tables.events.c.about)
            .where(entries.live.is_(False))
        )
        names = connection.scalars(final).all()
        tags = {tag for name in names for tag in erase(connection, name)}
        if tags:
            unpublish(connection, sorted(tags))
        self._unclean = self._unclean or bool(tags)

    def _lapsed(self, connection: Connection, day: int) -> Iterable[bytes]:
        """Entries that nobody approved in time (`removal_rules.is_lapsed`), by their filing in the
        log.
        """
        entries, events = tables.entries.c, tables.events.c
        before = (day - self._terms.consent_days - _EPOCH_DAY) * 86_400
        pending = entries.status == Status.PENDING_REVIEW.value
        query = select(entries.entry_id).distinct().where(pending, events.received < before)
        return connection.scalars(query.where(events.about == entries.entry_id))

    def _own_events(
        self, connection: Connection, kind: type[Expire] | type[Suspend], names: Sequence[bytes]
    ) -> None:
        for start in range(0, len(names), MOST_NAMED):
            event = kind(
                registry=self.code,
                event_id=self._random(16),
                member=self.code,
                certificate=self._identity.member.certificate,
                entries=tuple(names[start : start + MOST_NAMED]),
            )
            event = signed(event, self._identity.private)
            self._append(connection, event, text_of(event))
            _log.info("%s: %d entries", kind.__name__, len(event.entries))

    def _publish(self, connection: Connection) -> Checkpoint | None:
        if self._buckets is None:
            self._buckets = Buckets.read(connection)
        now = self._now(connection)
        return publish_due(connection, self._identity, self._buckets, now, self._batches)


def _about(event: Event) -> bytes | None:
    if isinstance(event, File):
        return event.entry.entry_id
    return event.entry_id if isinstance(event, Refile) else None


def _day(seconds: int) -> date:
    return date.fromordinal(_EPOCH_DAY + seconds // 86_400)
