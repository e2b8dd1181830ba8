"""The fraud list as part of a simulation: file, approve, dispute, withdraw, sync, screen, compare.

    first    one lender proposes the first key epoch, another consents
    each     files its planted frauds; a checker approves them
    then     a second institution approves the gravest entry, the first, and passes on that its
             subject disputes it; the last entry is withdrawn
    each     syncs and screens its newest applicants, on its own machine

Invariants:
- Members use what lenders use in earnest (`client.exchange`, through `Join`), holders and registry
  their services' code (`exchange.py`). Only the people are made up (`identities.py`).
- Every answer is compared with that of a plain comparison (`naive_list.py`).
- The result names no identifier, made up or not. Beside `measured` it follows from book and seed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from server.authority import read_authority
from server.simulation.book import Book
from server.simulation.exchange import (
    HOLDERS,
    MEMBERS,
    THRESHOLD,
    Exchange,
    found_exchange,
    make_key,
    open_exchange,
)
from server.simulation.founding import clear, mark, now
from server.simulation.identities import HABITS, Cast, Habits, cast_of
from server.simulation.list_figures import Told, figures_of
from server.simulation.naive_list import Listed, expected
from server.simulation.study import Study
from shared.blacklist.answer import Answer

Words = Mapping[str, str]
_PLANS: tuple[Words, ...] = (
    {"reason": "F101", "confidence": "confirmed", "severity": "2", "class": "fraud_confirmed"},
    {"reason": "F105", "confidence": "probable", "severity": "1", "class": "fraud_suspected"},
    {"reason": "F304", "confidence": "confirmed", "severity": "2", "class": "mule_account"},
    {"reason": "E501", "confidence": "adjudicated", "severity": "2", "class": "malicious_evasion"},
)
_EVIDENCE = {
    "F101": "forged_document",
    "F105": "verification_failed",
    "F304": "transaction_trace",
    "E501": "court_judgment",
}
_GRAVEST = {"severity": "3"}
_AGO = timedelta(days=30)


class Member(Protocol):
    """A lender in the exchange (`client.exchange.member.Member`). Texts are by kind."""

    def open_epoch(self) -> None:
        """Propose the holders' key."""

    def consent(self) -> None:
        """To what another proposes."""

    def sync(self) -> None:
        """Fetch the list."""

    def file(self, subjects: Sequence[Words], terms: Sequence[Words]) -> list[bytes]:
        """List subjects and let a checker approve them; the entries' names."""

    def second(self, subject: Words) -> None:
        """Approve, as second institution, the entry about this subject."""

    def dispute(self, subject: Words) -> None:
        """Pass on that this subject, a hit here, disputes its entry."""

    def withdraw(self, entry: bytes) -> None:
        """Take an own entry back."""

    def screen(self, book: Path) -> tuple[dict[str, Answer], int]:
        """Answers by customer reference, and how many identifiers were tokenised for them."""


Join = Callable[[Path, Exchange], AbstractContextManager[Member]]
"""The member whose folder this is."""


def fraud_list(
    run: Path,
    folder: Path,
    book: Book,
    study: Study,
    join: Join,
    *,
    habits: Habits = HABITS,
) -> dict[str, Any]:
    """Found the exchange in `folder` under the authority of `run`, play it, and report.

    Raises OperatorError when `folder` holds something else, PeerError when the parts of the
    exchange do not believe each other.
    """
    start = time.process_time()
    cast = cast_of_book(book, study.seed, habits)
    clear(folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    mark(folder)
    authority = read_authority(run / "authority", now())
    found_exchange(folder, authority, _context(study.title), [*cast.planted], now())
    with ExitStack() as stack:
        exchange = stack.enter_context(open_exchange(folder))
        make_key(exchange)
        members = {
            code: stack.enter_context(join(folder / MEMBERS / code, exchange))
            for code in cast.planted
        }
        listed = _filed(members, cast, exchange)
        told = [_told(code, member, cast, listed, folder) for code, member in members.items()]
    cpu = round(time.process_time() - start, 2)
    return figures_of(told, listed) | {
        "holders": len(HOLDERS),
        "threshold": THRESHOLD,
        "evaluations": exchange.evaluations,
        "measured": {"cpu": cpu, "bytes": exchange.meter.bytes},
    }


def cast_of_book(book: Book, seed: int, habits: Habits = HABITS) -> Cast:
    """The people of a book; its newest rows are those with the latest time, or else the last."""
    assert book.table.bad is not None  # a book is labelled
    times = book.table.time
    order = np.arange(book.table.rows) if times is None else np.argsort(times, kind="stable")
    return cast_of(book.lender, book.table.bad, order, seed=seed, habits=habits)


def _filed(members: Mapping[str, Member], cast: Cast, exchange: Exchange) -> list[Listed]:
    """Everybody files; the list afterwards, in plain."""
    first, second = list(members.values())[:2]
    first.open_epoch()
    second.consent()
    _published(members, exchange)
    listed: list[Listed] = []
    names: list[bytes] = []
    for code, member in members.items():
        terms = [_terms(len(listed) + at) for at in range(len(cast.planted[code]))]
        subjects = cast.planted[code]
        if subjects:
            names += member.file([one.texts for one in subjects], terms)
        listed += [
            Listed(code, subject, said["class"])
            for subject, said in zip(subjects, terms, strict=True)
        ]
    if listed:
        _seconded(members, listed[0])
        exchange.publish()
        _contested(members, listed, names)
    _published(members, exchange)
    return listed


def _seconded(members: Mapping[str, Member], entry: Listed) -> None:
    other = next(member for code, member in members.items() if code != entry.contributor)
    other.second(entry.subject.texts)


def _contested(members: Mapping[str, Member], listed: list[Listed], names: list[bytes]) -> None:
    """One dispute, and one entry taken back where there are two or more."""
    listed[0].disputed = True
    other = next(member for code, member in members.items() if code != listed[0].contributor)
    other.sync()
    other.dispute(listed[0].subject.texts)
    if len(listed) > 1:
        listed[-1].withdrawn = True
        members[listed[-1].contributor].withdraw(names[-1])


def _published(members: Mapping[str, Member], exchange: Exchange) -> None:
    exchange.publish()
    for member in members.values():
        member.sync()


def _terms(number: int) -> Words:
    """In words, of the entry filed as `number`-th (from 0); the first is the gravest."""
    day = (now() - _AGO).date().isoformat()
    plan = _PLANS[number % len(_PLANS)]
    rest = {
        "event-date": day,
        "evidence": _EVIDENCE[plan["reason"]],
        "product": "business",
        "outcome": "ended",
        "notice": f"letter:{day}",
    }
    return {**plan, **rest, **({} if number else _GRAVEST)}


def _told(code: str, member: Member, cast: Cast, listed: Sequence[Listed], folder: Path) -> Told:
    applicants = cast.applicants[code]
    path = folder / MEMBERS / code / "applicants.parquet"
    texts = pd.DataFrame([dict(one.texts) for one in applicants])
    texts.assign(customer_ref=[str(at) for at in range(len(applicants))]).to_parquet(path)
    answers, asked = member.screen(path)
    return Told(
        code,
        applicants,
        len(cast.planted[code]),
        {int(ref): answer for ref, answer in answers.items()},
        expected(code, applicants, listed),
        asked,
    )


def _context(title: str) -> str:
    """The consortium's name as tokens take it."""
    return title.replace("|", "/").strip()[:64] or "simulation"
