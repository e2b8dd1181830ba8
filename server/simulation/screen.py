"""What a simulation shows on standard error: steps, the rounds of training, the outcome."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from server.report.borrowing_section import borrowing_line
from server.report.gain_sections import gain_sentences, sweep_sentence
from server.report.list_section import list_line
from server.report.parsing import parse_report
from server.report.ring_section import ring_lines
from server.report.sums import PLAIN, SECURE, limits_briefly
from server.simulation.assessment import Report
from server.simulation.faults import Fault

console = Console(stderr=True)


@contextmanager
def step(what: str) -> Iterator[None]:
    """A step that takes a while: shown while it lasts, then with its seconds."""
    start = time.monotonic()
    with console.status(what):
        yield
    console.print(f"  {what}: {time.monotonic() - start:.1f} s", highlight=False)


@contextmanager
def rounds_shown(what: str) -> Iterator[None]:
    """A bar that follows the coordinator's log."""
    log = logging.getLogger("lianfang.coordinator")
    columns = (TextColumn("  {task.description}"), BarColumn(), TextColumn("{task.fields[stage]}"))
    start = time.monotonic()
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as progress:
        handler = _Rounds(progress, progress.add_task(what, total=None, stage=""))
        log.addHandler(handler)
        log.setLevel(logging.INFO)
        log.propagate = False
        try:
            yield
        finally:
            log.removeHandler(handler)
    console.print(f"  {what}: {time.monotonic() - start:.1f} s", highlight=False)


class _Rounds(logging.Handler):
    """Draws the coordinator's log: `done` of `steps` stages, `stage` the last or what it is at."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        super().__init__()
        self._progress, self._task = progress, task

    def emit(self, record: logging.LogRecord) -> None:
        done, steps = getattr(record, "done", None), getattr(record, "steps", None)
        stage = getattr(record, "stage", None)
        if done is not None:
            self._progress.update(self._task, completed=done, total=steps, stage=stage)
        elif stage is not None:
            self._progress.update(self._task, stage=stage)


def warn_plain() -> None:
    """Before a run with plain sums."""
    console.print(PLAIN, style="bold red", highlight=False)


def tell_idle(faults: tuple[Fault, ...]) -> None:
    """Faults that were asked for and never happened."""
    for fault in faults:
        what = f"warning: the fault '{fault}' never happened: no such lender or stage"
        console.print(what, highlight=False, markup=False)


def tell_error(text: str) -> None:
    """Why there is no report."""
    console.print("error:", style="bold red", end=" ")
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def tell_outcome(report: Report, out: Path) -> None:
    """The run's figures in a few lines, and where its report lies."""
    if report["insecure"]:
        warn_plain()
    else:
        console.print(SECURE, style="bold green", end=" ", highlight=False)
        limits = f"({limits_briefly(report['profile'])})"
        console.print(limits, highlight=False, markup=False, soft_wrap=True)
    pooled = report["pooled"]
    names = ("auc_shared", "auc_personal", "auc_lightgbm", "auc_fedavg_mlp")
    shown = [f"{name[4:]} {pooled[name]:.4f}" for name in names if pooled.get(name) is not None]
    console.print(f"pooled AUC: {' · '.join(shown)}", highlight=False, soft_wrap=True)
    for line in _found(report):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    console.print(f"report: {out / 'report.html'}", highlight=False, markup=False, soft_wrap=True)


def _found(report: Report) -> tuple[str, ...]:
    """The page's own sentences, so that screen and page count alike: gains, where there are
    references, the fraud list, fraud rings and borrowing at several lenders.
    """
    parsed = parse_report(report)
    listed: tuple[str, ...] = ()
    listed += () if parsed.fraud_list is None else (list_line(parsed.fraud_list),)
    listed += () if parsed.rings is None else ring_lines(parsed.rings)
    listed += () if parsed.borrowing is None else (borrowing_line(parsed.borrowing),)
    if all(lender.gain is None for lender in parsed.lenders):
        return listed
    over_seeds = (sweep_sentence(parsed.sweep),) if parsed.sweep else ()
    return (" ".join(gain_sentences(parsed.lenders)), *over_seeds, *listed)
