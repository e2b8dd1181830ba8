"""An outbox as a page to read: what left this building, when, for what, and in how large a sum.

Invariants:
- The whole chain is checked before anything is shown, whatever part is asked for.
- The file is only read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from client.outbox_lines import BEGINNING, Entry, read_lines
from shared.errors import OperatorError
from shared.secure_sum.history import RecordKind

_WHAT: dict[RecordKind, str] = {
    "keys": "public keys",
    "shares": "sealed shares",
    "ready": "ready",
    "masked": "masked numbers",
    "answer": "answer",
    "refusal": "refusal",
    "sum": "PLAIN numbers",
    "allowed": "allowed here",
    "given-up": "given up here",
    "points": "blinded points",
    "events": "signed events",
    "request": "question",
}
_HEADS = ("no", "when", "what", "stage", "run", "lenders", "bytes", "hash", "purpose")
_OUTBOX = Path("own", "outbox.jsonl")
_DEEPEST = 3
"""How far below the lender's folder somebody may have pointed: own, or a file or folder in it."""
_RIGHT = frozenset({"no", "lenders", "bytes"})


@dataclass(frozen=True)
class CheckedOutbox:
    """A checked journal. `cut`: its last line is unfinished, and nothing left on it."""

    entries: tuple[Entry, ...]
    cut: bool

    @property
    def link(self) -> str:
        """Digest of the last line: who notes it elsewhere can tell later that none was changed."""
        return self.entries[-1].digest if self.entries else BEGINNING

    def chosen(self, *, since: int = 1, run: str = "", refusals: bool = False) -> tuple[Entry, ...]:
        """Entries from number `since` on; `run`: beginning of an agreement's, run's or round's
        digest; `refusals` only.
        """
        return tuple(
            entry
            for entry in self.entries
            if entry.number >= since
            and any(
                digest.startswith(run)
                for digest in (entry.record.agreement, entry.record.run, entry.record.round)
            )
            and (entry.record.kind == "refusal" or not refusals)
        )

    def members(self) -> dict[str, int]:
        """By round the members of its set-up: those in the sum and those that were absent."""
        masked = [entry.record for entry in self.entries if entry.record.kind == "masked"]
        return {record.round: len(record.lenders) for record in masked}


def read_outbox(folder: Path) -> CheckedOutbox:
    """The outbox in a lender's folder; OperatorError when there is none or it does not hold
    together.
    """
    path = folder / _OUTBOX
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unreadable(folder, error) from error
    return CheckedOutbox(
        tuple(read_lines(path, content)), bool(content) and not content.endswith(b"\n")
    )


def _unreadable(folder: Path, error: OSError) -> OperatorError:
    """Where somebody named the outbox, or a folder in the lender's, that one is told."""
    here = folder.resolve()
    for home in list(here.parents)[:_DEEPEST]:
        if (home / _OUTBOX).is_file():
            return OperatorError(
                f"{folder} lies inside a lender's folder: it is not that folder itself",
                remedy=f"name the lender's folder: lianfang-client outbox {home}",
            )
    return OperatorError(
        f"{folder / _OUTBOX} cannot be read: {error.strerror or type(error).__name__}",
        remedy="name the lender's folder, which holds client.toml or exchange.toml; there is no "
        "outbox before the first question",
    )


def documents(outbox: CheckedOutbox, entries: Iterable[Entry]) -> list[dict[str, object]]:
    """JSON-ready, one for each entry: the fields of a line without an answer's text; `members` and
    the line's `digest` beside them.
    """
    members = outbox.members()
    found: list[dict[str, object]] = []
    for entry in entries:
        told = asdict(entry.record) | {"lenders": list(entry.record.lenders)}
        del told["released"]
        about = {"number": entry.number, "at": entry.at.isoformat(), "digest": entry.digest}
        found.append(about | told | {"members": members.get(entry.record.round, 0)})
    return found


def page(outbox: CheckedOutbox, entries: Sequence[Entry]) -> list[str]:
    """Lines for people: a table in local time, totals, and whether the chain holds."""
    members = outbox.members()
    rows = [_HEADS, *(_row(entry, members) for entry in entries)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEADS))]
    lines = ["  ".join(_aligned(row, widths)).rstrip() for row in rows] if entries else []
    return [*lines, *_totals(entries), *_chain(outbox)]


def _row(entry: Entry, members: dict[str, int]) -> tuple[str, ...]:
    record = entry.record
    lenders = str(len(record.lenders)) if record.lenders else ""
    if record.kind == "answer":
        lenders += f" of {members.get(record.round, len(record.lenders))}"
    return (
        str(entry.number),
        f"{entry.at.astimezone():%Y-%m-%d %H:%M:%S}",
        _WHAT[record.kind],
        _shown(record.stage) or ("set-up" if record.kind in ("keys", "shares", "ready") else "-"),
        record.agreement[:8],
        lenders,
        f"{record.size:,}",
        record.content[:8],
        _shown(record.purpose),
    )


def _shown(text: str) -> str:
    """A coordinator may have got it there: it must not move a terminal's cursor."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _aligned(row: tuple[str, ...], widths: list[int]) -> list[str]:
    return [
        cell.rjust(width) if head in _RIGHT else cell.ljust(width)
        for head, cell, width in zip(_HEADS, row, widths, strict=True)
    ]


def _totals(entries: Sequence[Entry]) -> list[str]:
    if not entries:
        return ["nothing to show"]
    size = sum(entry.record.size for entry in entries)
    lines = ["", f"{len(entries):,} messages, {size:,} bytes"]
    kinds = Counter(entry.record.kind for entry in entries)
    lines += [f"  {_WHAT[kind]:<15} {kinds[kind]:,}" for kind in _WHAT if kinds[kind]]
    opened = {e.record.round: len(e.record.lenders) for e in entries if e.record.kind == "answer"}
    if opened:
        low, high = min(opened.values()), max(opened.values())
        between = f"{low}" if low == high else f"{low} to {high}"
        lines.append(f"sums opened: {len(opened):,}, of {between} lenders each")
    if kinds["sum"]:
        lines.append("plain numbers can be read by the coordinator")
    return lines


def _chain(outbox: CheckedOutbox) -> list[str]:
    lines = [f"the chain of {len(outbox.entries):,} lines holds; its last link is {outbox.link}"]
    if outbox.cut:
        lines.append("a line after it was cut off by a crash; nothing left on it")
    return lines
