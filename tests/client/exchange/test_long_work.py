"""Work that a quota stops is finished on another day, and nothing is asked or charged twice."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from client.exchange.desk import Desk
from client.exchange.filing_terms import read_terms
from client.exchange.holders import Holders, TooFewHoldersError
from client.exchange.parties import Progress, no_progress
from client.exchange.subjects import Subject
from client.exchange.submissions import Settled
from server.actor import read_actor, write_actor
from shared.blacklist.events import Event, File
from shared.tokens.identifiers import Canonical
from tests.server.keyholder.key_holders import (
    AUTHORITY,
    CONTEXT,
    GROUP,
    NOW,
    TRUST,
    Local,
    LocalDoor,
    locals_of,
    relay_between,
)

REQUEST = 7  # inputs, and a check row: 8 points
PHONES = [Canonical("phone", f"138{n:08d}") for n in range(30)]  # five requests
TERMS = {
    "reason": "F101",
    "confidence": "confirmed",
    "event-date": f"{NOW.date()}",
    "product": "consumer",
    "outcome": "refused",
    "notice": "exempt:court_order",
}


@dataclass
class Taking:
    """A registry that takes everything."""

    taken: list[Event] = field(default_factory=list)

    def submit(self, events: Sequence[Event], progress: Progress = no_progress) -> list[Settled]:
        self.taken += events
        return [Settled(event.event_id, b"receipt", None) for event in events]


@dataclass
class Lender:
    """A desk whose holders answer two requests a day each: three requests of two holders."""

    desk: Desk
    holders: dict[str, Local]
    registry: Taking

    def charged(self, purpose: str) -> int:
        """Points charged within a day, at all holders."""
        return sum(one.holder.quotas.used("L01", purpose) for one in self.holders.values())

    def tomorrow(self) -> None:
        self.holders["K1"].clock.now += timedelta(days=1, hours=1)


@pytest.fixture
def lender(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lender]:
    monkeypatch.setattr("client.exchange.holders.MOST_INPUTS", REQUEST)
    quotas = dict.fromkeys(("filing", "rotation", "portfolio"), 16)
    holders = locals_of(tmp_path, quotas=quotas)
    relay_between(holders).generate()
    folder = tmp_path / "L01"
    random = secrets.token_bytes
    write_actor(folder, AUTHORITY, "L01", "lender", days=300, now=NOW, random=random)
    (folder / "case.txt").write_text("a case")
    own, doors = folder / "own", {code: LocalDoor(one) for code, one in holders.items()}
    token_key = Holders(doors, own, CONTEXT, TRUST, GROUP, random, pause=lambda seconds: None)
    identity, registry = read_actor(folder, "lender", NOW).identity, Taking()
    desk = Desk(
        identity,
        CONTEXT,
        "R1",
        own,
        token_key,
        registry,  # type: ignore[arg-type]
        epochs=lambda: (1,),
        clock=holders["K1"].clock,
        random=random,
    )
    yield Lender(desk, holders, registry)
    desk.close()
    token_key.close()


def filed(one: Lender) -> None:
    terms = read_terms(TERMS, ["forged_document=case.txt"], one.desk.own_folder.parent)
    subjects = [Subject((phone,)) for phone in PHONES]
    one.desk.file(subjects, [terms] * len(subjects), "Li Na")


def screened(one: Lender) -> None:
    book = one.desk.own_folder.parent / "book.csv"
    book.write_text("phone\n" + "".join(f"{phone.value}\n" for phone in PHONES))
    one.desk.screen(book)


def moved(one: Lender) -> None:
    one.desk.outputs(PHONES, 1, "rotation")


@pytest.mark.parametrize(
    ("purpose", "work"), [("filing", filed), ("rotation", moved), ("portfolio", screened)]
)
def test_what_a_quota_stops_is_finished_the_next_day(
    lender: Lender, purpose: str, work: Callable[[Lender], None]
) -> None:
    """The first day ends with the quota, and what was answered is kept; the second asks for the
    rest only, each request charged once at two holders.
    """
    with pytest.raises(TooFewHoldersError, match="quota of 16 points") as told:
        work(lender)
    assert "is kept: go on tomorrow" in told.value.remedy
    kept = len(lender.desk.tokens.cache(1))
    assert REQUEST <= kept <= 3 * REQUEST
    assert lender.registry.taken == []
    if purpose == "portfolio":  # several at a time may waste some of a day, never all of it
        for _ in range(3):
            lender.tomorrow()
            with suppress(TooFewHoldersError):
                work(lender)
    else:
        assert kept == 3 * REQUEST
        lender.tomorrow()
        work(lender)
        assert lender.charged(purpose) == 2 * 8 * 2
    assert len(lender.desk.tokens.cache(1)) == len(PHONES)
    if purpose == "filing":
        assert [type(event) for event in lender.registry.taken] == [File] * len(PHONES)


def test_without_keeping_parts_no_day_would_finish_it(
    lender: Lender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: kept only when all of it is there, every day is charged and nothing is done."""

    def at_the_end(cache: object, parts: object, told: object) -> None:
        list(parts)  # type: ignore[call-overload]

    monkeypatch.setattr("client.exchange.own_tokens.keep_parts", at_the_end)
    for _ in range(3):
        with pytest.raises(TooFewHoldersError):
            moved(lender)
        assert lender.charged("rotation") == 2 * 8 * 3
        assert len(lender.desk.tokens.cache(1)) == 0
        lender.tomorrow()


def test_progress_counts_every_token_once(lender: Lender) -> None:
    """What is told adds up to what was announced."""
    announced: list[int] = []
    told: list[int] = []

    def progress(total: int) -> Callable[[int], None]:
        announced.append(total)
        return told.append

    lender.desk.outputs(PHONES[:20], 1, "rotation", progress)
    assert (announced, told) == ([20], [7, 7, 6])
