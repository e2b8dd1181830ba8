"""A real list over three years through a real registry: what a lender finds is what a set holds.

    contributors ─ signed events, gRPC, mutual TLS ► registry, SQLite ► version
    lender ◄ snapshot, then deltas ─ index on disk ─ book screened, every record opened

The registry takes 2 to 5 ms for an event and an entry has two, so all of it is for `make soak`: a
sample (all that were ever corrected, every 40th of the others, and of those that were removed every
12th: one lender's, so that its removals are bulk), and every entry of all four versions.
`make test` plays the list without a registry (`test_ofac_replay.py`).
Dates are three years later than the list's, when certificates are valid. Only counts and
sets are compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from client.exchange.cache import TokenCache
from client.exchange.index import ListIndex
from client.exchange.screening import Screener, Source
from shared.blacklist import entry as entries
from shared.blacklist import events
from shared.blacklist.reasons import Confidence, EvidenceKind, ListClass, ReasonCode
from shared.blacklist.record import mark_of, record_of
from shared.blacklist.rows import Row
from shared.tokens.identifiers import Canonical, token_input
from shared.tokens.tags import seal, seal_key, tags_of
from tests.blacklist_members import Lender, hashed
from tests.client.exchange import ofac
from tests.client.exchange.served_exchange import Exchange
from tests.client.exchange.stand_in import CONTEXT, StandIn, in_batches, random_from

MEMBERS = ("L01", "L02", "L03")
BEGIN = datetime(2024, 8, 1, tzinfo=UTC)
LATER = timedelta(days=3 * 365)
EVIDENCE = hashed("published order")
Moves = list[tuple[int, int, int]]


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Exchange]:
    """Three lenders and a registry, served on loopback."""
    exchange = Exchange(tmp_path, f"sqlite:///{tmp_path / 'registry.db'}", MEMBERS, BEGIN)
    yield exchange
    exchange.close()


def member_of(number: int) -> str:
    """Who files the entry."""
    return MEMBERS[number % len(MEMBERS)]


@dataclass
class Replay:
    """The contributors: what each of them has filed."""

    exchange: Exchange
    prf: StandIn = field(default_factory=StandIn)
    current: dict[int, bytes] = field(default_factory=dict)
    outputs: dict[Canonical, np.ndarray] = field(default_factory=dict)

    def submit(self, code: str, made: Sequence[events.Event]) -> None:
        """Over the network, kept on the lender's disk; every event is taken."""
        answers = self.clients[code].submit(made)
        assert all(answer.receipt for answer in answers)
        assert len(answers) == len(made)

    def found(self) -> None:
        """Open the first epoch."""
        self.exchange.found()
        self.clients = {code: self.exchange.client(code) for code in MEMBERS}

    def become(self, day: date, listed: ofac.Entries, before: ofac.Entries) -> None:
        """Filings, corrections and removals from one version of the public list to the next."""
        changed = [number for number in listed if listed[number] != before.get(number)]
        self.tokenise({one for number in changed for one in listed[number]})
        for code, lender in self.exchange.lenders.items():
            own = [number for number in changed if member_of(number) == code]
            filed = [self.file(lender, day, number, listed[number]) for number in own]
            self.submit(code, filed)
            self.submit(code, [lender.approve(one) for one in filed])
            gone = [n for n in before if n not in listed and member_of(n) == code]
            self.remove(lender, [self.current.pop(number) for number in gone])

    def tokenise(self, identifiers: set[Canonical]) -> None:
        """The outputs of identifiers not asked for before."""
        new = sorted(identifiers - self.outputs.keys())
        outputs = self.prf([token_input(CONTEXT, one) for one in new]) if new else []
        self.outputs.update(zip(new, outputs, strict=True))

    def file(
        self, lender: Lender, day: date, number: int, identifiers: frozenset[Canonical]
    ) -> events.File:
        """A filing; it supersedes the one before."""
        own = sorted(identifiers)
        tags = tags_of(np.stack([self.outputs[one] for one in own]), 1)
        entry = lender.entry(
            day=day,
            list_class=ListClass.MALICIOUS_EVASION,
            tokens=tuple(
                entries.SubjectToken(one.kind, tag.tobytes(), 1, entries.SubjectRole.SUBJECT)
                for one, tag in zip(own, tags, strict=True)
            ),
            reason_code=ReasonCode.E501,
            confidence=Confidence.ADJUDICATED,
            event_date=day,
            event_end_date=day,
            evidence=(entries.Evidence(EvidenceKind.ENFORCEMENT_ORDER, EVIDENCE),),
            legal_basis=entries.LegalBasis.PUBLIC_RECORD,
            notice=entries.Notice(exempt_reason=entries.Exemption.COURT_ORDER),
            supersedes=self.current.get(number),
        )
        self.current[number] = entry.entry_id
        random = random_from(entry.entry_id.hex())
        sealed = tuple(
            seal(
                seal_key(self.outputs[one]),
                record_of(entry, token, mark_of(lender.secret, token.token)).text(),
                token.token,
                random,
            )
            for token, one in zip(entry.tokens, own, strict=True)
        )
        filed: events.File = lender.sign(events.File(**lender.header(), entry=entry, sealed=sealed))
        return filed

    def remove(self, lender: Lender, names: Sequence[bytes]) -> None:
        """Withdrawals; for those that are bulk another institution finds its consent awaited."""
        for start in range(0, len(names), events.MOST_NAMED):
            part = tuple(names[start : start + events.MOST_NAMED])
            withdraw: Any = lender.sign(
                events.Withdraw(**lender.decided(), entries=part, cause=events.Cause.CLEARED)
            )
            self.submit(lender.code, [withdraw])
        other = next(one for one in self.exchange.lenders.values() if one != lender)
        for item in self.clients[other.code].waiting():
            shown = {"proposal": item.name, "digest": item.digest}
            self.submit(other.code, [other.sign(events.Consent(**other.decided(), **shown))])


def replayed(exchange: Exchange, listed: dict[str, ofac.Entries], *, by_delta: bool) -> Moves:
    """Play all versions; after each, what L02 has and finds is what plain sets hold. How many were
    listed, corrected and removed in each version.

    `by_delta`: L02 follows changes throughout. A long play takes so long that the registry
    publishes within it, and erases what it published since L02's last sync: then L02 takes the list
    whole.
    """
    everything = sorted({one for of in listed.values() for own in of.values() for one in own})
    strangers = [Canonical("account", f"SDN:9{number:07d}") for number in range(200)]
    book = ofac.write_book(exchange.home, everything + strangers)
    replay, index = Replay(exchange), exchange.index("L02")
    replay.found()
    exchange.publish()
    assert replay.clients["L02"].sync(index).touched is None  # a snapshot; from here on deltas
    before: ofac.Entries = {}
    moves = []
    for version, now in listed.items():
        day = date.fromisoformat(version) + LATER
        exchange.clock.now = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
        replay.become(day, now, before)
        exchange.publish()
        synced = replay.clients["L02"].sync(index)
        naive = naive_set(now)
        assert synced.touched is not None or not by_delta
        assert synced.rows == sum(map(len, naive.values())) == len(index.rows())
        source = Source(1, TokenCache(exchange.home / "tokens", 1), in_batches(replay.prf))
        screening = Screener(CONTEXT, index, [source], today=day).screen(book)
        answers = {everything[int(hit.ref)]: str(hit.answer.contributors) for hit in screening.hits}
        assert answers == {one: "1-2" if len(of) < 3 else "3-5" for one, of in naive.items()}
        assert (screening.findings.bad, screening.unreadable) == ((), 0)
        corrected = sum(n in before and before[n] != own for n, own in now.items())
        moves.append((len(now), corrected, len(before.keys() - now.keys())))
        before = now
    check_others(exchange, replay, index)
    return moves


def check_others(exchange: Exchange, replay: Replay, index: ListIndex) -> None:
    """After a restart that compares the log with everything, a member that comes late has the same
    rows by a snapshot, and they are those the registry publishes.
    """
    exchange.served.stop()
    exchange.start()
    late = exchange.index("L03")
    assert exchange.client("L03").sync(late).touched is None
    published = [row for row in exchange.served.registry.snapshot() if isinstance(row, Row)]
    assert late.rows() == index.rows() == published


def naive_set(listed: ofac.Entries) -> dict[Canonical, set[str]]:
    """Identifiers and who filed them."""
    out: dict[Canonical, set[str]] = {}
    for number, own in listed.items():
        for one in own:
            out.setdefault(one, set()).add(member_of(number))
    return out


def sample(listed: dict[str, ofac.Entries]) -> dict[str, ofac.Entries]:
    """All entries that two versions have differently, and some of the others."""
    seen: dict[int, set[frozenset[Canonical]]] = {}
    for of in listed.values():
        for number, own in of.items():
            seen.setdefault(number, set()).add(own)
    last = listed[ofac.VERSIONS[-1]]
    chosen = {
        number
        for number, own in seen.items()
        if len(own) > 1 or number % (40 if number in last else 12) == 0
    }
    return {
        version: {number: own for number, own in of.items() if number in chosen}
        for version, of in listed.items()
    }


@pytest.mark.soak
def test_a_sample_of_the_list_through_the_registry(exchange: Exchange) -> None:
    """Filed, superseded, removed one by one and in bulk; every record opened."""
    moves = replayed(exchange, sample(ofac.versions()), by_delta=True)
    assert moves == [(290, 0, 0), (311, 12, 31), (391, 11, 27), (414, 8, 13)]


@pytest.mark.soak
def test_the_whole_list_through_the_registry(exchange: Exchange) -> None:
    """The same with every entry of every version."""
    moves = replayed(exchange, ofac.versions(), by_delta=False)
    assert moves == [(9083, 0, 0), (10490, 12, 446), (13821, 11, 356), (14965, 8, 112)]
