"""Batches about borrowing: whose this lender answers ([asked]), and whether it can.

Nothing is said where there is no [asked] and no event was kept for it.

Invariants:
- Key holders are only connected to: TLS both ways, and nothing is asked of them.
"""

from __future__ import annotations

import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from queue import Empty, SimpleQueue

import grpc

from client.borrowing.asked_book import AskedBook
from client.borrowing.asked_settings import Willing, willing_of
from client.borrowing.giving_up import waiting
from client.borrowing.kept_events import KeptEvents
from client.credentials import read_members
from client.doctor.advice import Advice, attention, ok, wrong
from client.doctor.identity import pins
from client.exchange.known_list import KnownList
from client.exchange.settings import FILE as EXCHANGE
from client.exchange.settings import ExchangeSettings, read_exchange
from client.joining import MEMBERS, SETTINGS
from client.revoked import read_revoked
from client.settings import read_standing
from client.terms import read_consortium
from client.tls import channel
from shared.borrowing.batch import LEAST_LENDERS
from shared.training.consortium import FILE as CONSORTIUM
from shared.training.consortium import Consortium

SUBJECT, KEPT = "asked", "kept events"
SECONDS = 5.0
"""All key holders together are waited for."""
_KNOWN = (grpc.ChannelConnectivity.READY, grpc.ChannelConnectivity.TRANSIENT_FAILURE)
_KEEP = "lianfang-client borrowing keep EVENTS"


def asked(
    folder: Path, code: str, clock: Callable[[], datetime], *, network: bool
) -> Iterator[Advice]:
    """Of the lender `code`. Raises OperatorError or PeerError for what cannot be used at all."""
    sections = tomllib.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    section = sections.get("asked")
    kept = KeptEvents(folder / "own" / "borrowing" / "kept")
    if section is None:
        near = [one for one in sections if get_close_matches(one.lower(), ["asked"])]
        if near:
            yield wrong(
                SUBJECT,
                f"{SETTINGS} has [{near[0]}], and no [asked]: no batch is answered",
                "write [asked]",
            )
        elif kept.newest():
            yield attention(
                SUBJECT,
                f"events are kept to answer batches from, and {SETTINGS} has no [asked]: none is",
                "write [asked] with askers, or remove own/borrowing/kept; see docs/institution.md",
            )
        return
    consortium = read_consortium(folder / CONSORTIUM)
    willing = willing_of(folder / SETTINGS, section if isinstance(section, dict) else {"": section})
    yield from _askers(folder, code, willing, consortium, clock)
    yield from _unclosed(folder)
    if willing.askers is None or willing.askers:
        yield _told_today(folder, willing, clock().date().toordinal())
    yield from _events(folder, kept, consortium, clock, network=network)


def _askers(
    folder: Path,
    code: str,
    willing: Willing,
    consortium: Consortium,
    clock: Callable[[], datetime],
) -> Iterator[Advice]:
    """Whom it names against whom it knows, and how many lenders a sum takes."""
    standing, _ = read_standing(folder, consortium.profile, clock=clock)
    if "counts" not in standing.floors.kinds:
        yield wrong(
            SUBJECT,
            "[floors] kinds leaves out counts: every batch is refused",
            f'add "counts" to kinds in {SETTINGS}, or remove [asked]',
        )
    there = read_members(folder / MEMBERS, None).keys() - read_revoked(folder)
    least = max(
        willing.lenders, LEAST_LENDERS, standing.floors.minimum_cohort,
        consortium.terms.minimum_lenders,
    )  # fmt: skip
    if len(there) < least:
        yield from _too_few(folder, len(there), least, consortium)
    named = willing.askers
    if named is None:
        return
    if not named:
        yield attention(
            SUBJECT,
            "askers names nobody: no batch is answered",
            'name members\' codes, or write askers = "members"; or remove [asked]',
        )
    elif code not in named:
        yield attention(
            SUBJECT,
            f"{code} is not among its own askers: a batch of its own is refused here, and "
            "comes to nothing",
            f"add {code} to askers if you are to ask yourself",
        )
    if strange := sorted(named - there):
        yield attention(
            SUBJECT,
            f"askers that are no members here, or revoked: {', '.join(strange)}",
            f"compare their codes with {MEMBERS}; a new member: lianfang-client members --accept",
        )


def _too_few(folder: Path, there: int, least: int, consortium: Consortium) -> Iterator[Advice]:
    """Where nobody is pinned the list may be old: then only what this lender alone asks for is
    told.
    """
    over = f"and a batch is answered over {least} or more"
    if pins(folder):
        yield attention(
            SUBJECT,
            f"{there} members are pinned, {over}",
            "lianfang-client members --accept whom you have compared",
        )
    elif least > max(LEAST_LENDERS, consortium.terms.minimum_lenders):
        yield attention(
            SUBJECT,
            f"{MEMBERS} names {there} members, {over}, as {SETTINGS} says",
            f"lower lenders in [asked], or minimum_cohort in [floors]; where {MEMBERS} is old: "
            "lianfang-client members",
        )


def _unclosed(folder: Path) -> Iterator[Advice]:
    if not (folder / "own" / "outbox.jsonl").exists():
        return
    if (one := waiting(folder)) is None:
        return
    remedy = (
        "ask the coordinator for run resume; where it never comes: lianfang-client borrowing "
        "give-up"
    )
    if one.words:
        remedy = (
            "one person's word to give it up is there, another's is missing: lianfang-client "
            "borrowing give-up"
        )
    yield attention(
        SUBJECT,
        f"the end of a batch answered {one.at:%Y-%m-%d} was not heard: no other is answered",
        remedy,
    )


def _told_today(folder: Path, willing: Willing, today: int) -> Advice:
    asked_today = AskedBook(folder / "own" / "borrowing" / "asked").counted(today)
    whose = "every member's" if willing.askers is None else f"{len(willing.askers)} askers'"
    told = "; ".join(f"{code} {count}" for code, count in sorted(asked_today.items()))
    return ok(
        SUBJECT,
        f"{whose} batches are answered, {willing.daily} a day each; today: {told or 'none yet'}",
    )


def _events(
    folder: Path,
    kept: KeptEvents,
    consortium: Consortium,
    clock: Callable[[], datetime],
    *,
    network: bool,
) -> Iterator[Advice]:
    """What there is to answer from, and the way to the key holders, who make tokens of it."""
    epoch = kept.newest()
    if epoch:
        yield ok(KEPT, f"under key epoch {epoch}, rows: {len(kept.rows(epoch)):,}")
    else:
        yield wrong(KEPT, "no events are kept: every batch is refused", _KEEP)
    if not (folder / EXCHANGE).exists():
        yield attention(
            KEPT,
            f"there is no {EXCHANGE}: keeping events and asking need the key holders",
            f"write {EXCHANGE}; see docs/institution.md, 'The shared list'",
        )
        return
    exchange = read_exchange(folder, clock=clock)
    if exchange.context != consortium.name:
        yield wrong(
            KEPT,
            f"[exchange] context in {EXCHANGE} is not the consortium's name",
            f"write {consortium.name!r} there: batches of another name are refused by all",
        )
    yield from _epoch(folder, exchange, epoch)
    if network:
        yield from _holders(exchange)


def _epoch(folder: Path, exchange: ExchangeSettings, epoch: int) -> Iterator[Advice]:
    """Whether what is kept is under the newest key that this lender knows of."""
    known = KnownList(folder / "own" / "registry", exchange.registry, exchange.authority)
    checkpoint = known.checkpoint()
    newest = max(checkpoint.epochs, default=0) if checkpoint is not None else 0
    if epoch and newest > epoch:
        yield attention(
            KEPT,
            f"they are under key epoch {epoch}, and the list is at {newest}: batches of that are "
            "refused",
            f"{_KEEP}, all of them: they are kept under the new key",
        )


def _holders(exchange: ExchangeSettings) -> Iterator[Advice]:
    """Who is certified as the key holder that is expected at its address."""
    asked_for = {c: at for c, at in exchange.holders.items() if c not in exchange.revoked}
    there = _reached(exchange, asked_for)
    silent = [f"{code} at {address}" for code, address in asked_for.items() if code not in there]
    if silent:
        yield attention(
            "key holders",
            f"not reached over TLS: {', '.join(silent)}",
            f"check [holders] in {EXCHANGE} and the way there; answering goes on, keeping and "
            "asking may not",
        )
    if there:
        named = ", ".join(code for code in asked_for if code in there)
        yield ok("key holders", f"{named} answer over TLS, certified as such")


def _reached(exchange: ExchangeSettings, addresses: Mapping[str, str]) -> set[str]:
    """Connect to all at once; whoever is there, once each is or is not, or SECONDS are over."""
    told: SimpleQueue[tuple[str, grpc.ChannelConnectivity]] = SimpleQueue()
    until, open_still, there = time.monotonic() + SECONDS, {*addresses}, set()
    with ExitStack() as stack:
        for code, address in addresses.items():
            way = channel(address, code, exchange.transport)
            stack.callback(way.close)
            way.subscribe(lambda state, of=code: told.put((of, state)), try_to_connect=True)
        while open_still:
            try:
                code, state = told.get(timeout=max(0.0, until - time.monotonic()))
            except Empty:
                break
            if state is grpc.ChannelConnectivity.READY:
                there.add(code)
            if state in _KNOWN:
                open_still.discard(code)
    return there
