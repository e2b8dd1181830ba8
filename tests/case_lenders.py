"""Lenders of a case without a network: people, what they share, and a week's conversation with a
desk. Holders' outputs are hashes under a key that stands for theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from hashlib import sha256, sha512
from pathlib import Path

import numpy as np

from server.cases.desk import Desk
from server.cases.settings import Settings
from server.cases.store import Store
from shared.cases import bulletin as bulletins
from shared.cases.bulletin import Bulletin
from shared.cases.case import Case
from shared.cases.case_tokens import (
    Rows,
    attribute_tokens,
    degree_ids,
    pair_tags,
    subject_tokens,
)
from shared.cases.degree import shared_by
from shared.cases.pages import EdgeRows, count_pages, edge_pages
from shared.cases.ring_flag import RingFlag, mark_of
from shared.identity.certificate import Identity
from shared.rings.kinds import Kind
from shared.secure_sum.encoding import text_of
from tests.identities import authority_of, fixed_random, identity_under

TODAY = datetime.now(UTC).date()
MONDAY = TODAY - timedelta(days=TODAY.weekday())
"""Of this week: certificates in TLS are judged by the machine's own clock."""
START = datetime.combine(MONDAY, time(), UTC)
AUTHORITY = authority_of(now=START)
CASE = Case(
    id=b"c" * 16,
    name="spring",
    first_monday=MONDAY,
    weeks=4,
    kinds=tuple(Kind),
    epoch=1,
    opened=START.isoformat(),
    count_pages=2,
    edge_pages=1,
)


def output(identifier: str, key: str = "holders") -> bytes:
    """What the holders would answer, 64 bytes."""
    return sha512(f"{key}|{identifier}".encode()).digest()


def outputs(identifiers: Sequence[str], key: str = "holders") -> Rows:
    """(m, 64)."""
    joined = b"".join(output(one, key) for one in identifiers)
    return np.frombuffer(joined, np.uint8).reshape(-1, 64)


def member(code: str) -> Identity:
    """A lender's identity."""
    return identity_under(AUTHORITY, code, "lender", START)


@dataclass
class Clock:
    """A clock that tests set."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now


@dataclass(frozen=True)
class Observed:
    """A person has something, seen in a week."""

    person: str
    thing: str
    kind: Kind
    week: int = 0
    band: int = 0


@dataclass
class Lender:
    """`book`: what it has seen; `listed`: people it found on the list."""

    code: str
    book: list[Observed] = field(default_factory=list)
    listed: set[str] = field(default_factory=set)
    random: Callable[[int], bytes] = field(default_factory=lambda: fixed_random("pages"))

    @property
    def identity(self) -> Identity:
        return member(self.code)

    @property
    def mark(self) -> bytes:
        """Which only it and the desk know."""
        return sha256(f"mark of {self.code}".encode()).digest()

    def takes(self, case: Case, bulletin: Bulletin, person: str) -> bool:
        """Whether it takes somebody for a member, as `client.rings.looking` does."""
        flag = self.flags(case, bulletin, [person]).get(person)
        if flag is None:
            return False
        subject = subject_tokens(case.id, outputs([person]))[0].tobytes()
        return flag.distance == 0 or mark_of(self.mark, flag.ring, subject) in flag.marks

    def known(self, week: int) -> list[Observed]:
        return [one for one in self.book if one.week <= week]

    def ids(self, case: Case, week: int) -> Rows:
        return degree_ids(case.id, outputs([one.thing for one in self.known(week)]))

    def count_pages(self, case: Case, week: int) -> list[bytes]:
        """All that it knows, each week anew: the desk counts nothing twice."""
        things, people = self._outputs(week)
        ids, tags = degree_ids(case.id, things), pair_tags(case.id, things, people)
        pages = count_pages(case, week, ids, tags, self.identity, self.random)
        return [text_of(page) for page in pages]

    def edge_pages(self, case: Case, week: int, told: Rows | None) -> list[bytes]:
        """Edges of what is told only; `told` None: all of them."""
        things, people = self._outputs(week)
        known = self.known(week)
        sent = np.ones(len(known), bool)
        if told is not None and len(known):
            sent = shared_by(told, degree_ids(case.id, things))
        edges = EdgeRows(
            subject_tokens(case.id, people)[sent],
            attribute_tokens(case.id, things)[sent],
            np.array([one.kind for one in known], np.uint8)[sent],
            np.array([one.week for one in known], np.uint16)[sent],
            np.array([one.band for one in known], np.uint8)[sent],
            np.array([one.person in self.listed for one in known], np.uint8)[sent],
        )
        pages = edge_pages(case, week, edges, self.identity, self.random, self.mark)
        return [text_of(page) for page in pages]

    def flags(self, case: Case, bulletin: Bulletin, people: Sequence[str]) -> dict[str, RingFlag]:
        """What the bulletin says about people."""
        found = bulletin.flags(case, subject_tokens(case.id, outputs(people)))
        return {people[place]: flag for place, flag in found.items()}

    def _outputs(self, week: int) -> tuple[Rows, Rows]:
        known = self.known(week)
        return outputs([one.thing for one in known]), outputs([one.person for one in known])


@dataclass
class Desks:
    """A desk over a folder, with its clock, that can be begun anew."""

    folder: Path
    clock: Clock = field(default_factory=Clock)
    settings: Settings = field(default_factory=Settings)

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.begin()

    def begin(self) -> None:
        """As a new process would."""
        self.store = Store(self.folder)
        identity = identity_under(AUTHORITY, "D1", "desk", START)
        authority = AUTHORITY.certificate
        draw = fixed_random(f"desk {self.clock.now}")
        self.desk = Desk(
            self.store, identity, authority, self.settings, clock=self.clock, random=draw
        )

    def restart(self) -> None:
        """End without a word, and begin anew."""
        self.store.close()
        self.begin()

    def open(self, pages: tuple[int, int] = (1, 1), weeks: int = 4) -> Case:
        kinds = [int(kind) for kind in Kind]
        live = {one.signed.case.name for one in self.desk.standings()}
        name = f"spring {len(live) + 1}" if live else "spring"
        return self.desk.open(name, MONDAY, weeks, kinds, 1, pages=pages).case

    def at(self, week: int, hours: float) -> None:
        """So many hours after a week is over."""
        over = START + timedelta(weeks=week + 1)
        self.clock.now = over + timedelta(hours=hours)

    def week(self, case: Case, lenders: Sequence[Lender], week: int = 0) -> Bulletin:
        """One week's conversation, to its bulletin."""
        self.at(week, 1)
        for lender in lenders:
            for page in lender.count_pages(case, week):
                self.desk.submit(lender.code, case.id, "count", page)
        self.at(week, 24)
        self.desk.tick()
        for lender in lenders:
            for page in lender.edge_pages(case, week, self.told(lender, case)):
                self.desk.submit(lender.code, case.id, "edges", page)
        self.at(week, 48)
        self.desk.tick()
        return self.bulletin(case)

    def told(self, lender: Lender, case: Case) -> Rows:
        _, ids = self.desk.told(lender.code, case.id)
        return np.frombuffer(ids, np.uint8).reshape(-1, 32)

    def bulletin(self, case: Case) -> Bulletin:
        """The latest one, checked from the first on as a member does."""
        known, authority = None, AUTHORITY.certificate
        for head in self.desk.heads(case.id, 0):
            read = bulletins.read_head(text_of(head), "D1", authority, self.clock.now)
            bulletins.check_follows(known, read)
            known = read
        assert known is not None
        return bulletins.read_content(known, self.desk.content(case.id, known.version))


def ring(lenders: Sequence[Lender], people: int = 6, name: str = "r") -> list[str]:
    """People who share devices, cards and a telephone, each at two lenders."""
    found = [f"{name} person {number}" for number in range(people)]
    for number, person in enumerate(found):
        for lender in (lenders[number % len(lenders)], lenders[(number + 1) % len(lenders)]):
            week = 0
            for kind, thing in (
                (Kind.DEVICE, f"{name} device {number // 3}"),
                (Kind.BANK_CARD, f"{name} card {number % 2}"),
                (Kind.PHONE, f"{name} phone {number // 2 % 2}"),
                (Kind.GUARANTOR, f"{name} guarantor"),
            ):
                lender.book.append(Observed(person, thing, kind, week))
    return found


def innocents(lenders: Sequence[Lender], people: int = 60) -> list[str]:
    """People with things of their own, and now and then a telephone of two."""
    found = [f"honest {number}" for number in range(people)]
    for number, person in enumerate(found):
        lender = lenders[number % len(lenders)]
        lender.book.append(Observed(person, f"own device {number}", Kind.DEVICE))
        lender.book.append(Observed(person, f"home phone {number // 2}", Kind.EMERGENCY_CONTACT))
    return found
