"""`lianfang-client join | renew | members`: belonging to a consortium."""

from __future__ import annotations

import argparse
import os
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path

from client.commands.printing import ATTENTION, DONE, document, line, note
from shared.errors import OperatorError
from shared.identity.invitation import MOST_CHARACTERS, PREFIX

EXAMPLES = """examples:
  lianfang-client join - --folder /srv/lender --table loans.parquet     paste the invitation
  lianfang-client join invitation.txt --folder /srv/lender --table \\
      'postgresql+psycopg://reader@db.example/book#risk.loans'
  lianfang-client join invitation.txt --offline request.json    without network: hand it over …
  lianfang-client join answer.json                              … and take the answer

  lianfang-client members                          who is pinned here, and who is shown
  lianfang-client members --accept L04             after comparing fingerprints by telephone
  lianfang-client renew                            certificates that end; start does it by itself

The invitation is a secret until it is used: as a word of a command it would stand in the shell's
history and the list of processes, so give `-` or a file.

Exit status: 0 done; 1 (members) somebody is not pinned, or shows another key; 2 it did not work
(the message says what to do).
"""


def add(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    """Add these to the client's commands."""
    form = argparse.RawDescriptionHelpFormatter

    def made(name: str, text: str) -> argparse.ArgumentParser:
        own: argparse.ArgumentParser = commands.add_parser(
            name, help=text, description=text, epilog=EXAMPLES, formatter_class=form
        )
        if name == "join":
            own.add_argument("--folder", type=Path, default=Path(), help="the lender's folder")
        else:
            own.add_argument(
                "folder", type=Path, nargs="?", default=Path(), help="the lender's folder"
            )
        own.add_argument("--json", action="store_true", help="one JSON line for scripts")
        return own

    join = made("join", "join a consortium with an invitation")
    join.add_argument("given", metavar="INVITATION", help="-, a file with it, or an answer's file")
    join.add_argument("--table", default="", metavar="FILE|URL", help="your rows; may be set later")
    join.add_argument("--offline", type=Path, metavar="REQUEST", help="only write a request")
    join.set_defaults(run=_join)
    renew = made("renew", "new certificates over the same identity key")
    renew.add_argument("--new-key", action="store_true", help="another key for TLS, too")
    renew.set_defaults(run=_renew)
    members = made("members", "the pinned list beside the coordinator's")
    members.add_argument(
        "--accept", action="append", default=[], metavar="CODE", help="pin this one, as shown"
    )
    members.set_defaults(run=_members)


def _join(arguments: argparse.Namespace) -> int:
    from client.joining import begin, finish, join, read_answer_file

    text = _given(arguments.given)
    folder, now = arguments.folder, datetime.now(UTC)
    if text is None:
        joined = finish(folder, read_answer_file(Path(arguments.given)), now=now)
    elif arguments.offline is None:
        joined = join(folder, text, now=now, table=_table(arguments.table))
    else:
        return _write_request(
            arguments, *begin(folder, text, now=now, table=_table(arguments.table))
        )
    mark = _marks({joined.code: joined.public})[joined.code]
    if arguments.json:
        document(
            {
                "code": joined.code,
                "consortium": joined.consortium.name,
                "profile": joined.consortium.profile,
                "fingerprint": mark,
                "members": _marks(joined.members),
                "bundles": list(joined.bundles),
            }
        )
        return DONE
    line(f"{joined.code} has joined {joined.consortium.name} ({joined.consortium.profile})")
    line(f"your fingerprint, for the others to compare: {mark}")
    for code, other in _marks(joined.members).items():
        if code != joined.code:
            line(f"  {code:<10} {other}")
    if joined.consortium.profile == "production":
        line("compare each of these with that lender by telephone")
    line(_next(folder))
    line("      lianfang-client doctor, lianfang-client start")
    return DONE


def _next(folder: Path) -> str:
    """What is to be done before the node is started."""
    from client.database_table import is_database

    settings = tomllib.loads((folder / "client.toml").read_text(encoding="utf-8"))
    table = folder / settings["lender"]["table"]
    if is_database(settings["lender"]["table"]):
        return "next: see whether your rows can be read;"
    if table.is_file():
        return f"next: your rows are in {table};"
    return f"next: put your rows in place, {table}, or mend table in client.toml there; then"


def _table(given: str) -> str:
    """A file that is there is named in full: client.toml's paths begin at the lender's folder, and
    whoever types one means the folder they are in.
    """
    return str(Path(given).resolve()) if given and Path(given).is_file() else given


def _write_request(arguments: argparse.Namespace, invitation: object, asked: object) -> int:
    from client.files import write_whole
    from shared.identity.enrolment_messages import EnrolRequest

    assert isinstance(asked, EnrolRequest)
    try:
        write_whole(arguments.offline, asked.content())
    except OSError as error:
        raise OperatorError(
            f"{arguments.offline} cannot be written: {error.strerror}",
            remedy="name another file; give the same command again",
        ) from error
    if arguments.json:
        document({"code": asked.code, "request": str(arguments.offline)})
        return DONE
    line(f"hand {arguments.offline} to the coordinator; nothing in it is secret")
    line("the answer that comes back: lianfang-client join ANSWER, in the same folder")
    return DONE


def _given(word: str) -> str | None:
    """The invitation's line, from standard input, a file or the word itself; None when the word
    names a file that holds something else: an answer.
    """
    if word == "-":
        if sys.stdin.isatty():
            note("paste the invitation and press Enter:")
            return sys.stdin.readline()
        return sys.stdin.read(2 * MOST_CHARACTERS)
    if word.startswith(PREFIX):
        note("an invitation among a command's words stays in the shell's history: prefer a file")
        return word
    try:
        with open(word, encoding="utf-8", errors="replace") as file:
            begins = file.read(2 * MOST_CHARACTERS)
    except OSError as error:
        raise OperatorError(
            f"{word[:200]!r} is no invitation, and no file that can be read "
            f"({os.strerror(error.errno) if error.errno else 'no file'})",
            remedy=f"give -, or a file with the line that begins with {PREFIX}",
        ) from error
    return begins if begins.lstrip().startswith(PREFIX) else None


def _renew(arguments: argparse.Namespace) -> int:
    from client.renewal import renew

    renewed = renew(arguments.folder, now=datetime.now(UTC), new_key=arguments.new_key)
    until = f"{renewed.until:%Y-%m-%d}"
    if arguments.json:
        document({"until": until, "terms_differ": renewed.terms_differ})
        return DONE
    line(f"certificates renewed until {until}, over the same identity key")
    if renewed.terms_differ:
        note(
            "the coordinator's consortium.toml is another than the one here: runs on its new terms "
            "are refused by your node until you have read it and put it in place"
        )
    return DONE


def _members(arguments: argparse.Namespace) -> int:
    from client.members import accept, compare

    lists = compare(arguments.folder, now=datetime.now(UTC))
    if arguments.accept:
        accept(arguments.folder, lists, arguments.accept)
        lists = compare(arguments.folder, now=datetime.now(UTC))
    status = ATTENTION if lists.new or lists.changed or lists.gone else DONE
    pinned, shown = _marks(dict(lists.pinned)), _marks(dict(lists.shown))
    if arguments.json:
        document(
            {
                "pinned": pinned,
                "new": {code: shown[code] for code in lists.new},
                "changed": {code: shown[code] for code in lists.changed},
                "gone": list(lists.gone),
            }
        )
        return status
    for code, mark in pinned.items():
        line(f"{code:<10} {mark}  pinned")
    for code in lists.new:
        line(f"{code:<10} {shown[code]}  NEW: compare by telephone, then members --accept {code}")
    for code in lists.changed:
        line(f"{code:<10} {shown[code]}  SHOWS ANOTHER KEY than the one pinned: not believed")
    for code in lists.gone:
        line(f"{code:<10} is not shown any more: revoked?")
    return status


def _marks(keys: dict[str, bytes]) -> dict[str, str]:
    from shared.identity.fingerprint import fingerprint

    return {code: fingerprint(key) for code, key in sorted(keys.items())}
