"""The desk itself, without a network: open cases, take pages, tell degrees, publish.

    waiting ─ Monday ─► count ─ count_hours ─► edges ─ edge_hours ─► finding ─► bulletin, next week
    any of them ─ its operator closes the case ─► closing bulletin, closed

Invariants:
- A stage ends at once for all, after its hours and not before `minimum_lenders` have sent all their
  pages; only then is anything told. With fewer it stays open.
- A page is durable before its receipt is made; the same page has the same receipt, ever; another
  at its place is refused. Counts and graphs are made of the pages anew: nothing counts twice.
- A lender is told of its own degree ids only.
- What a lender takes back is erased as the stage ends in which it says so, before anything is
  counted or found; what was taken of a week that a case is closed in is erased with the closing.
- A bulletin and the step to the next week are one transaction: after a crash both are there, or the
  bulletin, which nobody has seen, is made anew.
- A case whose step fails holds up no other one.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta

import numpy as np

from server.cases.collected import Collected
from server.cases.kept_pages import KINDS, graph_of, pairs_of, rewritten
from server.cases.publishing import found_in, published
from server.cases.said import OVER, Standing, said, said_shared
from server.cases.settings import Settings
from server.cases.store import DamagedError, Kept, KeptPage, Store
from shared.cases.bulletin import Head, check_follows
from shared.cases.case import ID_BYTES, Case, SignedCase
from shared.cases.case_tokens import TOKEN_BYTES, Rows
from shared.cases.degree import at_least, shared_by
from shared.cases.pages import CountPage, EdgePage, Receipt, Stage, count_room, read_page
from shared.cases.said import SaidShared, SaidStanding
from shared.errors import LianfangError, OperatorError, PeerError
from shared.identity.certificate import Identity
from shared.tokens.group import RandomBytes

_CLOSED = "closed"
"""The stage of a case that its operator ended before its weeks were over."""
REST_SECONDS = 3600.0
"""A case whose step failed as nobody foresaw, out of memory, say, is tried again after so long."""
_log = logging.getLogger("lianfang.cases")


class ClosedError(PeerError):
    """A page for a week or stage that is not open."""


class Desk:
    """Over an open store. `clock`: the time with a zone; `random`: as `os.urandom`.

    Raises DamagedError when bulletins in the store do not follow one another.
    """

    def __init__(
        self,
        store: Store,
        identity: Identity,
        authority: bytes,
        settings: Settings,
        *,
        clock: Callable[[], datetime],
        random: RandomBytes,
    ) -> None:
        self._store, self._identity, self._authority = store, identity, authority
        self._settings, self._clock, self._random = settings, clock, random
        self._turn = threading.Lock()
        self._told: dict[bytes, tuple[int, Rows]] = {}
        self._rests: dict[bytes, float] = {}  # until when a case is left alone
        for kept in store.cases():
            self._check_chain(kept)

    @property
    def code(self) -> str:
        """Its code."""
        return self._identity.member.code

    @property
    def certificate(self) -> bytes:
        """Its identity's certificate (DER), under which it signs."""
        return self._identity.member.certificate

    @property
    def is_demo(self) -> bool:
        """Whether it protects nobody."""
        return self._settings.profile == "demo"

    def open(
        self,
        name: str,
        first_monday: date,
        weeks: int,
        kinds: Sequence[int],
        epoch: int,
        *,
        minimum_lenders: int = 3,
        pages: tuple[int, int] = (4, 4),
    ) -> SignedCase:
        """A new case under a drawn id; OperatorError for terms that no case has, for the name of a
        case that goes on, and for one more than lenders take.
        """
        if minimum_lenders < 3 and not self.is_demo:
            raise OperatorError(
                f"a case of {minimum_lenders} lenders would tell one of them about the other",
                remedy="take 3 or more; fewer only in the profile demo",
            )
        live = [kept for kept in self._store.cases() if kept.stage not in OVER]
        if any(kept.case.name == name for kept in live):
            raise OperatorError(
                f"a case {name!r} goes on at this desk: lenders choose a case by its name",
                remedy="take another name; lianfang-server cases status names those there are",
            )
        now = self._clock().astimezone(UTC)
        try:
            case = Case(
                id=self._random(ID_BYTES),
                name=name,
                first_monday=first_monday,
                weeks=weeks,
                kinds=tuple(sorted(kinds)),
                epoch=epoch,
                minimum_lenders=minimum_lenders,
                opened=now.isoformat(timespec="seconds"),
                count_pages=pages[0],
                edge_pages=pages[1],
            )
        except PeerError as error:  # whoever reads this case would say so
            raise OperatorError(error.what, remedy="mend the case's terms") from error
        signed = SignedCase(case=case, desk=self.code, certificate=self.certificate)
        signed = signed.signed(self._identity.private)
        self._store.add_case(signed, int(now.timestamp()))
        return signed

    def standings(self) -> list[Standing]:
        """All cases, also those that are forgotten."""
        return [self._standing(kept) for kept in self._store.cases()]

    def said(self, standing: Standing) -> SaidStanding:
        """A standing, signed."""
        return said(standing, self._identity, int(self._clock().timestamp()))

    def said_shared(self, peer: str, case_id: bytes, week: int, ids: bytes) -> SaidShared:
        """What `told` gave a lender, signed."""
        case, now = self._kept(case_id).case, int(self._clock().timestamp())
        return said_shared(case, week, peer, ids, self._identity, now)

    def close(self, case_id: bytes) -> Head:
        """End a case now: no more pages, and a last bulletin that says so, with what is found up to
        the last week that is over. OperatorError for a case that is over already.
        """
        with self._turn:
            while True:
                kept = self._kept(case_id)
                if kept.stage in OVER:
                    raise OperatorError(
                        "that case is over already: nothing was changed",
                        remedy="lianfang-server cases status names those that go on",
                    )
                if kept.stage == "finding":
                    self._publish(kept, int(self._clock().timestamp()))
                elif self._publish_last(kept, int(self._clock().timestamp())):
                    return self._store.heads(case_id, 0)[-1]

    def submit(self, peer: str, case_id: bytes, stage: str, text: bytes) -> Receipt:
        """The receipt for a page of the lender `peer`; ClosedError when its week or stage is not
        open, PeerError for what is no such page.
        """
        if stage not in KINDS:
            raise PeerError("pages are of the stages count and edges")
        kept, (where, kind) = self._kept(case_id), KINDS[stage]
        page = read_page(kind, text, kept.case, peer, self._authority, self._clock())
        known = self._store.page(case_id, where, page.week, peer, page.number)
        if known is None:
            known = self._take(kept, where, page, text)
        if known.digest != page.digest:
            raise PeerError("another page was sent for this place before")
        receipt = Receipt(desk=self.code, page=known.digest, received=known.received)
        return receipt.signed(self._identity.private)

    def told(self, peer: str, case_id: bytes) -> tuple[int, bytes]:
        """The last week whose count is closed (-1: none), and those of the peer's ids that are at
        two subjects or more, in order, 32 bytes each, filled up to as many as anybody may have.
        """
        kept = self._kept(case_id)
        week = kept.week - (kept.stage == "count")
        if week < 0 or kept.stage in OVER:
            return -1, b""
        own = pairs_of(self._store, kept.case, week, peer)[0]
        found = np.unique(own[shared_by(self._told_in(kept.case, week), own)], axis=0)
        ids = [one.tobytes() for one in found]
        ids += _cut(self._random((count_room(kept.case) * (week + 1) - len(ids)) * TOKEN_BYTES))
        return week, b"".join(sorted(ids))

    def heads(self, case_id: bytes, since: int) -> list[Head]:
        """Heads of all bulletins after a version, in order."""
        return self._store.heads(self._kept(case_id).case.id, since)

    def content(self, case_id: bytes, version: int) -> bytes:
        """One bulletin's content; PeerError for one that is not there any more."""
        heads = self._store.heads(self._kept(case_id).case.id, version - 1) if version > 0 else []
        found = self._store.content(heads[0], case_id) if heads else None
        if found is None:
            raise PeerError("there is no such bulletin, or no more; ask for the latest")
        return found

    def tick(self) -> int:
        """What time brings: stages that end, bulletins, cases to be forgotten; how many steps. An
        error of one case, whatever it is, is raised when the others had their turn.
        """
        steps, errors = 0, list[Exception]()
        with self._turn:
            for kept in self._store.cases():
                if self._clock().timestamp() < self._rests.get(kept.case.id, 0):
                    continue
                try:
                    while self._step(kept):
                        kept, steps = self._kept(kept.case.id), steps + 1
                except LianfangError as error:
                    errors.append(error)
                except Exception as error:  # noqa: BLE001  one case's graph must not stop the others
                    self._rests[kept.case.id] = self._clock().timestamp() + REST_SECONDS
                    errors.append(error)
        if errors:
            raise errors[0]
        return steps

    def _take(self, kept: Kept, stage: Stage, page: CountPage | EdgePage, text: bytes) -> KeptPage:
        standing, now = self._standing(kept), int(self._clock().timestamp())
        if (standing.week, standing.stage) != (page.week, stage) or self._is_due(kept, standing):
            raise ClosedError(
                f"week {page.week} takes no {stage} page now",
                remedy="send it in the next week's pages",
            )
        taken = KeptPage(page.member, page.digest, now, text)
        if not self._store.add_page(kept, stage, page.number, taken):
            known = self._store.page(kept.case.id, stage, page.week, page.member, page.number)
            if known is None:
                raise ClosedError("the stage has just ended", remedy="send it next week")
            return known
        return taken

    def _kept(self, case_id: bytes) -> Kept:
        found = next((kept for kept in self._store.cases() if kept.case.id == case_id), None)
        if found is None:
            raise PeerError("this desk has no such case")
        return found

    def _standing(self, kept: Kept) -> Standing:
        opens, hours = kept.since, self._settings.edge_hours
        stage = kept.stage
        if stage == "count":
            opens = max(opens, _midnight(kept.case.monday(kept.week + 1)))
            hours = self._settings.count_hours
            stage = "waiting" if self._clock().timestamp() < opens else stage
        heads = self._store.heads(kept.case.id, 0)
        closes = opens + hours * 3600
        return Standing(kept.signed, kept.week, stage, opens, closes, len(heads))

    def _is_due(self, kept: Kept, standing: Standing) -> bool:
        """Whether the open stage is to end: its hours are over and enough lenders are there."""
        case = kept.case
        if standing.stage not in KINDS or self._clock().timestamp() < standing.closes:
            return False
        stage, _ = KINDS[standing.stage]
        pages = case.count_pages if stage == "count" else case.edge_pages
        there = self._store.contributors(case.id, stage, kept.week, pages)
        return there >= case.minimum_lenders

    def _step(self, kept: Kept) -> bool:
        case, now = kept.case, int(self._clock().timestamp())
        if kept.stage == "finding":
            self._publish(kept, now)
            return True
        if kept.stage in ("over", _CLOSED):
            late = timedelta(weeks=self._settings.keep_weeks).total_seconds()
            if now >= kept.since + late:
                self._store.forget(case.id)
                self._told.pop(case.id, None)
            return False
        if kept.stage not in KINDS or not self._is_due(kept, self._standing(kept)):
            return False
        after = "edges" if kept.stage == "count" else "finding"
        gone = [*rewritten(self._store, kept, self._random)]
        self._store.move(kept, after, now, gone)
        _log.info("week %d of a case: %s is closed", kept.week, kept.stage)
        return True

    def _publish(self, kept: Kept, now: int) -> None:
        """A week's bulletin."""
        over = kept.week + 1 >= kept.case.weeks
        after = (kept.week, "over", now) if over else (kept.week + 1, "count", now)
        self._published(kept, kept.week, after, now)

    def _publish_last(self, kept: Kept, now: int) -> bool:
        """That of a case that is closed now, without the week that is under way; False: the case
        has gone on meanwhile.
        """
        self._told.pop(kept.case.id, None)
        return self._published(kept, kept.week - 1, (kept.week, _CLOSED, now), now)

    def _published(self, kept: Kept, week: int, after: tuple[int, str, int], now: int) -> bool:
        case, closed = kept.case, after[1] == _CLOSED
        gone = [*rewritten(self._store, kept, self._random)] if closed else []
        before, least = self._store.rings(case.id), float(self._settings.least_score)
        found = found_in(self._graph(case, week), max(week, 0), before, least, self._random)
        last = next(reversed(self._store.heads(case.id, 0)), None)
        made = published(
            case,
            found,
            last,
            self._identity,
            self._random,
            week=max(week, 0),
            now=now,
            closed=closed,
        )
        head = made.head
        done = self._store.publish(kept, head, made.content, made.rings, after, gone)
        if done:
            _log.info("bulletin %d: %d rows, %d bodies", head.version, head.rows, head.bodies)
        return done

    def _graph(self, case: Case, week: int) -> Collected:
        return graph_of(self._store, case, week)

    def _told_in(self, case: Case, week: int) -> Rows:
        """Ids at two subjects or more among all pages up to a week, which are closed for good."""
        known = self._told.get(case.id)
        if known is None or known[0] != week:
            known = self._told[case.id] = (week, at_least(*pairs_of(self._store, case, week)))
        return known[1]

    def _check_chain(self, kept: Kept) -> None:
        """Each week that is over has its bulletin, and each follows the one before."""
        last, heads = None, self._store.heads(kept.case.id, 0)
        if len(heads) != kept.week + (kept.stage in OVER):
            raise DamagedError(self._store.path, "a week's bulletin is missing")
        for head in heads:
            try:
                check_follows(last, head)
            except PeerError as error:
                raise DamagedError(self._store.path, error.what) from error
            last = head
        if last is not None:
            self._store.content(last, kept.case.id)


def _cut(packed: bytes) -> list[bytes]:
    return [packed[at : at + TOKEN_BYTES] for at in range(0, len(packed), TOKEN_BYTES)]


def _midnight(day: date) -> int:
    return int(datetime.combine(day, time(), UTC).timestamp())
