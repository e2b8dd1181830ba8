"""The lender's metrics, read from its own folder at each scrape.

Invariants:
- They tell counts, seconds, days and the measures of result.json. No row, identifier or number of a
  single applicant is in them.
- What cannot be read is left out; a scrape does not fail for it.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from client.node.heartbeat import silences
from client.outbox_lines import Entry, read_lines
from shared.errors import LianfangError
from shared.identity.pem import certificate_from_pem

PROCESSES = "own/node/processes.json"
_OUTBOX, _RESULT = "own/outbox.jsonl", "own/result.json"
_CERTIFICATES = ("authority.crt", "certificate.crt", "transport.crt")
_MEASURES = ("auc_shared", "auc_personal", "ks_shared", "ks_personal", "local_weight")
_WRONG_FILE = (ValueError, LookupError, TypeError, AttributeError)
_log = logging.getLogger("lianfang.client")


def processes_up(folder: Path) -> dict[str, bool]:
    """The lender's processes, as its supervisor lists them, and whether each runs."""
    listed = _document(folder / PROCESSES)
    return {name: _alive(int(about["pid"])) for name, about in listed.items()}


class LenderMetrics(Collector):
    """Of a lender's folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._outbox = OutboxCounts(folder / _OUTBOX)

    def collect(self) -> Iterable[Metric]:
        """All of them."""
        for part in (self._processes, self._left, self._certificates, self._result):
            try:
                yield from part()
            except (LianfangError, OSError, *_WRONG_FILE) as error:
                _log.debug("a part of the metrics was left out: %s", type(error).__name__)

    def _processes(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("lianfang_process_up", "1 while it runs", labels=["process"])
        starts = CounterMetricFamily("lianfang_process_starts", "starts", labels=["process"])
        for name, runs in processes_up(self._folder).items():
            up.add_metric([name], float(runs))
        for name, about in _document(self._folder / PROCESSES).items():
            starts.add_metric([name], float(about["starts"]))
        age = GaugeMetricFamily(
            "lianfang_part_silent_seconds", "since its last sign of life", labels=["part"]
        )
        for name, seconds in silences(self._folder).items():
            age.add_metric([name], seconds)
        yield from (up, starts, age)

    def _left(self) -> Iterator[Metric]:
        """What left the building, and what was refused."""
        self._outbox.follow()
        kinds = CounterMetricFamily("lianfang_outbox_lines", "lines by kind", labels=["kind"])
        for kind, count in sorted(self._outbox.kinds.items()):
            kinds.add_metric([kind], count)
        yield kinds
        last = self._outbox.last
        if last is not None:
            yield GaugeMetricFamily(
                "lianfang_outbox_last_time", "seconds since 1970 of the last line",
                value=last.at.timestamp(),
            )  # fmt: skip

    def _certificates(self) -> Iterator[Metric]:
        family = GaugeMetricFamily(
            "lianfang_certificate_days", "days until it expires", labels=["certificate"]
        )
        for name in _CERTIFICATES:
            days = _days_left(self._folder / name)
            if days is not None:
                family.add_metric([name], days)
        yield family

    def _result(self) -> Iterator[Metric]:
        about = _document(self._folder / _RESULT)
        family = GaugeMetricFamily(
            "lianfang_result", "of the last finished run, on own test rows", labels=["measure"]
        )
        for name in _MEASURES:
            if isinstance(about.get(name), (int, float)):
                family.add_metric([name], float(about[name]))
        yield family


class OutboxCounts:
    """Lines of an outbox by kind. It is only added to, so each line is read once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0
        self.last: Entry | None = None
        self.kinds: Counter[str] = Counter()

    def follow(self) -> None:
        """Take in the whole lines that are new; OSError when it cannot be read."""
        if not self._path.exists():
            return
        if self._path.stat().st_size < self._read:  # another file: begin again
            self._read, self.last, self.kinds = 0, None, Counter()
        with self._path.open("rb") as file:
            file.seek(self._read)
            content = file.read()
        content = content[: content.rfind(b"\n") + 1]
        for entry in read_lines(self._path, content, self.last):
            self.kinds[entry.record.kind] += 1
            self.last = entry
        self._read += len(content)


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
    return (certificate.not_valid_after_utc - datetime.now(UTC)).total_seconds() / 86_400
