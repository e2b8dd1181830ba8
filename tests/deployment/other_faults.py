"""The section "Other faults" of `docs/faults.md`: a row for each fault that a soak test of its own
brings about.

Invariants:
- A test writes its row only after all that it asserts has held, and leaves the other rows as they
  are: a fault without a row was not tried.
- Where a fault cannot be brought about, a row that was measured earlier stays, with its day;
  without one the row says why not.
"""

from __future__ import annotations

from pathlib import Path

from tests.bench.machine import load_now, machine_line, today
from tests.bench.markdown import table
from tests.deployment.faults_page import PAGE, section_of, with_section

OTHERS = "Other faults"
_HEAD = ["fault", "how", "held", "s", "measured"]
_WORDS = (
    "Each row is written by a soak test of its own, on the day that it names. Held: all that the "
    "test asserts; no stage file or journal line is lost where it says that the run goes on. "
    "Seconds are from the fault to the end of the stage it happened in, or to what is said."
)


def write_row(fault: str, how: str, seconds: float, path: Path = PAGE) -> None:
    """A fault after which all held; `seconds`: from the fault to what `how` says."""
    measured = f"{today()}, load {load_now():.1f}"
    _write(path, fault, [how, "yes", f"{seconds:.1f}", measured])


def write_not_run(fault: str, why: str, path: Path = PAGE) -> None:
    """A fault that could not be brought about here."""
    if fault not in _rows(_page(path)):
        _write(path, fault, ["–", f"not run: {_in_a_cell(why)}", "–", today()])


def _write(path: Path, fault: str, cells: list[str]) -> None:
    rows = _rows(_page(path)) | {fault: cells}
    lines = [[name, *own] for name, own in sorted(rows.items())]
    where = f"The last row was measured on: {machine_line()}."
    body = "\n\n".join([_WORDS, where, table(_HEAD, lines)])
    path.write_text(with_section(_page(path), OTHERS, body), encoding="utf-8")


def _page(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _rows(page: str) -> dict[str, list[str]]:
    """The cells of each fault's row, as the page has them."""
    lines = [line for line in section_of(page, OTHERS).splitlines() if line.startswith("| ")]
    cells = [line.strip("| ").split(" | ") for line in lines[2:]]
    return {fault: own for fault, *own in cells if len(own) == len(_HEAD) - 1}


def _in_a_cell(text: str) -> str:
    return " ".join(text.replace("|", "/").split())
