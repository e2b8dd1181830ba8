"""The words of `lianfang-client list …`: parsers only."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from client.commands.filing_words import add_filing
from client.commands.identifiers import add_identifiers
from client.commands.list_examples import examples

Handler = Callable[[argparse.Namespace], int]
_ENTRY = "32 letters and digits, as `list own` and `list waiting` show them"
_ROW = "64 letters and digits, as `list check` shows it (`row`; with --json `row` in `rows`)"


def add_list(commands: argparse._SubParsersAction, handlers: dict[str, Handler]) -> None:  # type: ignore[type-arg]
    """`list` and its own commands."""
    parser = commands.add_parser(
        "list",
        help="the shared fraud list: check, file, approve, dispute, withdraw, sync …",
        description="The shared fraud list, from this lender's folder.",
        epilog=examples(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    own = parser.add_subparsers(dest="list_command", required=True, metavar="COMMAND")

    def add(name: str, text: str, *options: Callable[[argparse.ArgumentParser], None]) -> None:
        command = own.add_parser(
            name,
            help=text,
            description=text,
            epilog=examples(name),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        for option in options:
            option(command)
        command.add_argument(
            "--folder", type=Path, default=Path(), help="the lender's folder (default: this one)"
        )
        command.add_argument("--json", action="store_true", help="one JSON line for scripts")
        command.set_defaults(run=handlers[name])

    add("sync", "send what was kept, bring this lender's copy of the list up to date")
    add("check", "what the list says about one subject", add_identifiers, _enquiry)
    add("file", "list subjects (another person must approve)", add_identifiers, _filing, _operator)
    add(
        "approve",
        "approve entries: own ones as their checker, another lender's as second institution",
        _entries("*", "; none: all own ones another person filed"),
        add_identifiers,
        _file("--evidence-file", "second institution: its own evidence (hashed, not sent)", False),
        _operator,
    )
    add("own", "this lender's own entries, and what they wait for", add_identifiers)
    add("waiting", "what waits for a second institution other than this lender")
    add("checkpoint", "the registry's signed word on the list here, for other members", _out)
    add("compare", "another member's checkpoint against this one: is it one list?", _checkpoint)
    add(
        "dispute",
        "pass on that the subject disputes a row of the list; it is flagged at once",
        _row,
        _choice("--grounds", "wrong_person wrong_facts settled victim no_notice"),
        _file("--evidence-file", "what the subject shows (hashed, not sent)", True),
        _two,
    )
    add(
        "resolve",
        "the outcome of a dispute of an own entry, within 20 days",
        _entry,
        _choice("--outcome", "corrected upheld annotated"),
        _file("--statement", "the written outcome (hashed, not sent)", True),
        _two,
    )
    add(
        "withdraw",
        "take own entries back; more than ten a week need a second institution's consent",
        _entries("+", ""),
        _choice("--cause", "mistake cleared consent_withdrawn duplicate"),
        _two,
    )
    add("consent", "consent to another lender's proposal (bulk removal, epoch)", _proposal, _two)
    add("open-epoch", "propose that tokens under a new key answer", _epoch(False), _two)
    add("retire-epoch", "propose that tokens under an old key answer no more", _epoch(True), _two)
    add(
        "refile",
        "move own entries to the newest epoch, approve again what others moved; may be repeated",
        _two,
    )


def _enquiry(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--purpose",
        choices=("application", "portfolio", "dispute"),
        default="application",
        help="told to the key holders (default: application)",
    )
    command.add_argument(
        "--reference",
        default="",
        help="your own opaque name of the application, up to 64 characters, told to the key "
        "holders, which keep a keyed hash; no identifier (default: random)",
    )


def _filing(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("the filing (codes and dates only; no free text)")
    group.add_argument(
        "--subjects",
        type=Path,
        metavar="FILE",
        help="CSV or Parquet with a subject a row instead of one subject; a column named as an "
        "option below says it for its row (evidence: KIND=FILE;KIND=FILE, beside the file)",
    )
    group.add_argument(
        "--column", action="append", default=[], metavar="KIND=HEADER", help="of that file"
    )
    group.add_argument("--reason", metavar="CODE", help="F101 … C603; a wrong one lists them all")
    group.add_argument("--class", dest="list_class", help="where there is a choice")
    group.add_argument("--role", help="the subject's (usual: subject)")
    add_filing(group)
    group.add_argument("--supersedes", metavar="ENTRY", help="an own entry this one corrects")


def _operator(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--operator",
        required=True,
        metavar="NAME",
        help="who does this; only a keyed mark leaves, and the maker never checks",
    )


def _two(command: argparse.ArgumentParser) -> None:
    _operator(command)
    command.add_argument(
        "--checker", required=True, metavar="NAME", help="another person, who has looked at it"
    )


def _entry(command: argparse.ArgumentParser) -> None:
    command.add_argument("entry", metavar="ENTRY", help=_ENTRY)


def _row(command: argparse.ArgumentParser) -> None:
    command.add_argument("row", metavar="ROW", help=_ROW)


def _entries(count: str, more: str) -> Callable[[argparse.ArgumentParser], None]:
    return lambda command: _added(
        command, "entries", metavar="ENTRY", nargs=count, help=_ENTRY + more
    )


def _proposal(command: argparse.ArgumentParser) -> None:
    command.add_argument("proposal", metavar="PROPOSAL", help="as `list waiting` shows it")


def _out(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--out", type=Path, metavar="FILE", help="to write (without it: standard output)"
    )


def _checkpoint(command: argparse.ArgumentParser) -> None:
    text = "what `list checkpoint --out FILE` wrote at the other member"
    command.add_argument("file", type=Path, metavar="FILE", help=text)


def _epoch(needed: bool) -> Callable[[argparse.ArgumentParser], None]:
    count = None if needed else "?"
    return lambda command: _added(
        command,
        "epoch",
        type=int,
        nargs=count,
        help="its number" if needed else "the last",
    )


def _choice(option: str, words: str) -> Callable[[argparse.ArgumentParser], None]:
    return lambda command: _added(command, option, required=True, choices=words.split())


def _file(option: str, text: str, needed: bool) -> Callable[[argparse.ArgumentParser], None]:
    return lambda command: _added(
        command, option, type=Path, required=needed, metavar="FILE", help=text
    )


def _added(command: argparse.ArgumentParser, *names: str, **options: object) -> None:
    command.add_argument(*names, **options)  # type: ignore[arg-type]
