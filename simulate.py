"""Simulate a consortium on one machine: real data, real Flower apps, a report at the end.

    python simulate.py                                   the demo: twelve real lenders
    python simulate.py --config my.toml --seeds 0 1 2    your own table, three splits
    python simulate.py --quick --rings 60 --decoys 300   plant fraud rings and look-alikes, too
    python simulate.py --quick --borrowing               loans elsewhere as features, and without
    python simulate.py --resume --out out/demo           go on where Ctrl-C stopped it

exit status: 0 done · 2 input, settings or disk must be mended · 3 too few lenders answered ·
130 stopped with Ctrl-C. After 3 and 130, and 2 when the disk was full, --resume goes on.

Everything but the last line of --json goes to standard error.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")
os.environ.setdefault("FLWR_DISABLE_UPDATE_CHECK", "1")

import torch

import client.app
import server.app
from client.desk import close_all
from client.table import RawTable, read_raw
from server.coordinator.exchange import VoidStageError
from server.report.page import write_report
from server.simulation.arguments import parser
from server.simulation.asked import ASKED, RESULTS, Asked, alone, keep_asked, read_asked
from server.simulation.assessment import Report, report_of
from server.simulation.beside import beside
from server.simulation.book import Book, book_of
from server.simulation.comparison import Comparison, compare
from server.simulation.ctrl_c import stopped_by_ctrl_c
from server.simulation.faults import Faults, parse_fault
from server.simulation.founding import LENDERS, found, founded
from server.simulation.grid import InProcessGrid, run_in_process
from server.simulation.out_of_time import out_of_time_section
from server.simulation.outcome import Outcome, read_outcome
from server.simulation.ray_backend import run_with_ray
from server.simulation.screen import (
    console,
    rounds_shown,
    step,
    tell_error,
    tell_idle,
    tell_outcome,
    warn_plain,
)
from server.simulation.study import Study
from server.simulation.sweep import swept
from server.simulation.terms import agreement_of, later_terms, study_of
from shared.errors import InternalError, LianfangError, OperatorError
from shared.training.agreement import Agreement

if TYPE_CHECKING:
    from server.simulation.borrowing.added import Added

_BEGAN_PLAIN = (
    "this run began with --plain and goes on so; for secure sums leave --resume out and name "
    "another folder with --out"
)
_AGAIN_SECONDS = 60.0  # nothing is lost on its way here
_COLLECT = (50_000, 20, 20)
"""Python looks for cycles a seventieth as often as usual: rounds make many objects, and few."""
EXIT_OPERATOR, EXIT_VOID, EXIT_INTERRUPTED = 2, 3, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, simulate, print; returns the exit status."""
    arguments = parser(__doc__ or "").parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    out = Path(arguments.out)
    try:
        faults = Faults(tuple(parse_fault(text) for text in arguments.fault))
        asked = _asked(arguments, out)
        if asked.decoys and not asked.rings:
            raise OperatorError("--decoys needs --rings", remedy="add --rings 60, say")
        if faults.planned and asked.backend != "inprocess":
            raise OperatorError("faults need the inprocess backend", remedy="leave --backend out")
        report = simulate(asked, out, resume=arguments.resume, faults=faults)
    except KeyboardInterrupt:
        how = f"Go on with: {os.path.relpath(sys.executable)} simulate.py --resume --out {out}"
        hint = how if (out / ASKED).exists() else ""
        console.print("\nStopped.", hint, markup=False, soft_wrap=True)
        return EXIT_INTERRUPTED
    except (LianfangError, OSError) as error:
        told = error if isinstance(error, LianfangError) else _unwritable(error, out)
        tell_error(str(told))
        return EXIT_VOID if isinstance(error, VoidStageError) else EXIT_OPERATOR
    tell_idle(faults.idle)
    tell_outcome(report, out)
    if arguments.json:
        line = json.dumps(report, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        sys.stdout.write(line + "\n")
    return 0


def simulate(asked: Asked, out: Path, *, resume: bool, faults: Faults) -> Report:
    """Run every seed, write `report.json` and `report.html` into `out`, return the report."""
    if asked.plain:
        warn_plain()
    torch.set_num_threads(1)  # lenders work side by side, one thread each
    gc.set_threshold(*_COLLECT)
    study = study_of(asked)
    with step("reading the table"):
        raw = read_raw(study.data.path)
    seeds = asked.seeds or (study.seed,)
    folders = [out] if len(seeds) == 1 else [out / f"seed-{seed}" for seed in seeds]
    prepared = [_prepared(replace(study, seed=seed), raw, asked) for seed in seeds]
    with alone(out):
        if not resume:  # only now: a request that cannot be met leaves an earlier run as it was
            keep_asked(asked, out)
        reports = [
            _one_seed(ready, asked, folder, resume, faults)
            for ready, folder in zip(prepared, folders, strict=True)
        ]
        report = reports[0] if len(reports) == 1 else swept(reports)
        if asked.borrowing and len(reports) > 1:
            from server.simulation.borrowing.reported import borrowing_over_seeds

            report["borrowing"] = borrowing_over_seeds(seeds, [one["borrowing"] for one in reports])
        if asked.fraud_list:  # once: further seeds would tell the same
            _add_list(report, prepared[0], folders[0])
        if asked.rings:
            _add_rings(report, prepared, asked, out)
        _write(report, out)
    return report


def _add_list(report: Report, ready: Prepared, folder: Path) -> None:
    """Let the lenders of a run that is over file and screen synthetic applicants."""
    from client.exchange.member import Member, open_member  # half a second, if it is asked for
    from client.exchange.opening import Ways
    from server.simulation.exchange import Exchange
    from server.simulation.fraud_list import fraud_list

    def join(home: Path, exchange: Exchange) -> AbstractContextManager[Member]:
        return open_member(home, Ways(exchange.door, exchange.channel))

    with _timed(report["seconds"], "list"), step("filing and screening the fraud list"):
        found = fraud_list(folder / "run", folder / "list", ready.book, ready.study, join)
    report["fraud_list"] = found
    if found["differences"]:
        what = f"the fraud list answers otherwise than a plain comparison: {found['differences']}"
        report["warnings"].append(what)


def _add_rings(report: Report, prepared: Sequence[Prepared], asked: Asked, out: Path) -> None:
    """Plant made-up rings and look-alikes on every seed's rows, and look for them."""
    from server.simulation.rings.habits import HABITS
    from server.simulation.rings.reported import ring_figures
    from server.simulation.rings.scenario import Planted

    books = [(ready.study.seed, ready.book) for ready in prepared]
    with _timed(report["seconds"], "rings"), step("planting fraud rings and looking for them"):
        planted = Planted(asked.rings, asked.decoys, habits=HABITS[asked.ring_habits])
        report["rings"] = ring_figures(books, out / "rings", planted)


def _write(report: Report, out: Path) -> None:
    start = time.monotonic()
    with step("drawing the report"):
        seconds = report["seconds"]
        seconds["total"] = round(sum(seconds.values()), 2)  # for the page; then with its drawing
        write_report(report, out / "report.html")
    seconds["report"] = round(time.monotonic() - start, 2)
    seconds["total"] = round(seconds["total"] + seconds["report"], 2)
    text = json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False, sort_keys=True)
    (out / "report.json").write_text(text, encoding="utf-8")
    for name in RESULTS:  # single lenders' figures are in them
        (out / name).chmod(0o600)


@dataclass(frozen=True, eq=False)
class Prepared:
    """One seed's table, terms and seconds so far; `later` are the out-of-time run's terms,
    `borrowing` what --borrowing added to the table.
    """

    study: Study
    book: Book
    agreement: Agreement
    later: Agreement | None
    seconds: dict[str, float]
    borrowing: Added | None = None


def _prepared(study: Study, raw: RawTable, asked: Asked) -> Prepared:
    seconds: dict[str, float] = {}
    added = None
    with _timed(seconds, "prepare"), step("checking and splitting the table"):
        book = book_of(raw.frame, study, lenders=asked.lenders, lines=raw.lines)
        if asked.borrowing:
            from server.simulation.borrowing.added import add_borrowing

            book, added = add_borrowing(book, study)
        agreement = agreement_of(study, book, asked)
        later = later_terms(study, agreement, book) if asked.out_of_time else None
    return Prepared(study, book, agreement, later, seconds, added)


def _one_seed(ready: Prepared, asked: Asked, folder: Path, resume: bool, faults: Faults) -> Report:
    study, book, later, seconds = ready.study, ready.book, ready.later, ready.seconds
    at_once = later is not None and asked.backend == "inprocess"
    with beside(at_once, _out_of_time, folder / "out-of-time", ready, asked) as out_of_time:
        with _timed(seconds, "train"):
            outcome = _trained(folder / "run", ready.agreement, ready, asked, resume, faults)
        with _timed(seconds, "evaluate"), step("training the references"):
            comparison = compare(book, outcome, study)
            report = report_of(study, book, outcome, comparison, seconds)
        if later is not None:
            what = "the rest of the out-of-time run, which went on beside"
            with _timed(seconds, "evaluate"), step(what) if at_once else nullcontext():
                report["out_of_time"] = out_of_time()
    if ready.borrowing is not None:
        report["borrowing"] = _borrowing(folder, ready, asked, outcome)
    return report


def _borrowing(folder: Path, ready: Prepared, asked: Asked, outcome: Outcome) -> dict[str, Any]:
    """Train once more without the columns that --borrowing added, and compare."""
    from server.simulation.borrowing.reported import Scores

    added = ready.borrowing
    assert added is not None  # asked for
    bare = replace(ready, book=added.bare)
    with _timed(ready.seconds, "borrowing"):
        terms = agreement_of(ready.study, added.bare, asked)
        what = "training without the others' loans"
        without = _trained(folder / "without-borrowing", terms, bare, asked, False, Faults(), what)
        return added.figures(Scores.of(outcome), Scores.of(without), ready.study.seed)


def _out_of_time(folder: Path, ready: Prepared, asked: Asked) -> dict[str, Any]:
    """Train on the early years and test on the last; `ready.later` are its terms."""
    torch.set_num_threads(1)
    agreement = ready.later
    if agreement is None:
        raise InternalError("an out-of-time run was asked for without terms")
    study, book = ready.study, ready.book
    later = _trained(folder, agreement, ready, asked, False, Faults(), "out-of-time training")
    with step("training the out-of-time reference"):
        only_pooled = replace(study.references, local=False, fedavg_mlp=False)
        comparison: Comparison = compare(book, later, replace(study, references=only_pooled))
    return out_of_time_section(book, later, comparison)


def _trained(
    folder: Path,
    agreement: Agreement,
    ready: Prepared,
    asked: Asked,
    resume: bool,
    faults: Faults,
    what: str = "training",
) -> Outcome:
    resume = resume and (folder / "agreement.json").exists()
    homes = (founded if resume else found)(folder, agreement, ready.book)
    settings: dict[str, str | bool | float] = {
        "run-directory": str(folder),
        "resume": resume,
        "patience": ready.study.patience,
        "deadline": ready.study.deadline,
        "soonest-again": _AGAIN_SECONDS,
    }
    close_all()
    with rounds_shown(f"{what} over {len(homes)} lenders"):
        if asked.backend == "ray":
            run_with_ray(server.app.app, client.app.app, folder / LENDERS, len(homes), settings)
        else:
            workers = (os.cpu_count() or 1) + 1  # one more than cores: lenders wait for their disks
            grid = InProcessGrid(client.app.app, homes, workers=workers, faults=faults)
            with stopped_by_ctrl_c(grid), closing(grid):
                run_in_process(server.app.app, grid, settings)
    return read_outcome(folder, ready.book)


def _asked(arguments: argparse.Namespace, out: Path) -> Asked:
    asked, usual = _asked_by(arguments), _asked_by(parser(__doc__ or "").parse_args([]))
    if not arguments.resume:
        return asked
    kept = read_asked(out, asked, usual)
    if kept.plain and not asked.plain:
        console.print(_BEGAN_PLAIN, highlight=False, markup=False, soft_wrap=True)
    return kept


def _asked_by(arguments: argparse.Namespace) -> Asked:
    return Asked(
        config=str(Path(arguments.config).resolve()),
        backend=arguments.backend,
        family=arguments.family,
        rounds=arguments.rounds,
        lenders=arguments.lenders,
        seeds=tuple(dict.fromkeys(arguments.seeds)),
        references=not (arguments.no_references or arguments.quick),
        out_of_time=not (arguments.no_out_of_time or arguments.quick),
        plain=arguments.plain,
        fraud_list=not (arguments.no_list or arguments.quick),
        rings=arguments.rings,
        decoys=5 * arguments.rings if arguments.decoys is None else arguments.decoys,
        ring_habits=arguments.ring_habits,
        borrowing=arguments.borrowing,
    )


def _unwritable(error: OSError, out: Path) -> OperatorError:
    return OperatorError(
        f"{error.filename or out}: {error.strerror or type(error).__name__}",
        remedy="free space, mend the permissions or choose another --out; a run that had begun "
        "goes on with --resume",
    )


@contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    start = time.monotonic()
    yield
    seconds[name] = round(seconds.get(name, 0.0) + time.monotonic() - start, 2)


if __name__ == "__main__":
    sys.exit(main())
