"""What `run status` shows of a run: its stages, its lenders, and what is being waited for."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from server.commands.connected import Connected
from server.coordinator.checkpoint import StageRecord
from server.coordinator.status import Status

_COLOURS = {"finished": "green", "failed": "bold red", "stopped": "yellow", "running": "cyan"}
_LAST = 12


def page(
    status: Status,
    records: Sequence[StageRecord],
    *,
    last: int = _LAST,
    there: Connected | None = None,
) -> RenderableType:
    """The `last` stages (0: all), every lender, the state; `there`: who is connected, if known."""
    return Group(_stages(records, last), _lenders(status), _state(status, there))


def fitting(
    console: Console,
    status: Status,
    records: Sequence[StageRecord],
    there: Connected | None = None,
) -> RenderableType:
    """As much of the page as the terminal has lines for: what is being waited for, and what went
    wrong, is below the tables and is never cut off. A run that has ended is shown as `page` does.
    """
    if status.ended:
        return page(status, records, there=there)
    state, lenders = _state(status, there), _lenders(status)
    shorter = [page(status, records, last=last, there=there) for last in (_LAST, 8, 5, 3, 1)]
    for one in (*shorter, Group(lenders, state)):
        if len(console.render_lines(one, pad=False)) < console.height:
            return one
    return state


def lines_of(status: Status, there: Connected | None = None) -> list[str]:
    """How the run stands, in sentences; of a failed one lenders, phase and remedy."""
    of = f" of {status.steps}" if status.steps else ""
    told = [f"run {status.run}: {status.state}, {status.done}{of} stages done"]
    if status.state in ("starting", "running") and (status.phase or status.stage):
        told.append(f"now: {status.phase or status.stage}")
        if status.waiting:
            told.append(f"waiting for: {', '.join(status.waiting)}")
    if there is not None and not there.enough and not status.ended:
        told.append(there.line())
    if status.where:
        told.append(f"failed at: {status.where}")
    if status.blamed:
        told.append(f"lenders: {', '.join(status.blamed)}")
    told += [f"error: {status.error}"] * bool(status.error)
    told += [f"remedy: {status.remedy}"] * bool(status.remedy)
    told += [f"signed refusals: {', '.join(status.refusals)}"] * bool(status.refusals)
    if status.state == "finished" and not status.model:
        told.append(f"the answer to the batch: runs/{status.run}/answer.json")
    if status.model:
        auc = status.metrics.get("auc")
        measured = "" if auc is None else f", AUC {auc:.4f} over all lenders' test rows"
        told.append(f"model {status.model[:16]}{measured}")
    return told


def _stages(records: Sequence[StageRecord], last: int) -> Table:
    table = Table("stage", "in", "missing", "kB up", "kB down", "seconds")
    table.caption = "seconds: of the whole stage, waiting for lenders included" if records else None
    left_out = len(records) - last if last else 0
    if left_out > 0:
        table.add_row(f"… {left_out} earlier", "", "", "", "", "")
    for record in records[max(0, left_out) :]:
        lost = [f"{line} (in the sum)" for line in record.lost]
        table.add_row(
            record.stage,
            str(len(record.members)),
            Text("; ".join([*record.missing, *lost])),
            f"{record.bytes_up / 1e3:,.0f}",
            f"{record.bytes_down / 1e3:,.0f}",
            f"{record.seconds:.1f}",
        )
    return table


def _lenders(status: Status) -> Table:
    table = Table("lender", "now", "stages", "missed", "seconds", "kB", "last trouble")
    for code, part in sorted(status.lenders.items()):
        here = part.stage == status.stage
        now = "in" if code in status.answered else "waited for" if code in status.waiting else ""
        table.add_row(
            code,
            "" if status.ended else now,
            str(part.stages),
            str(part.missed),
            f"{part.seconds:.1f}" if here else "",
            f"{part.size / 1e3:,.0f}" if here else "",
            Text(part.why),
        )
    return table


def _state(status: Status, there: Connected | None) -> Text:
    first, *others = lines_of(status, there)
    text = Text(first, style=_COLOURS.get(status.state, ""))
    for line in others:
        text.append(f"\n{line}", style="")
    return text
