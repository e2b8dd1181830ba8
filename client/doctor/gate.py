"""The way to the coordinator: TLS, both clocks, the code that runs are started with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from client.bundles import listed_digests, read_bundles
from client.credentials import read_authority
from client.doctor.advice import Advice, attention, ok, wrong
from client.doctor.identity import pins
from client.https import Reply, request
from client.joining import AUTHORITY
from client.members import compare
from client.renewal import Membership
from shared.errors import PeerError

BUNDLES_PATH = "/lianfang/bundles"
SKEW, MOST_SKEW = timedelta(seconds=60), timedelta(hours=12)
"""Certificates begin a day before they are issued: a clock that is hours wrong still works."""


def gate(member: Membership, clock: Callable[[], datetime]) -> Iterator[Advice]:
    """Ask the gate as the node will. Raises UnreachableError, PeerError or OperatorError."""
    began = clock()
    authority = read_authority(member.folder / AUTHORITY, began)
    reply = request(member.gate, authority, "GET", BUNDLES_PATH, now=began, own=member.certified)
    content = reply.content()
    yield ok("gate", f"{member.gate} answers over TLS 1.3, certified as the coordinator")
    yield _clocks(reply, began, clock())
    yield _bundles(member, content)
    yield from _members(member, clock())


def _clocks(reply: Reply, began: datetime, ended: datetime) -> Advice:
    theirs = reply.date()
    if theirs is None:
        return attention("clock", "the gate does not tell its time", "compare both clocks yourself")
    middle = began + (ended - began) / 2
    skew = max(abs(theirs - middle) - timedelta(seconds=1), timedelta())  # it tells whole seconds
    if skew <= SKEW:
        return ok("clock", "this machine's and the coordinator's agree to a minute")
    told = f"this machine's and the coordinator's differ by {_long(skew)}"
    remedy = "set the wrong one, and let both follow a time server (chrony, systemd-timesyncd)"
    known = wrong if skew > MOST_SKEW else attention
    return known("clock", told, remedy)


def _long(span: timedelta) -> str:
    minutes = round(span.total_seconds() / 60)
    return f"{minutes} minutes" if minutes < 120 else f"{minutes // 60} hours"


def _bundles(member: Membership, content: bytes) -> Advice:
    """The coordinator's code against the list of what this lender lets run under that name."""
    try:
        shown = listed_digests(content)
    except PeerError:
        return wrong("code", "the gate's list of bundles is none", "tell the coordinator")
    allowed = read_bundles(member.folder)
    strange = [one[:16] for one in shown if one not in allowed]
    if strange:
        return wrong(
            "code",
            f"runs are started with code that bundles.json does not allow ({strange[0]} …)",
            "ask the coordinator which version it is, install the same, and add its digest to "
            "bundles.json; your node refuses it until then",
        )
    if not shown:
        return attention("code", "the coordinator has no bundle yet", "it makes one when it starts")
    return ok("code", "runs are started with the code that bundles.json allows")


def _members(member: Membership, now: datetime) -> Iterator[Advice]:
    lists = compare(member.folder, now=now)
    if lists.changed:
        yield wrong(
            "members",
            f"{', '.join(lists.changed)}: shown under another key than the one pinned",
            "ask that member by telephone before you take part in anything",
        )
    if lists.new and pins(member.folder):
        yield attention(
            "members",
            f"not pinned here: {', '.join(lists.new)}",
            "lianfang-client members; compare fingerprints, then members --accept",
        )
    if lists.gone:
        yield attention(
            "members",
            f"pinned, and not shown any more: {', '.join(lists.gone)}",
            "ask the coordinator whether they are revoked",
        )
