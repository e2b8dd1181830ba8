"""A week at the desk: what is counted, then the edges of what is shared. Given again, it goes on.

    count   pairs that are on no page ─► all of the week's count pages ─► receipts
    edges   shared degrees ◄─ desk;  observations at them ─► all of the week's pages ─► receipts

Invariants:
- What is taken back goes on the pages first, as rows like any other.
- Every week all pages are sent, whatever this lender has; a week's pages are made once, kept, and
  the same bytes are sent until they are answered.
- Only observations at attributes that the desk says are shared leave as edges, whoever made the
  attribute shared and when: an old observation leaves with its own week.
- A desk that says of a drawn row that others share it is lying, and gets no edges: it cannot tell
  drawn rows from what only this lender has.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from client.exchange.parties import Progress, no_progress
from client.rings.case_tokens import CaseTokens
from client.rings.contributed import Contributed, Edge, KeptPage
from client.rings.parties import LateError, Shared, Standing, TheCaseDesk
from shared.cases.case import Case
from shared.cases.case_tokens import TOKEN_BYTES, Rows, degree_ids, pair_tags
from shared.cases.degree import shared_by
from shared.cases.pages import (
    BACK,
    CountPage,
    EdgePage,
    EdgeRows,
    Stage,
    count_pages,
    count_room,
    edge_pages,
    edge_room,
)
from shared.cases.taken_back import turned
from shared.errors import PeerError
from shared.identity.certificate import Identity
from shared.secure_sum.encoding import text_of


class LyingDeskError(PeerError):
    """The desk says of what was drawn for nobody that others have it; `shared`: its signed word."""

    def __init__(self, shared: Shared) -> None:
        super().__init__(
            "the case desk says that others have what was drawn here for nobody: it does "
            "not say what it counted; no edge was sent",
            remedy="tell the other members, and contribute no more to this desk",
        )
        self.shared = shared


Listed = Callable[[Sequence[Edge]], Collection[bytes]]
"""Subject tokens, of the people of some edges, that this lender finds on the shared list."""


@dataclass(frozen=True)
class Sent:
    """`stage`: what the desk collects, None: nothing now; `pages` that were answered now; `items`
    that are on the week's pages; `waiting`: that did not fit; `shared`: attributes known to be;
    `late`: weeks that closed before their pages were answered.
    """

    week: int
    stage: Stage | None
    pages: int = 0
    items: int = 0
    waiting: int = 0
    shared: int = 0
    late: int = 0


class Week:
    """This lender's part in the weekly rounds of one case."""

    def __init__(
        self,
        desk: TheCaseDesk,
        tokens: CaseTokens,
        contributed: Contributed,
        identity: Identity,
        random: Callable[[int], bytes],
    ) -> None:
        self._desk, self._tokens, self._contributed = desk, tokens, contributed
        self._identity, self._random = identity, random

    def go_on(self, standing: Standing, listed: Listed, progress: Progress = no_progress) -> Sent:
        """Do what is due. What the holders or the desk do not answer is raised, and is done when
        this is called again.
        """
        late = self._dropped(standing)
        self._contributed.back.settle()
        if standing.stage is None:
            return self._told(Sent(standing.week, None, late=late))
        if standing.stage == "count":
            items, waiting = self._count(standing)
        else:
            items, waiting = self._edges(standing, listed)
        pages, missed = self._send(standing, progress)
        self._contributed.back.settle()
        done = Sent(standing.week, standing.stage, pages, items, waiting, late=late + missed)
        return self._told(done)

    def _told(self, sent: Sent) -> Sent:
        return replace(sent, shared=len(self._contributed.attributes(shared=True)))

    def _dropped(self, standing: Standing) -> int:
        """Pages of rounds that are over wait no more; how many rounds had such."""
        over = {
            (stage, page.round)
            for stage in _STAGES
            for page in self._contributed.pending(stage)
            if (page.round, _STAGES.index(stage)) < _place(standing)
        }
        for stage, week in over:
            self._contributed.late(stage, week)
        return len(over)

    def _count(self, standing: Standing) -> tuple[int, int]:
        case, week = standing.signed.case, standing.week
        back, new = self._contributed.uncounted(back=True), self._contributed.uncounted()
        if self._contributed.has_pages("count", week):
            return 0, len(back) + len(new)
        chosen = [*back, *new][: count_room(case) - least_drawn(case)]
        gone = len(back[: len(chosen)])
        people = self._tokens.outputs([who.identifier for who, _ in chosen], case.epoch)
        things = self._tokens.outputs([what.identifier for _, what in chosen], case.epoch)
        ids, tags = degree_ids(case.id, things), pair_tags(case.id, things, people)
        drawn = self._contributed.drawn(week, count_room(case))[: count_room(case) - len(chosen)]
        ids = np.vstack([turned(ids[:gone]), ids[gone:], drawn[:, 0]])
        tags = np.vstack([turned(tags[:gone]), tags[gone:], drawn[:, 1]])
        pages = count_pages(case, week, ids, tags, self._identity, self._random)
        self._contributed.keep_count([*map(_kept, pages)], chosen[gone:], chosen[:gone])
        return len(chosen), len(back) + len(new) - len(chosen)

    def _edges(self, standing: Standing, listed: Listed) -> tuple[int, int]:
        case, week = standing.signed.case, standing.week
        self._learn(case, week)
        back = self._contributed.unsent(back=True)
        new = [edge for edge in self._contributed.unsent() if edge.week <= week]
        if self._contributed.has_pages("edges", week):
            return 0, len(back) + len(new)
        chosen = [*back, *new][: edge_room(case)]
        gone = len(back[: len(chosen)])
        rows = _columns(chosen, listed(chosen[gone:]), gone)
        known = self._contributed.recognition
        pages = edge_pages(case, week, rows, self._identity, self._random, known)
        self._contributed.keep_edges([*map(_kept, pages)], chosen[gone:], chosen[:gone])
        return len(chosen), len(back) + len(new) - len(chosen)

    def _learn(self, case: Case, week: int) -> None:
        """Which attributes are shared, as far as it was not known. PeerError for what cannot be."""
        unknown = self._contributed.attributes(shared=False)
        shared = self._desk.told(case, week)
        told = shared.ids
        for one in range(week + 1):
            if shared_by(told, self._contributed.drawn(one, count_room(case))[:, 0]).any():
                raise LyingDeskError(shared)
        if not unknown:
            return
        outputs = self._tokens.outputs([one.identifier for one in unknown], case.epoch)
        mask = shared_by(told, degree_ids(case.id, outputs))
        self._contributed.share(
            one.token for one, is_so in zip(unknown, mask, strict=True) if is_so
        )

    def _send(self, standing: Standing, progress: Progress) -> tuple[int, int]:
        """How many pages were answered, and whether the round closed meanwhile (1)."""
        stage = standing.stage
        assert stage is not None
        pending = self._contributed.pending(stage)
        told = progress(len(pending))
        for done, page in enumerate(pending):
            try:
                receipt = self._desk.submit(standing, stage, page.text, page.name)
            except LateError:
                self._contributed.late(stage, page.round)
                return done, 1
            self._contributed.answered(page.name, receipt)
            told(1)
        return len(pending), 0


_STAGES: tuple[Stage, ...] = ("count", "edges")


def least_drawn(case: Case) -> int:
    """Rows of a week's count pages that are drawn, whatever there is to be counted: 1 of 32."""
    return count_room(case) // 32


def _place(standing: Standing) -> tuple[int, int]:
    """Of a round in time; a page of an earlier one is late."""
    stage = standing.stage
    return standing.week, 0 if stage is None else _STAGES.index(stage)


def _kept(page: CountPage | EdgePage) -> KeptPage:
    return KeptPage(page.digest, page.week, page.number, text_of(page))


def _columns(edges: Sequence[Edge], listed: Collection[bytes], gone: int) -> EdgeRows:
    """`gone`: so many of the first ones are taken back."""

    def tokens(found: list[bytes]) -> Rows:
        return np.frombuffer(b"".join(found), np.uint8).reshape(-1, TOKEN_BYTES)

    return EdgeRows(
        subject=tokens([edge.person.token for edge in edges]),
        attribute=tokens([edge.attribute.token for edge in edges]),
        kind=np.array([int(edge.kind) for edge in edges], np.int64),
        week=np.array([edge.week for edge in edges], np.int64),
        band=np.array([edge.band for edge in edges], np.int64),
        listed=np.array(
            [
                BACK if at < gone else int(edge.person.token in listed)
                for at, edge in enumerate(edges)
            ],
            np.int64,
        ),
    )
