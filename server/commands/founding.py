"""`lianfang-server init, invite, admit, members, revoke, renew`: who belongs to a consortium."""

from __future__ import annotations

import argparse
import json
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from rich.console import Console
from rich.table import Table

from server.commands import renewing
from server.commands.printing import console
from server.commands.serving import command, now, said
from shared.errors import OperatorError
from shared.training.agreement import Family, Profile

if TYPE_CHECKING:
    from server.consortium.invitations import Given
    from server.consortium.members import MemberEntry

EXAMPLES = """examples:
  lianfang-server init /srv/consortium --name "Five lenders" --schema consortium.toml \\
      --gate coordinator.example:8443 --enrol coordinator.example:8444
  lianfang-server invite /srv/consortium L01        prints one line: hand it to the lender
  lianfang-server admit /srv/consortium request.json --out answer.json      joining without network
  lianfang-server members /srv/consortium           who has joined, is invited, is revoked
  lianfang-server revoke /srv/consortium L03        believed no more, from the next request on
  lianfang-server renew /srv/consortium             the coordinator's own certificates
  lianfang-server renew /srv/r1 --authority /srv/consortium/authority       those of a service

The authority's key lies in FOLDER/authority. To keep it off line, move authority.key away and name
its folder with --authority when it is needed; members then join with admit.

A key holder or the registry of the shared list is kept running by start where FOLDER/services.toml
has one of them: lianfang-server start -h.

Exit status: 0 done; 1 (members) something ends within 30 days; 2 the input is wrong (the message
says what to do).
"""
_SOON_DAYS = 30
_INVITE = "if the lender is to join, invite it again"


def add(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    """Add these to the server's commands."""
    init = command(commands, "init", "found a consortium", EXAMPLES)
    invite = command(commands, "invite", "invite a lender: one line, good once", EXAMPLES)
    admit = command(commands, "admit", "answer a request that came as a file", EXAMPLES)
    members = command(commands, "members", "who has joined, is invited, is revoked", EXAMPLES)
    revoke = command(commands, "revoke", "believe a member no more", EXAMPLES)
    renew = command(commands, "renew", "new certificates: the coordinator's, a service's", EXAMPLES)
    handlers = (
        (init, _init), (invite, _invite), (admit, _admit),
        (members, _members), (revoke, _revoke), (renew, renewing.renew),
    )  # fmt: skip
    for one, handler in handlers:
        whose = "or a service's or operator's" if one is renew else ""
        one.add_argument("folder", type=Path, help=f"the coordinator's folder {whose}".strip())
        one.add_argument("--json", action="store_true", help="one JSON line for scripts")
        one.set_defaults(handler=handler)
    _add_terms(init)
    for one in (invite, revoke):
        one.add_argument("code", metavar="CODE", help="the lender's code, such as L01")
    invite.add_argument("--hours", type=int, default=72, help="it is good for (default 72)")
    admit.add_argument("request", type=Path, help="the file the lender made with join --offline")
    admit.add_argument("--out", type=Path, required=True, help="the answer to hand back")
    for one in (invite, renew):
        one.add_argument("--days", type=int, default=365, help="certificates last (default 365)")
    for one in (admit, renew):
        one.add_argument("--authority", type=Path, metavar="FOLDER", help="where its key is now")
    renew.add_argument("--new-key", action="store_true", help="another key for TLS, too")


def _add_terms(init: argparse.ArgumentParser) -> None:
    init.add_argument("--name", required=True, help="the consortium's name, 1 to 64 letters")
    init.add_argument(
        "--schema", type=Path, required=True, help="TOML file with [table], [label], [[columns]]"
    )
    init.add_argument(
        "--gate", required=True, metavar="HOST:PORT", help="where lenders' nodes will connect"
    )
    init.add_argument(
        "--enrol", required=True, metavar="HOST:PORT", help="where new members will ask"
    )
    init.add_argument(
        "--profile",
        choices=get_args(Profile),
        default="production",
        help="demo is weaker: three lenders are enough, and nobody pins members' keys",
    )
    init.add_argument("--family", choices=get_args(Family), help="of runs, unless they say other")
    init.add_argument("--rounds", type=int, help="of runs, unless they say other")
    init.add_argument("--minimum-lenders", type=int, help="fewest lenders in any sum")
    init.add_argument("--minimum-cell", type=int, help="smaller counts leave no lender")


def _init(arguments: argparse.Namespace) -> int:
    from server.commands.init_options import check_options
    from server.consortium.founding import found, terms_text
    from server.deployment.bundle import write_bundle

    check_options(arguments)
    try:
        schema = arguments.schema.read_bytes()
    except OSError as error:
        raise OperatorError(
            f"{arguments.schema} cannot be read: {error.strerror}", remedy="name the schema's file"
        ) from error
    names = ("family", "rounds", "minimum_lenders", "minimum_cell")
    text = terms_text(
        schema,
        str(arguments.schema),
        name=arguments.name,
        profile=arguments.profile,
        gate=arguments.gate,
        enrol=arguments.enrol,
        terms={name: getattr(arguments, name) for name in names},
    )
    consortium = found(arguments.folder, text, now=now(), random=secrets.token_bytes)
    write_bundle(arguments.folder)  # its digest is part of what members are told
    if consortium.profile == "demo":
        _note(
            "WEAKER: the demo profile lets three lenders into a sum and pins nobody's key; it is "
            "for trials"
        )
    if arguments.json:
        said(arguments, {"folder": str(arguments.folder), "consortium": consortium.name})
        return 0
    _line(f"{consortium.name}: founded in {arguments.folder}, profile {consortium.profile}")
    _line(f"look at {arguments.folder}/consortium.toml: members will hold it letter for letter")
    _line(f"then: lianfang-server start {arguments.folder}")
    _line(f"      lianfang-server invite {arguments.folder} L01")
    return 0


def _invite(arguments: argparse.Namespace) -> int:
    from server.consortium.invitations import invite

    invitation = invite(
        arguments.folder,
        arguments.code,
        hours=arguments.hours,
        days=arguments.days,
        now=now(),
        random=secrets.token_bytes,
    )
    if arguments.json:
        expires = invitation.expires.isoformat()
        said(
            arguments,
            {"code": invitation.code, "invitation": invitation.text(), "expires": expires},
        )
        return 0
    _note(
        f"for {invitation.code}, good once and until {invitation.expires:%Y-%m-%d %H:%M} UTC. "
        "Whoever has this line can join as that lender: hand it over where nobody else reads it"
    )
    _line(invitation.text())
    return 0


def _admit(arguments: argparse.Namespace) -> int:
    from server.consortium.admission import admitted
    from server.files import write_durably
    from shared.errors import PeerError
    from shared.identity.enrolment_messages import MOST_REQUEST, read_request

    try:
        with arguments.request.open("rb") as file:
            content = file.read(MOST_REQUEST + 1)
    except OSError as error:
        raise OperatorError(
            f"{arguments.request} cannot be read: {error.strerror}",
            remedy="name the file that the lender handed over",
        ) from error
    try:
        answer = admitted(arguments.folder, content, now(), authority=arguments.authority)
    except PeerError as error:
        raise OperatorError(
            f"{arguments.request}: {error.what}",
            remedy=f"nobody was admitted; {error.remedy or _INVITE}",
        ) from error
    try:
        write_durably(arguments.out, answer)
    except OSError as error:
        raise OperatorError(
            f"{arguments.out} cannot be written: {error.strerror}",
            remedy="name another --out; the same request is answered again",
        ) from error
    code = read_request(content).code
    if arguments.json:
        said(arguments, {"code": code, "answer": str(arguments.out)})
    else:
        _line(f"{code} is a member. Hand {arguments.out} back; nothing in it is secret")
    return 0


def _members(arguments: argparse.Namespace) -> int:
    from server.consortium.invitations import read_invitations
    from server.consortium.members import read_members
    from server.revoked import read_revoked

    folder = arguments.folder
    members, given = read_members(folder), read_invitations(folder)
    rows = _rows(members, given, read_revoked(folder))
    own, kept = _own_days(folder), _services_days(folder)
    status = 1 if min([own, *kept.values()]) < _SOON_DAYS else 0
    if arguments.json:
        _line(json.dumps({"members": rows, "own_days": own, "services_days": kept}))
        return status
    table = Table("code", "state", "since / until", "certificates until", "fingerprint")
    for row in rows:
        last = row["certificates_until"]
        table.add_row(row["code"], row["state"], row["date"][:10], last, row["fingerprint"])
    Console().print(table)
    _line(f"the coordinator's own certificates last {own} days")
    if own < _SOON_DAYS:
        _note("they end soon: lianfang-server renew")
    for name, days in kept.items():
        _line(f"those of its {name} last {days} days")
        if days < _SOON_DAYS:
            _note("they end soon: lianfang-server renew its folder --authority …")
    return status


def _rows(
    members: dict[str, MemberEntry], given: dict[str, Given], revoked: frozenset[str]
) -> list[dict[str, str]]:
    from shared.identity.fingerprint import fingerprint

    def row(code: str, state: str, date: str, mark: str, last: str = "") -> dict[str, str]:
        told = {"code": code, "state": state, "date": date, "fingerprint": mark}
        return told | {"certificates_until": last[:10]}

    found = []
    for code, one in members.items():
        state = "revoked" if code in revoked else "member"
        found.append(row(code, state, one.joined, fingerprint(one.public), one.until))
    for code, invitation in given.items():
        if code not in members:
            expired = invitation.expired(now())
            found.append(row(code, "expired" if expired else "invited", invitation.expires, ""))
    found += [row(code, "revoked", "", "") for code in sorted(revoked - {*members})]
    return sorted(found, key=lambda one: one["code"])


def _own_days(folder: Path) -> int:
    """Whole days until the first of the coordinator's own certificates ends."""
    from cryptography import x509

    from server.actor import TRANSPORT
    from server.keys import AUTHORITY, COORDINATOR, read_certificate

    ends = [
        x509.load_der_x509_certificate(read_certificate(folder / name)).not_valid_after_utc
        for name in (AUTHORITY, COORDINATOR, TRANSPORT)
    ]
    return (min(ends) - now()).days


def _services_days(folder: Path) -> dict[str, int]:
    """Of each service that `start` keeps: whole days until its first certificate ends."""
    from server.deployment.services import read_services
    from server.service_certificates import ends_of

    return {
        one.name: (min(ends_of(one.folder).values()) - now()).days for one in read_services(folder)
    }


def _revoke(arguments: argparse.Namespace) -> int:
    from server.consortium.invitations import withdraw
    from server.consortium.members import read_members, revoke

    folder, code = arguments.folder, arguments.code
    known = {*read_members(folder)}
    withdrawn = withdraw(folder, code)
    if not withdrawn and code not in known:
        raise OperatorError(
            f"{code[:64]!r} is neither a member nor invited",
            remedy=f"see lianfang-server members {folder}",
        )
    changed = revoke(folder, code) if code in known else False
    if arguments.json:
        said(arguments, {"code": code, "revoked": code in known, "withdrawn": withdrawn})
        return 0
    if withdrawn:
        _line(f"the invitation of {code} is good no more")
    if code in known:
        _line(f"{code} is revoked" if changed else f"{code} was revoked before")
        _line(
            "its connections are refused from the next request on. A run goes on without it where "
            "its terms allow; one that needs its counts fails: start a new one without it. "
            "Tell the others: in production each takes it off its own members.json too"
        )
    return 0


def _line(text: str) -> None:
    sys.stdout.write(text + "\n")


def _note(text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)
