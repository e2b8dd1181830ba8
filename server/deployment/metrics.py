"""The coordinator's metrics, read from its folder at each scrape.

Invariants:
- They tell counts, sizes, seconds, codes and names of runs. What lenders send is not in them.
- What cannot be read is left out; a scrape does not fail for it. A run whose status is damaged has
  the state "unreadable", and its stages; the other runs are told as ever.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from server.actor import CERTIFICATE, TRANSPORT
from server.coordinator.checkpoint import SUFFIX, StageRecord, records_in
from server.coordinator.places import STAGES
from server.coordinator.status import Status, read_status
from server.deployment.gate_counts import FILE as GATE
from server.deployment.heartbeat import silences
from server.deployment.loopback import FLOWER
from server.deployment.runs import RUNS, names_of
from server.deployment.services import read_services
from server.keys import AUTHORITY, COORDINATOR
from server.revoked import read_revoked
from shared.errors import LianfangError, OperatorError
from shared.identity.pem import certificate_from_pem

PROCESSES = "processes.json"
_UNREADABLE = "unreadable"
_STATES = ("starting", "running", "finished", "failed", "stopped", _UNREADABLE)
_WRONG_FILE = (ValueError, LookupError, TypeError, AttributeError)
_log = logging.getLogger("lianfang.deployment")


def processes_up(folder: Path) -> dict[str, bool]:
    """The coordinator's processes, as its supervisor lists them, and whether each runs."""
    listed = _document(folder / FLOWER / PROCESSES)
    return {name: _alive(int(about["pid"])) for name, about in listed.items()}


def certificates_of(folder: Path) -> dict[str, float]:
    """Days until each certificate ends: the coordinator's by file, those of a service that it keeps
    by the service's name and file. What cannot be read is left out.
    """
    paths = {name: folder / name for name in (AUTHORITY, COORDINATOR, TRANSPORT)}
    with suppress(LianfangError):
        for service in read_services(folder):
            for name in (CERTIFICATE, TRANSPORT):
                paths[f"{service.name}/{name}"] = service.folder / name
    days = {name: _days_left(path) for name, path in paths.items()}
    return {name: left for name, left in days.items() if left is not None}


class CoordinatorMetrics(Collector):
    """Of a coordinator's folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._records: dict[Path, StageRecord] = {}

    def collect(self) -> Iterable[Metric]:
        """All of them."""
        for part in (self._runs, self._processes, self._gate, self._certificates):
            try:
                yield from part()
            except (LianfangError, OSError, *_WRONG_FILE) as error:
                _log.debug("a part of the metrics was left out: %s", type(error).__name__)

    def _runs(self) -> Iterator[Metric]:
        state = GaugeMetricFamily(
            "lianfang_run_state", "1 for the state the run is in", labels=["run", "state"]
        )
        done = GaugeMetricFamily("lianfang_run_stages_done", "stages that are over", labels=["run"])
        steps = GaugeMetricFamily("lianfang_run_stages", "stages in all", labels=["run"])
        tries = GaugeMetricFamily(
            "lianfang_run_processes", "processes that began on the run", labels=["run"]
        )
        model = GaugeMetricFamily(
            "lianfang_run_measure", "of the finished model, from totals", labels=["run", "measure"]
        )
        stages, lenders = _StageMetrics(), _LenderMetrics()
        for name in names_of(self._folder):
            status, how = self._standing(name)
            for one in _STATES:
                state.add_metric([name, one], float(how == one))
            done.add_metric([name], status.done)
            tries.add_metric([name], status.attempt)
            if status.steps:
                steps.add_metric([name], status.steps)
            for measure, value in status.metrics.items():
                model.add_metric([name, measure], value)
            lenders.add(name, status)
            with suppress(LianfangError, OSError, *_WRONG_FILE):
                stages.add(name, self._stages(self._folder / RUNS / name / STAGES))
        yield from (state, done, steps, tries, model, *stages.families, *lenders.families)

    def _standing(self, name: str) -> tuple[Status, str]:
        """A run's status and what its state is called."""
        try:
            status = read_status(self._folder / RUNS / name) or Status(name, "starting")
        except OperatorError:
            return Status(name, "starting"), _UNREADABLE
        return status, status.state

    def _stages(self, folder: Path) -> list[StageRecord]:
        """Each stage's file is read once: it does not change any more."""
        paths = sorted(folder.glob(f"*{SUFFIX}"))
        if any(path not in self._records for path in paths):
            self._records |= dict(zip(paths, records_in(folder), strict=False))
        return [self._records[path] for path in paths if path in self._records]

    def _processes(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("lianfang_process_up", "1 while it runs", labels=["process"])
        starts = CounterMetricFamily("lianfang_process_starts", "starts", labels=["process"])
        for name, runs in processes_up(self._folder).items():
            up.add_metric([name], float(runs))
        for name, about in _document(self._folder / FLOWER / PROCESSES).items():
            starts.add_metric([name], float(about["starts"]))
        age = GaugeMetricFamily(
            "lianfang_part_silent_seconds", "since its last sign of life", labels=["part"]
        )
        for name, seconds in silences(self._folder).items():
            age.add_metric([name], seconds)
        yield from (up, starts, age)

    def _gate(self) -> Iterator[Metric]:
        about = _document(self._folder / FLOWER / GATE)
        for name, label, text in (
            ("requests", "path", "requests that were let through or answered"),
            ("refused", "reason", "requests that were refused"),
            ("members", "lender", "requests of a member"),
        ):
            family = CounterMetricFamily(f"lianfang_gate_{name}", text, labels=[label])
            for key, count in about.get(name, {}).items():
                family.add_metric([str(key)], float(count))
            yield family
        for name in ("bytes_in", "bytes_out"):
            value = float(about.get(name, 0))
            yield CounterMetricFamily(f"lianfang_gate_{name}", "bytes of bodies", value=value)
        open_now = float(about.get("connections", 0))
        yield GaugeMetricFamily("lianfang_gate_connections", "open connections", value=open_now)

    def _certificates(self) -> Iterator[Metric]:
        family = GaugeMetricFamily(
            "lianfang_certificate_days", "days until it expires", labels=["certificate"]
        )
        for name, days in certificates_of(self._folder).items():
            family.add_metric([name], days)
        yield family
        revoked = float(len(read_revoked(self._folder)))
        yield GaugeMetricFamily("lianfang_revoked_codes", "members revoked", value=revoked)


class _StageMetrics:
    """Of the last stage of each run, and sums over all of them."""

    def __init__(self) -> None:
        of = ["run"]
        self._seconds = GaugeMetricFamily(
            "lianfang_stage_seconds", "the last stage took", labels=["run", "stage"]
        )
        self._lenders = GaugeMetricFamily(
            "lianfang_stage_lenders", "lenders in the last total", labels=["run", "stage"]
        )
        self._up = CounterMetricFamily("lianfang_run_bytes_up", "bytes lenders sent", labels=of)
        self._down = CounterMetricFamily("lianfang_run_bytes_down", "bytes sent to them", labels=of)
        self.families = (self._seconds, self._lenders, self._up, self._down)

    def add(self, run: str, records: list[StageRecord]) -> None:
        """A run's stages."""
        for record in records[-1:]:
            self._seconds.add_metric([run, record.stage], record.seconds)
            self._lenders.add_metric([run, record.stage], len(record.members))
        self._up.add_metric([run], sum(record.bytes_up for record in records))
        self._down.add_metric([run], sum(record.bytes_down for record in records))


class _LenderMetrics:
    """Participation by lender."""

    def __init__(self) -> None:
        of = ["run", "lender"]
        self._in = CounterMetricFamily("lianfang_lender_stages", "totals it is in", labels=of)
        self._out = CounterMetricFamily("lianfang_lender_missed", "totals it is not in", labels=of)
        self._seconds = GaugeMetricFamily(
            "lianfang_lender_answer_seconds", "its answers took in its last stage", labels=of
        )
        self._size = GaugeMetricFamily(
            "lianfang_lender_answer_bytes", "its answers had in its last stage", labels=of
        )
        self.families = (self._in, self._out, self._seconds, self._size)

    def add(self, run: str, status: Status) -> None:
        """A run's lenders."""
        for code, part in sorted(status.lenders.items()):
            self._in.add_metric([run, code], part.stages)
            self._out.add_metric([run, code], part.missed)
            self._seconds.add_metric([run, code], part.seconds)
            self._size.add_metric([run, code], part.size)


def _document(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _alive(process: int) -> bool:
    return Path(f"/proc/{process}").exists() if Path("/proc/self").exists() else process > 0


def _days_left(path: Path) -> float | None:
    try:
        certificate = x509.load_der_x509_certificate(certificate_from_pem(path.read_bytes()))
    except (OSError, ValueError, LianfangError):
        return None
    left = certificate.not_valid_after_utc - datetime.now(UTC)
    return left.total_seconds() / 86_400
