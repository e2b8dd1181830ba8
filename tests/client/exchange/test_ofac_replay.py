"""A real list over three years: filings, corrections and removals, against naive sets.

Every version of the public list becomes events (File and Approve; a File that supersedes; a bulk
Withdraw with another institution's Consent), the events a state by the list's own fold, the state
rows, the rows a delta to the lender's index. Only counts and sets of numbers are compared.
Everything is listed and looked up; of every eighth subject the record is opened. The same through
a registry, with every record opened: `test_ofac_registry.py`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256, shake_256
from pathlib import Path

import numpy as np
import pytest

from client.exchange.cache import TokenCache
from client.exchange.index import ListIndex
from client.exchange.screening import Screener, Source
from shared.blacklist import entry as entries
from shared.blacklist import events
from shared.blacklist.lifecycle import Logged, fold
from shared.blacklist.reasons import Confidence, EvidenceKind, ListClass, ReasonCode
from shared.blacklist.record import mark_of, record_of
from shared.blacklist.rows import Row, changes_of
from shared.blacklist.state import State
from shared.blacklist.terms import Terms
from shared.blacklist.transitions import ANSWERING
from shared.tokens.identifiers import Canonical, token_input
from shared.tokens.tags import SEALED_BYTES, seal, seal_key, tags_of
from tests.blacklist_members import signed_keys
from tests.client.exchange import ofac
from tests.client.exchange.stand_in import CONTEXT, StandIn, in_batches, random_from
from tests.client.exchange.threshold_prf import ThresholdPrf

MEMBERS = ("L1", "L2", "L3")
TERMS = Terms(filings_a_day=1_000_000, pending=1_000_000)
"""A replay of years has no days to spread over."""
CHECKER, EVIDENCE = sha256(b"checker").digest(), sha256(b"evidence").digest()
PEOPLE = {"maker": sha256(b"maker").digest(), "checker": CHECKER, "certificate": b""}


def name(*parts: object) -> bytes:
    return sha256(repr(parts).encode()).digest()[:16]


def is_opened(one: Canonical) -> bool:
    """Every eighth subject is screened down to its record; of the others the tag is looked up."""
    return sha256(one.value.encode()).digest()[0] % 8 == 0


def member_of(number: int) -> str:
    return MEMBERS[number % len(MEMBERS)]


@dataclass
class Exchange:
    """Contributors, registry and one lender's copy in a few lines."""

    prf: StandIn | ThresholdPrf = field(default_factory=StandIn)
    state: State = field(default_factory=State)
    seq: int = 0
    filed: dict[bytes, events.File] = field(default_factory=dict)
    current: dict[int, bytes] = field(default_factory=dict)
    rows: dict[bytes, frozenset[Row]] = field(default_factory=dict)
    outputs: dict[Canonical, np.ndarray] = field(default_factory=dict)

    def log(self, day: date, log: Iterator[events.Event]) -> None:
        """Fold more events onto the state."""
        received = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
        logged = []
        for event in log:
            self.seq += 1
            logged.append(Logged(self.seq, received, event))
        self.state = fold(logged, TERMS, self.state)

    def become(self, version: str, day: date, listed: ofac.Entries, before: ofac.Entries) -> None:
        """The events that lead from one version of the public list to the next."""
        changed = [n for n in listed if listed[n] != before.get(n)]
        self._tokenise({one for n in changed for one in listed[n]})
        self.log(day, self._filings(version, day, listed, changed))
        self.log(day, self._approvals(version, changed))
        removed = [n for n in before if n not in listed]
        self.log(day, self._removals(version, removed))

    def _tokenise(self, identifiers: set[Canonical]) -> None:
        new = [one for one in identifiers if one not in self.outputs]
        outputs = self.prf([token_input(CONTEXT, one) for one in new]) if new else []
        self.outputs.update(zip(new, outputs, strict=True))

    def _filings(
        self, version: str, day: date, listed: ofac.Entries, numbers: list[int]
    ) -> Iterator[events.Event]:
        for number in numbers:
            event = self._file(version, day, number, listed[number])
            self.filed[event.entry.entry_id] = event
            self.current[number] = event.entry.entry_id
            yield event

    def _approvals(self, version: str, numbers: list[int]) -> Iterator[events.Event]:
        for number in numbers:
            entry = self.state.entries[self.current[number]]
            yield events.Approve(
                registry="R1",
                event_id=name("approve", version, number),
                member=entry.contributor,
                certificate=b"",
                entry_id=entry.entry_id,
                digest=entry.digest,
                checker=CHECKER,
                evidence=EVIDENCE,
            )

    def _file(
        self, version: str, day: date, number: int, identifiers: frozenset[Canonical]
    ) -> events.File:
        own = sorted(identifiers)
        tags = tags_of(np.stack([self.outputs[one] for one in own]), 1)
        listing = entries.ListingEntry(
            entry_id=name("entry", version, number),
            list_class=ListClass.MALICIOUS_EVASION,
            tokens=tuple(
                entries.SubjectToken(one.kind, tag.tobytes(), 1, entries.SubjectRole.SUBJECT)
                for one, tag in zip(own, tags, strict=True)
            ),
            reason_code=ReasonCode.E501,
            severity=2,
            confidence=Confidence.ADJUDICATED,
            event_date=day,
            event_end_date=day,
            listed_at=day,
            contributor=member_of(number),
            product_class=entries.ProductClass.OTHER,
            product_outcome=entries.ProductOutcome.REFUSED,
            amount_band=entries.AmountBand.NONE,
            evidence=(entries.Evidence(EvidenceKind.ENFORCEMENT_ORDER, EVIDENCE),),
            legal_basis=entries.LegalBasis.PUBLIC_RECORD,
            notice=entries.Notice(exempt_reason=entries.Exemption.COURT_ORDER),
            maker=PEOPLE["maker"],
            supersedes=self.current.get(number),
        )
        sealed = []
        for token, one in zip(listing.tokens, own, strict=True):
            if not is_opened(one):
                unopened = (version, number, one.value)
                sealed.append(shake_256(repr(unopened).encode()).digest(SEALED_BYTES))
                continue
            mark = mark_of(listing.contributor.encode(), token.token)
            text = record_of(listing, token, mark).text()
            random = random_from(f"{version} {number}")
            sealed.append(seal(seal_key(self.outputs[one]), text, token.token, random))
        return events.File(
            registry="R1",
            event_id=name("file", version, number),
            member=listing.contributor,
            certificate=b"",
            entry=listing,
            sealed=tuple(sealed),
        )

    def _removals(self, version: str, numbers: list[int]) -> Iterator[events.Event]:
        for code in MEMBERS:
            own = [self.current.pop(n) for n in numbers if member_of(n) == code]
            for start in range(0, len(own), events.MOST_NAMED):
                event_id = name("withdraw", version, code, start)
                withdraw = events.Withdraw(
                    registry="R1",
                    event_id=event_id,
                    member=code,
                    entries=tuple(own[start : start + events.MOST_NAMED]),
                    cause=events.Cause.CLEARED,
                    **PEOPLE,
                )
                yield withdraw
                if start or len(withdraw.entries) > TERMS.bulk_entries:
                    yield _consent(withdraw)

    def publish(self, index: ListIndex) -> None:
        """One row for each contributor of a tag; the difference to the version before."""
        by_tag: dict[bytes, dict[str, Row]] = {}
        for entry in self.state.entries.values():
            if entry.status in ANSWERING:
                event = self.filed[entry.entry_id]
                for token, sealed in zip(event.entry.tokens, event.sealed, strict=True):
                    row = Row(token.token, sealed, token.key_epoch)
                    by_tag.setdefault(token.token, {}).setdefault(entry.contributor, row)
        after = {tag: frozenset(of.values()) for tag, of in by_tag.items()}
        dropped = [tag for tag, rows in self.rows.items() if after.get(tag) != rows]
        added = [r for tag, rows in after.items() if self.rows.get(tag) != rows for r in rows]
        index.apply(changes_of(dropped, added), index.version + 1)
        self.rows = after


@pytest.mark.slow
def test_the_exchange_equals_a_naive_set_after_every_version(tmp_path: Path) -> None:
    """Every identifier that was ever listed, and others, answered as a set of strings answers."""
    listed = ofac.versions()
    everything = sorted({one for of in listed.values() for own in of.values() for one in own})
    strangers = [Canonical("account", f"SDN:9{number:07d}") for number in range(2000)]
    opened = [one for one in everything if is_opened(one)]
    book = ofac.write_book(tmp_path, opened + strangers)
    exchange, index = Exchange(), ListIndex(tmp_path / "list")
    before: ofac.Entries = {}
    moves = []
    exchange.log(date(2021, 8, 1), _opening())
    for version in ofac.VERSIONS:
        day = date.fromisoformat(version) + timedelta(days=1)
        exchange.become(version, day, listed[version], before)
        exchange.publish(index)
        source = Source(1, TokenCache(tmp_path / "tokens", 1), in_batches(exchange.prf))
        screening = Screener(CONTEXT, index, [source], today=day).screen(book)
        naive = _naive(listed[version])
        assert _found(index, exchange, everything) == naive.keys()
        answers = {opened[int(hit.ref)]: str(hit.answer.contributors) for hit in screening.hits}
        bands = {one: "1-2" if len(of) < 3 else "3-5" for one, of in naive.items()}
        assert answers == {one: bands[one] for one in opened if one in naive}
        assert (screening.findings.bad, screening.unreadable) == ((), 0)
        assert screening.asked == (0 if before else len(opened) + len(strangers))
        corrected = sum(n in before and before[n] != own for n, own in listed[version].items())
        removed = len(before.keys() - listed[version].keys())
        moves.append((len(listed[version]), corrected, removed))
        before = listed[version]
    assert moves == [(9083, 0, 0), (10490, 12, 446), (13821, 11, 356), (14965, 8, 112)]


def test_the_same_with_the_threshold_prf(tmp_path: Path) -> None:
    """A part of the list goes through blinds, holders and proofs, and answers as a set does."""
    chosen = {
        version: {n: own for n, own in listed.items() if n % 97 == 0}
        for version, listed in ofac.versions().items()
    }
    everything = sorted({one for of in chosen.values() for own in of.values() for one in own})
    exchange, index = Exchange(prf=ThresholdPrf()), ListIndex(tmp_path / "list")
    exchange.log(date(2021, 8, 1), _opening())
    book = ofac.write_book(tmp_path, everything)
    before: ofac.Entries = {}
    for version, listed in chosen.items():
        day = date.fromisoformat(version) + timedelta(days=1)
        exchange.become(version, day, listed, before)
        exchange.publish(index)
        source = Source(1, TokenCache(tmp_path / "tokens", 1), in_batches(exchange.prf))
        screening = Screener(CONTEXT, index, [source], today=day).screen(book)
        answers = {everything[int(hit.ref)] for hit in screening.hits}
        assert answers == {one for one in _naive(listed) if is_opened(one)}
        assert _found(index, exchange, everything) == _naive(listed).keys()
        before = listed
    assert len(everything) > 150


def _opening() -> Iterator[events.Event]:
    """Key epoch 1 is opened by one member with the consent of another."""
    opened = events.OpenEpoch(
        registry="R1", event_id=name("open"), member="L1", epoch=1, keys=signed_keys(1), **PEOPLE
    )
    yield opened
    yield _consent(opened)


def _consent(event: events.Event) -> events.Consent:
    return events.Consent(
        registry="R1",
        event_id=name("consent", event.event_id),
        member=next(one for one in MEMBERS if one != event.member),
        proposal=event.event_id,
        digest=events.event_digest(event),
        **PEOPLE,
    )


def _found(index: ListIndex, exchange: Exchange, subjects: list[Canonical]) -> set[Canonical]:
    """The subjects whose tag is listed."""
    outputs = exchange.prf([token_input(CONTEXT, one) for one in subjects])
    return {subjects[at] for at in index.find(tags_of(outputs, 1)).asked}


def _naive(listed: ofac.Entries) -> dict[Canonical, set[str]]:
    out: dict[Canonical, set[str]] = {}
    for number, own in listed.items():
        for one in own:
            out.setdefault(one, set()).add(member_of(number))
    return out
