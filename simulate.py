"""Simulate a consortium on one machine: real data, real Flower apps, a report at the end.

    python simulate.py                                   the demo: twelve real lenders
    python simulate.py --config my.toml --seeds 0 1 2    your own table, three splits
    python simulate.py --resume --out out/demo           go on where Ctrl-C stopped it

exit status: 0 done · 2 input, settings or disk must be mended · 3 too few lenders answered ·
130 stopped with Ctrl-C. After 3 and 130, and 2 when the disk was full, --resume goes on.

Everything but the last line of --json goes to standard error.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import logging
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")
os.environ.setdefault("FLWR_DISABLE_UPDATE_CHECK", "1")

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

import client.app
import server.app
from client.desk import close_all
from client.table import RawTable, read_raw
from server.coordinator.exchange import VoidStageError
from server.report.page import write_report
from server.simulation.assessment import Report, report_of
from server.simulation.book import Book, book_of
from server.simulation.comparison import Comparison, compare
from server.simulation.faults import Faults, parse_fault
from server.simulation.founding import LENDERS, found, founded
from server.simulation.grid import InProcessGrid, run_in_process
from server.simulation.out_of_time import out_of_time_section
from server.simulation.outcome import Outcome, read_outcome
from server.simulation.ray_backend import run_with_ray
from server.simulation.study import SEEDS, Study, read_study
from server.simulation.sweep import swept
from shared.errors import LianfangError, OperatorError
from shared.training.agreement import Agreement

HERE = Path(__file__).parent
ASKED = "simulation.json"
RESULTS = ("report.json", "report.html")
LOCK = ".lock"
EXIT_OPERATOR, EXIT_VOID, EXIT_INTERRUPTED = 2, 3, 130
console = Console(stderr=True)


@dataclass(frozen=True)
class Asked:
    """The command line, kept beside the run so that --resume needs nothing but the folder."""

    config: str
    backend: str
    family: str | None
    rounds: int | None
    lenders: int | None
    seeds: tuple[int, ...]
    references: bool
    out_of_time: bool


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, simulate, print; returns the exit status."""
    arguments = _parser().parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    out = Path(arguments.out)
    try:
        faults = Faults(tuple(parse_fault(text) for text in arguments.fault))
        asked = _asked(arguments, out)
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
        console.print("error:", style="bold red", end=" ")
        console.print(str(told), highlight=False, markup=False, soft_wrap=True)
        return EXIT_VOID if isinstance(error, VoidStageError) else EXIT_OPERATOR
    for fault in faults.idle:
        what = f"warning: the fault '{fault}' never happened: no such lender or stage"
        console.print(what, highlight=False, markup=False)
    _summary(report, out)
    if arguments.json:
        line = json.dumps(report, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        sys.stdout.write(line + "\n")
    return 0


def simulate(asked: Asked, out: Path, *, resume: bool, faults: Faults) -> Report:
    """Run every seed, write `report.json` and `report.html` into `out`, return the report."""
    torch.set_num_threads(1)  # lenders work side by side, one thread each
    study = _study(asked)
    with _step("reading the table"):
        raw = read_raw(study.data.path)
    seeds = asked.seeds or (study.seed,)
    folders = [out] if len(seeds) == 1 else [out / f"seed-{seed}" for seed in seeds]
    prepared = [_prepared(replace(study, seed=seed), raw, asked) for seed in seeds]
    with _alone(out):
        if not resume:  # only now: a request that cannot be met leaves an earlier run as it was
            _keep(asked, out)
        reports = [
            _one_seed(ready, asked, folder, resume, faults)
            for ready, folder in zip(prepared, folders, strict=True)
        ]
        report = reports[0] if len(reports) == 1 else swept(reports)
        _write(report, out)
    return report


def _write(report: Report, out: Path) -> None:
    start = time.monotonic()
    with _step("drawing the report"):
        seconds = report["seconds"]
        seconds["total"] = round(sum(seconds.values()), 2)  # for the page; then with its drawing
        write_report(report, out / "report.html")
    seconds["report"] = round(time.monotonic() - start, 2)
    seconds["total"] = round(seconds["total"] + seconds["report"], 2)
    text = json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False, sort_keys=True)
    (out / "report.json").write_text(text, encoding="utf-8")


@dataclass(frozen=True, eq=False)
class Prepared:
    """One seed's table, terms and seconds so far; `later` are the out-of-time run's terms."""

    study: Study
    book: Book
    agreement: Agreement
    later: Agreement | None
    seconds: dict[str, float]


def _prepared(study: Study, raw: RawTable, asked: Asked) -> Prepared:
    seconds: dict[str, float] = {}
    with _timed(seconds, "prepare"), _step("checking and splitting the table"):
        book = book_of(raw.frame, study, lenders=asked.lenders, lines=raw.lines)
        agreement = _agreement(study, book)
        later = _later(study, agreement, book) if asked.out_of_time else None
    return Prepared(study, book, agreement, later, seconds)


def _one_seed(ready: Prepared, asked: Asked, folder: Path, resume: bool, faults: Faults) -> Report:
    study, book, later, seconds = ready.study, ready.book, ready.later, ready.seconds
    with _timed(seconds, "train"):
        outcome = _trained(folder / "run", ready.agreement, book, asked, resume, faults)
    with _timed(seconds, "evaluate"), _step("training the references"):
        comparison = compare(book, outcome, study)
        report = report_of(study, book, outcome, comparison, seconds)
    if later is not None:
        with _timed(seconds, "evaluate"):
            later_folder = folder / "out-of-time"
            report["out_of_time"] = _out_of_time(later_folder, later, book, asked, study)
    return report


def _later(study: Study, agreement: Agreement, book: Book) -> Agreement | None:
    """The terms of the second, timed run; OperatorError when it has nothing to test or train on."""
    if study.out_of_time is None:
        return None
    later = agreement.out_of_time(study.out_of_time)
    assert book.table.time is not None  # an agreement with a cutoff has seen to it
    after = book.table.time > study.out_of_time
    if after.all() or not after.any():
        raise OperatorError(
            f"out_of_time {study.out_of_time:g}: {int(after.sum())} of {len(after)} rows are later",
            remedy="choose a time that some rows lie after and some before, or --no-out-of-time",
        )
    return later


def _out_of_time(
    folder: Path, agreement: Agreement, book: Book, asked: Asked, study: Study
) -> dict[str, Any]:
    later = _trained(folder, agreement, book, asked, False, Faults(), "out-of-time training")
    with _step("training the out-of-time reference"):
        only_pooled = replace(study.references, local=False, fedavg_mlp=False)
        comparison: Comparison = compare(book, later, replace(study, references=only_pooled))
    return out_of_time_section(book, later, comparison)


def _trained(
    folder: Path,
    agreement: Agreement,
    book: Book,
    asked: Asked,
    resume: bool,
    faults: Faults,
    what: str = "training",
) -> Outcome:
    resume = resume and (folder / "agreement.json").exists()
    homes = (founded if resume else found)(folder, agreement, book)
    close_all()
    with _rounds_shown(f"{what} over {len(homes)} lenders"):
        if asked.backend == "ray":
            apps, lenders = (server.app.app, client.app.app), folder / LENDERS
            run_with_ray(*apps, folder, lenders, len(homes), resume=resume)
        else:
            grid = InProcessGrid(client.app.app, homes, workers=os.cpu_count() or 1, faults=faults)
            try:
                settings: dict[str, str | bool] = {"run-directory": str(folder), "resume": resume}
                run_in_process(server.app.app, grid, settings)
            finally:
                grid.close()
    return read_outcome(folder, book)


def _agreement(study: Study, book: Book) -> Agreement:
    if len(book.codes) < study.minimum_lenders:
        raise OperatorError(
            f"the table has {len(book.codes)} lenders, {study.minimum_lenders} are needed",
            remedy="take more lenders: --lenders, or the lender column",
        )
    return Agreement(
        name=study.title,
        schema=book.table.schema,
        family=study.family,
        seed=study.seed,
        test_share=study.test_share,
        validation_share=study.validation_share,
        rounds=study.rounds,
        minimum_lenders=study.minimum_lenders,
        profile=study.profile,
    )


def _study(asked: Asked) -> Study:
    study = read_study(Path(asked.config))
    changes: dict[str, Any] = {}
    if asked.family is not None:
        changes["family"] = asked.family
    if asked.rounds is not None:
        changes["rounds"] = asked.rounds
    if not asked.references:
        none = replace(study.references, pooled=False, local=False, fedavg_mlp=False)
        changes["references"] = none
    return replace(study, **changes)


def _asked(arguments: argparse.Namespace, out: Path) -> Asked:
    path = out / ASKED
    if arguments.resume:
        if not path.exists():
            raise OperatorError(
                f"{out} holds no simulation to resume", remedy="name its folder with --out"
            )
        kept = _kept(path)
        if kept is None:
            raise OperatorError(f"{path} cannot be used", remedy="start again")
        _nothing_else(_asked_by(arguments), kept)
        return kept
    return _asked_by(arguments)


def _asked_by(arguments: argparse.Namespace) -> Asked:
    return Asked(
        config=str(Path(arguments.config).resolve()),
        backend=arguments.backend,
        family=arguments.family,
        rounds=arguments.rounds,
        lenders=arguments.lenders,
        seeds=tuple(dict.fromkeys(arguments.seeds)),
        references=not arguments.no_references,
        out_of_time=not arguments.no_out_of_time,
    )


def _kept(path: Path) -> Asked | None:
    """What was asked when the run began; None when the file is not of our making."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return Asked(**(kept | {"seeds": tuple(kept["seeds"])}))
    except (ValueError, TypeError, KeyError):
        return None


def _nothing_else(asked: Asked, kept: Asked) -> None:
    """OperatorError when --resume comes with another choice than the run began with."""
    usual = _asked_by(_parser().parse_args([]))
    for name, value in asked.__dict__.items():
        if value not in (usual.__dict__[name], kept.__dict__[name]):
            raise OperatorError(
                f"--resume goes on as the run began: its {name} was {kept.__dict__[name]}",
                remedy="leave the option out, or start again without --resume",
            )


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Hold `out` for this process alone; OperatorError when another simulation writes there."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OperatorError(
                f"another simulation is writing into {out}",
                remedy="wait for it to end, or choose another folder with --out",
            ) from error
        yield


def _keep(asked: Asked, out: Path) -> None:
    """Note in `out` what was asked, and put an earlier report away: it belongs to an earlier run.

    OperatorError when a report there is not a simulation's.
    """
    ours = (out / ASKED).exists() and _kept(out / ASKED) is not None
    if not ours and any((out / name).exists() for name in (*RESULTS, ASKED)):
        raise OperatorError(
            f"{out} holds a report that is not an earlier simulation's; nothing was overwritten",
            remedy="choose another folder with --out, or move the report away",
        )
    for name in RESULTS:
        (out / name).unlink(missing_ok=True)
    (out / ASKED).write_text(json.dumps(asked.__dict__, indent=1), encoding="utf-8")


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


@contextmanager
def _step(what: str) -> Iterator[None]:
    start = time.monotonic()
    with console.status(what):
        yield
    console.print(f"  {what}: {time.monotonic() - start:.1f} s", highlight=False)


class _Rounds(logging.Handler):
    """Draws the coordinator's log as a progress bar."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        super().__init__()
        self._progress, self._task = progress, task

    def emit(self, record: logging.LogRecord) -> None:
        done, steps = getattr(record, "done", None), getattr(record, "steps", None)
        if done is not None:
            stage = getattr(record, "stage", "")
            self._progress.update(self._task, completed=done, total=steps, stage=stage)


@contextmanager
def _rounds_shown(what: str) -> Iterator[None]:
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


def _summary(report: Report, out: Path) -> None:
    pooled = report["pooled"]
    gains = [lender["gain"] for lender in report["lenders"] if lender["gain"] is not None]
    console.print("[bold yellow]demo profile: plain sums, the coordinator could see single sums")
    names = ("auc_shared", "auc_personal", "auc_lightgbm", "auc_fedavg_mlp")
    shown = [f"{name[4:]} {pooled[name]:.4f}" for name in names if pooled.get(name) is not None]
    console.print(f"pooled AUC: {' · '.join(shown)}", highlight=False, soft_wrap=True)
    if gains:
        better = sum(gain > 0 for gain in gains)
        console.print(
            f"{better} of {len(gains)} lenders rank their own applicants better than alone "
            f"(usual LightGBM); mean gain {sum(gains) / len(gains):+.4f} AUC"
            f"{_against_tuned(report)}",
            highlight=False,
            soft_wrap=True,
        )
    console.print(f"report: {out / 'report.html'}", highlight=False, markup=False, soft_wrap=True)


def _against_tuned(report: Report) -> str:
    hard = [lender["gain_over_tuned"] for lender in report["lenders"]]
    known = [gain for gain in hard if gain is not None]
    if not known:
        return ""
    ahead = sum(gain > 0 for gain in known)
    mean = sum(known) / len(known)
    return f"; against hard-tuned ones {ahead} of {len(known)}, {mean:+.4f}"


def _parser() -> argparse.ArgumentParser:
    summary, _, examples = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        prog="simulate.py",
        description=summary,
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--config", default=str(HERE / "configs" / "demo.toml"), metavar="FILE",
        help="the study: table, lenders, model (default: the demo; see docs/simulation.md)",
    )  # fmt: skip
    parser.add_argument(
        "--backend", choices=("inprocess", "ray"), default="inprocess",
        help="inprocess: in this process (default); ray: Flower's simulation engine",
    )  # fmt: skip
    parser.add_argument("--family", choices=("boosted", "network", "blend"), help="model family")
    parser.add_argument("--rounds", type=_positive, metavar="N", help="rounds of training")
    parser.add_argument(
        "--lenders", type=_positive, metavar="N",
        help="how many lenders: that many made, or the N largest of the lender column",
    )  # fmt: skip
    parser.add_argument(
        "--seeds", "--seed", type=_seed, nargs="+", default=[], metavar="S",
        help="seeds of split and training; several give mean ± sd (default: the study's, else 0)",
    )  # fmt: skip
    parser.add_argument("--out", default="out/demo", metavar="DIR", help="folder of the result")
    parser.add_argument("--json", action="store_true", help="print report.json as the last line")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out")
    parser.add_argument(
        "--no-references", action="store_true", help="skip LightGBM and FedAvg comparisons"
    )
    parser.add_argument("--no-out-of-time", action="store_true", help="skip the second, timed run")
    parser.add_argument(
        "--fault", action="append", default=[], metavar="F",
        help="e.g. 'drop L03 trees/5', 'slow L03 trees/5 2', 'kill coordinator trees/5'",
    )  # fmt: skip
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return number


def _seed(text: str) -> int:
    number = int(text)
    if not 0 <= number < SEEDS:
        raise argparse.ArgumentTypeError(f"{text} is not within 0 … {SEEDS - 1}")
    return number


if __name__ == "__main__":
    sys.exit(main())
