"""Who this lender is, and whom it believes: certificates, keys, the pinned list."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509

from client.credentials import private_text, read_authority, read_identity, read_members
from client.doctor.advice import Advice, attention, ok, wrong
from client.floors import floors_of
from client.joining import (
    AUTHORITY,
    CERTIFICATE,
    IDENTITY_KEY,
    MEMBERS,
    NODE_KEY,
    SETTINGS,
    TRANSPORT,
)
from client.renewal import Membership
from client.revoked import read_revoked
from client.settings import read_node
from client.terms import read_consortium
from client.tls import read_transport
from shared.identity.node_key import node_public_of
from shared.identity.pem import certificate_from_pem
from shared.training.consortium import FILE as CONSORTIUM

SOON = timedelta(days=14)


def settings(folder: Path) -> Iterator[Advice]:
    """client.toml, its floors and what this lender joined under. Raises OperatorError."""
    _, address, consortium = read_node(folder)
    path = folder / SETTINGS
    asked = tomllib.loads(path.read_text(encoding="utf-8")).get("floors", {})
    weak = floors_of(path, asked, consortium.profile).problems(consortium.profile)
    for problem in weak:
        yield attention("settings", f"[floors] {problem}", "make it stricter, or leave it out")
    if address != consortium.gate:
        yield attention(
            "settings",
            f"the gate in {SETTINGS} is {address}, in {CONSORTIUM} {consortium.gate}",
            "ask the coordinator which is right",
        )
    yield ok("settings", f"{SETTINGS} and {CONSORTIUM} can be read: {consortium.name}")


def certificates(member: Membership, now: datetime) -> Iterator[Advice]:
    """Each certificate, its key, and how long it lasts. Raises OperatorError or PeerError for what
    cannot be used at all.
    """
    folder = member.folder
    authority = read_authority(folder / AUTHORITY, now)
    read_identity(folder / CERTIFICATE, folder / IDENTITY_KEY, authority, member.code, now)
    read_transport(folder, member.code, now)
    member.certified.check()
    node_public_of(private_text(folder / NODE_KEY))
    for name in (AUTHORITY, CERTIFICATE, TRANSPORT):
        yield _lasting(folder / name, now)


def _lasting(path: Path, now: datetime) -> Advice:
    parsed = x509.load_der_x509_certificate(certificate_from_pem(path.read_bytes()))
    ends = parsed.not_valid_after_utc
    told = f"{path.name} is good until {ends:%Y-%m-%d}"
    if ends - now > SOON:
        return ok("certificates", told)
    if path.name == AUTHORITY:
        remedy = "the consortium has to be founded anew before then: ask the coordinator"
    else:
        remedy = "lianfang-client renew; start does it by itself while the coordinator answers"
    return attention("certificates", told, remedy)


def members(member: Membership) -> Iterator[Advice]:
    """The pinned list against the consortium's floor. Raises OperatorError."""
    consortium = read_consortium(member.folder / CONSORTIUM)
    pinned = read_members(member.folder / MEMBERS, None)
    revoked = read_revoked(member.folder)
    if member.code not in pinned:
        yield wrong(
            "members",
            f"{MEMBERS} does not hold {member.code}'s own key",
            "compare the list with the other members'",
        )
    for code in sorted(revoked & pinned.keys()):
        yield attention(
            "members",
            f"{code} is revoked here, and still on the pinned list",
            f"take {code} out of {MEMBERS}: runs with it are refused otherwise",
        )
    count, floor = len(pinned.keys() - revoked), consortium.terms.minimum_lenders
    if consortium.profile == "production" and count < floor:
        yield attention(
            "members",
            f"{count} members are pinned, and no sum is over fewer than {floor}",
            "lianfang-client members shows who has joined since; pin whom you have compared",
        )
    else:
        known = f"{count} member{'s' * (count != 1)} pinned"
        if not pins(member.folder):
            known = "nobody is pinned: whom the authority certifies is believed"
        yield ok("members", f"{known}, profile {consortium.profile}")


def pins(folder: Path) -> bool:
    """Whether this lender believes only whom its pinned list names: always in production."""
    document = tomllib.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    return "members" in document.get("lender", {})
