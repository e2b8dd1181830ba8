"""Other lenders over the same rows: what was refused here for that, and a person's word for it.

Invariants:
- Only what was asked and refused can be allowed: these lenders, over the rows they were asked of.
  With other rows, or other lenders, it is refused and asked again.
- The word is a line of the outbox: durable, never taken back, seen by every process of this lender.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from client.outbox import Outbox
from client.outbox_lines import Entry
from client.outbox_table import read_outbox
from shared.errors import OperatorError
from shared.secure_sum.differences import Difference, nearest_of
from shared.secure_sum.floors import GUARDED
from shared.secure_sum.history import History, Record

_OUTBOX = Path("own", "outbox.jsonl")


@dataclass(frozen=True)
class Asked:
    """Sums of `lenders` over the rows named `rows`, refused last at `at` under `agreement` (hex):
    `before` are lenders of sums over the same rows, `nearest` the smallest difference to these.
    """

    rows: str
    lenders: tuple[str, ...]
    agreement: str
    at: datetime
    before: tuple[tuple[str, ...], ...]
    nearest: Difference
    allowed: bool

    @property
    def cost(self) -> str:
        """What allowing it costs, in one sentence."""
        shown = _whose(self.nearest)
        return f"whoever sees the totals of both runs can subtract them and read {shown}"


def refused_here(folder: Path) -> list[Asked]:
    """What this lender refused because an earlier run over the same rows was over other lenders,
    the latest last. Raises OperatorError when there is no outbox, or it is damaged.
    """
    entries = read_outbox(folder).entries
    history = History()
    latest: dict[tuple[str, tuple[str, ...]], Entry] = {}
    for entry in entries:
        record = entry.record
        history.take(record)
        if record.kind == "refusal" and record.rows:
            latest.pop((record.rows, record.lenders), None)
            latest[record.rows, record.lenders] = entry
    return [_asked(history, entry.record, entry.at) for entry in latest.values()]


def allow(folder: Path, lenders: Collection[str], clock: Callable[[], datetime]) -> Asked:
    """Let sums of these lenders be opened over the rows for which they were last refused.

    Raises OperatorError when nothing like it was refused, or the outbox does not take the line.
    """
    asked = chosen(folder, lenders)
    outbox = Outbox(folder / _OUTBOX, clock)
    try:
        with outbox.locked():
            if (asked.rows, asked.lenders) not in outbox.history.allowed:
                outbox.append(_word(asked))
    finally:
        outbox.close()
    return asked


def chosen(folder: Path, lenders: Collection[str]) -> Asked:
    """The latest refusal of sums of these lenders; OperatorError when there is none."""
    wanted, refused = tuple(sorted(set(lenders))), refused_here(folder)
    found = [one for one in refused if one.lenders == wanted]
    if not found:
        known = "; ".join(",".join(one.lenders) for one in refused if not one.allowed)
        raise OperatorError(
            f"no run over rows of {folder} was refused for being over {','.join(wanted)}",
            remedy=f"refused were: {known}"
            if known
            else "nothing waits for a word from here: "
            "a run is refused first, then what it asked can be allowed",
        )
    return found[-1]


def _asked(history: History, record: Record, at: datetime) -> Asked:
    before = history.counted_before(record.rows, GUARDED, besides=record.agreement)
    before.discard(record.lenders)  # allowed and counted meanwhile, under another agreement
    return Asked(
        record.rows,
        record.lenders,
        record.agreement,
        at,
        tuple(sorted(before)),
        nearest_of(before or {record.lenders}, record.lenders),
        (record.rows, record.lenders) in history.allowed,
    )


def _word(asked: Asked) -> Record:
    codes = ",".join(asked.lenders)
    return Record(
        kind="allowed",
        purpose=f"a person here allowed sums of {len(asked.lenders)} lenders over these rows",
        content=sha256(f"{asked.rows}|{codes}".encode()).hexdigest(),
        size=0,
        agreement=asked.agreement,
        lenders=asked.lenders,
        rows=asked.rows,
    )


def _whose(difference: Difference) -> str:
    parts = []
    for codes in (difference.gone, difference.new):
        if codes:
            how = "alone" if len(codes) == 1 else "together"
            parts.append(f"{', '.join(codes)} {how}")
    return "the exact numbers of " + ", less those of ".join(parts or ["nobody"])
