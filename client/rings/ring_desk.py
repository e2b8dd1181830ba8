"""A lender's desk for rings: the cases it is in, what it contributes, what it is told, who decides.

    own/rings/tokens/        what the key holders gave, sealed
    own/rings/<case>/        the case, its last bulletin, what this lender contributed
    own/rings/decisions.jsonl

Invariants:
- It knows no network: the case desk is whoever has its methods.
- Looking up and showing ask nobody, once tokens are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from client.exchange.bad_rows import refuse
from client.exchange.desk import Desk
from client.exchange.parties import Progress, no_progress
from client.rings.attributes import is_subject
from client.rings.case_tokens import CaseTokens
from client.rings.contributed import Contributed
from client.rings.edges_file import Observations, read_edges
from client.rings.known_case import KnownCase, chosen, known_cases
from client.rings.listed import listed_among
from client.rings.looking import Told, look_up, nearest
from client.rings.outcomes import Contribution, Kept, OwnRing, SyncedCase
from client.rings.parties import Standing, TheCaseDesk, check_standing
from client.rings.taken_back import Counted
from client.rings.week import LyingDeskError, Week
from shared.cases.bulletin import (
    Bulletin,
    BulletinForkError,
    check_follows,
    read_content,
)
from shared.cases.case import Case
from shared.cases.case_tokens import TOKEN_BYTES
from shared.errors import OperatorError, PeerError
from shared.rings.kinds import Kind
from shared.tokens.identifiers import Canonical

Bars = Callable[[str], Progress]
"""A bar for what is done: its name → as `Progress`."""


def no_bars(_: str) -> Progress:
    """For whoever does not want to know."""
    return no_progress


class RingDesk:
    """Over the lender's desk for the list and the case desk, whose code is `code`. `authority`:
    DER; `clock`: the time with a zone.
    """

    def __init__(
        self,
        desk: Desk,
        case_desk: TheCaseDesk,
        code: str,
        authority: bytes,
        *,
        clock: Callable[[], datetime],
        random: Callable[[int], bytes],
    ) -> None:
        self.desk, self._case_desk, self._code = desk, case_desk, code
        self._authority, self._clock, self._random = authority, clock, random
        self.folder = desk.own_folder / "rings"
        self.tokens = CaseTokens(desk.context, self.folder / "tokens", desk.holders, random)
        self._open: dict[Path, Contributed] = {}

    def close(self) -> None:
        """Let files go."""
        for one in self._open.values():
            one.close()

    @property
    def now(self) -> datetime:
        """By the clock."""
        return self._clock()

    def cases(self) -> list[KnownCase]:
        """Those that are known here."""
        return known_cases(self.folder, self._code, self._authority)

    def contributed(self, known: KnownCase) -> Contributed:
        """What this lender contributed to a case."""
        if known.folder not in self._open:
            secret = self.desk.writer.secret
            self._open[known.folder] = Contributed(known.folder, secret, self._random)
        return self._open[known.folder]

    def refresh(self) -> Mapping[bytes, Standing]:
        """Ask the desk which cases there are, keep them; where each stands, by its id."""
        standings = {one.signed.case.id: one for one in self._case_desk.cases()}
        for one in standings.values():
            check_standing(one, self.now)
            self._known(one.signed.case.id).keep_case(one.signed)
        return standings

    def contribute(
        self, word: str, path: Path | None, *, without_bad: bool = False, bars: Bars = no_bars
    ) -> Contribution:
        """`keep`, then `send`."""
        kept = None if path is None else self.keep(word, path, without_bad=without_bad, bars=bars)
        return self.send(word, kept, bars=bars)

    def keep(
        self, word: str, path: Path, *, without_bad: bool = False, bars: Bars = no_bars
    ) -> Kept:
        """Keep what a file holds; of a case that is known here, the desk is not asked.

        OperatorError, and nothing was kept, for a file with bad rows, unless they are left out.
        """
        known = self.chosen(word)
        case = known.case()
        found = self._read(case, path, bars)
        if not without_bad:
            remedy = "mend them in the system they come from, or leave these rows out with "
            refuse(found.bad, path.name, remedy + "--without-bad-rows; nothing was sent")
        return Kept(found, self._keep(known, case, found, bars))

    def send(self, word: str, kept: Kept | None = None, *, bars: Bars = no_bars) -> Contribution:
        """Do what the case's week asks for. Given again, it goes on."""
        known = self.chosen(word)
        case = known.case()
        standing = self.refresh().get(case.id)
        if standing is None or standing.over:
            ended = (
                "was closed by its desk" if standing and standing.over == "closed" else "is over"
            )
            raise OperatorError(
                f"this case {ended}: nothing was sent",
                remedy="its last bulletin stays readable here (ring sync, then ring own); ask the "
                "desk's operator for another case",
            )
        week = Week(
            self._case_desk,
            self.tokens,
            self.contributed(known),
            self.desk.identity,
            self._random,
        )
        try:
            sent = week.go_on(
                standing,
                lambda edges: listed_among(self.desk, edges, bars("looking at the list")),
                bars("sending"),
            )
        except LyingDeskError as lie:
            lie.remedy = f"{lie.remedy}; what it signed is in {known.accuse_told(lie.shared)}"
            raise
        found, new = (None, 0) if kept is None else (kept.found, kept.new)
        return Contribution(case, found, new, sent)

    def take_back(
        self,
        word: str,
        path: Path | None,
        refs: Sequence[str] = (),
        *,
        really: bool,
        bars: Bars = no_bars,
    ) -> tuple[Case, Counted]:
        """What of the rows of a file, or of all of customers by reference, would be taken back;
        if `really`, it is: it leaves with the week's pages. Asks nobody.
        """
        known = self.chosen(word)
        case, back = known.case(), self.contributed(known).back
        names, unknown = back.of_refs(refs)
        if path is not None:
            found = self._read(case, path, bars)
            refuse(found.bad, path.name, "take the file that was contributed; nothing was done")
            more, missing = back.named(found)
            names, unknown = [*names, *more], unknown + missing
        counted = back.counted(names, unknown)
        if really:
            back.want(names)
        return case, counted

    def sync(self, word: str = "", bars: Bars = no_bars) -> list[SyncedCase]:
        """Bring this lender's bulletins up to date: of one case, or of all."""
        standings = self.refresh()
        cases = [chosen(self.cases(), word)] if word else self.cases()
        return [self._synced(one, standings.get(one.case().id), bars) for one in cases]

    def check(self, identifiers: Sequence[Canonical], bars: Bars = no_bars) -> list[Told]:
        """What is known about one applicant, in all cases, the nearest ring first."""
        people = [one for one in identifiers if is_subject(one.kind)]
        if not people:
            raise OperatorError(
                "nothing was looked up: a ring's members are known by what stays with a person",
                remedy="give --resident-id -, --uscc - or another such identifier",
            )
        found: list[Told] = []
        for known, bulletin in self.bulletins():
            case = known.case()
            subjects = self.tokens.subjects(case, people, bars("tokens"))
            found += look_up(bulletin, case, self.contributed(known), subjects).values()
        return sorted(found, key=lambda one: one.rank)

    def check_many(self, people: Sequence[Canonical], bars: Bars = no_bars) -> dict[int, Told]:
        """The same of many, by place: the nearest ring of each who has one."""
        found: dict[int, list[Told]] = {}
        places = [at for at, one in enumerate(people) if is_subject(one.kind)]
        asked = [people[at] for at in places]
        for known, bulletin in self.bulletins():
            case = known.case()
            subjects = self.tokens.subjects(case, asked, bars("tokens"))
            for at, told in look_up(bulletin, case, self.contributed(known), subjects).items():
                found.setdefault(places[at], []).append(told)
        return {at: one for at, many in found.items() if (one := nearest(many)) is not None}

    def bulletins(self) -> list[tuple[KnownCase, Bulletin]]:
        """Every case with a bulletin here. OperatorError when there is none."""
        found = [(one, one.bulletin(self.now)) for one in self.cases()]
        here = [(one, bulletin) for one, bulletin in found if bulletin is not None]
        if not here:
            raise OperatorError(
                "there is no bulletin here yet: nothing was looked up",
                remedy="fetch it: lianfang-client ring sync; the first comes when a week is over",
            )
        return here

    def age(self) -> timedelta:
        """How old the oldest of the bulletins here is."""
        heads = [one.head(self.now) for one in self.cases()]
        made = [head.at for head in heads if head is not None]
        return timedelta(seconds=max(0.0, self.now.timestamp() - min(made)) if made else 0)

    def own_rings(self) -> list[OwnRing]:
        """Rings that this lender's contributed customers are in or near, most members first."""
        rings: dict[tuple[bytes, bytes], OwnRing] = {}
        for known, bulletin in self.bulletins():
            case, kept = known.case(), self.contributed(known)
            people = kept.people()
            packed = np.frombuffer(b"".join(one.token for one in people), np.uint8)
            told = look_up(bulletin, case, kept, packed.reshape(-1, TOKEN_BYTES))
            for at, one in told.items():
                place = case.id, one.flag.ring
                before = rings[place].told if place in rings else ()
                rings[place] = OwnRing(case, one.flag.ring, (*before, (people[at], one)))
        return sorted(
            rings.values(),
            key=lambda one: (-one.at("member"), -one.at("lead"), -len(one.told), one.ring),
        )

    def known(self, case: Case) -> KnownCase:
        """A case by its id."""
        return self._known(case.id)

    def chosen(self, word: str) -> KnownCase:
        """A case that is known here, or else is at the desk."""
        try:
            return chosen(self.cases(), word)
        except OperatorError:
            self.refresh()
            return chosen(self.cases(), word)

    def _known(self, case_id: bytes) -> KnownCase:
        return KnownCase(self.folder / case_id.hex(), self._code, self._authority)

    def _read(self, case: Case, path: Path, bars: Bars) -> Observations:
        return read_edges(
            path,
            today=self.desk.today,
            first_monday=case.first_monday,
            weeks=case.weeks,
            kinds=[Kind(kind) for kind in case.kinds],
            progress=bars("reading"),
        )

    def _keep(self, known: KnownCase, case: Case, found: Observations, bars: Bars) -> int:
        if not found.rows:
            return 0
        people = self.tokens.subjects(case, found.people, bars("tokens of people"))
        things = self.tokens.attributes(case, found.attributes, bars("tokens of what they share"))
        return self.contributed(known).add(found, people, things)

    def _synced(self, known: KnownCase, standing: Standing | None, bars: Bars) -> SyncedCase:
        case, last = known.case(), known.head(self.now)
        before = 0 if last is None else last.version
        if standing is not None and standing.bulletin < before:
            raise PeerError(
                f"the case desk shows bulletin {standing.bulletin}; bulletin {before} is known",
                remedy="nothing was changed; ask its operator whether an old backup was restored",
            )
        heads = self._case_desk.heads(case, max(0, before - 1)) if standing is not None else []
        try:
            for head in heads:
                check_follows(last, head)
                last = head
        except BulletinForkError as fork:
            path = known.accuse(fork)
            fork.remedy = f"{fork.remedy}; both are in {path}"
            raise
        over = standing is None or bool(standing.over)
        if last is None:
            return SyncedCase(case, 0, 0, timedelta(), over=over)
        if last.version > before or self._is_damaged(known):
            content = self._case_desk.content(case, last, bars("bulletin"))
            read_content(last, content)
            known.keep(last, content)
        age = timedelta(seconds=max(0.0, self.now.timestamp() - last.at))
        new = last.version - before
        return SyncedCase(case, last.version, new, age, last.closed, over or last.closed)

    def _is_damaged(self, known: KnownCase) -> bool:
        try:
            return known.bulletin(self.now) is None
        except OperatorError:
            return True
