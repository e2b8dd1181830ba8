"""What befalls a consortium of real processes while a run is under way: certificates that end or
are renewed, disks that are full.

Invariants:
- Each is one fault of `struck.py`: brought, seen to work as it should, and taken away again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

import client.cli
import server.cli
from server.coordinator.status import Status
from tests.deployment.consortium import (
    Consortium,
    awaited,
    coordinator_of,
    lender_of,
    stopped,
)
from tests.deployment.struck import (
    Struck,
    der_of,
    full_disk,
    gate_shows,
    restarted,
    short_lived,
    starts_of,
    told_in,
)
from tests.deployment.watched_run import Watched

RENEWED_AFTER = 40.0
"""Seconds that the certificates last which a lender renews by itself: due when a third is left."""
COORDINATOR_BYTES = 16_384
"""More than its logs have, less than the SuperLink's database."""


@contextmanager
def running(
    made: Consortium, renewing: Sequence[str] = (), watched: Watched | None = None
) -> Iterator[Watched]:
    """All processes of a consortium. `renewing`: lenders whose certificates end soon; `watched`:
    what watches it, if that is there already.
    """
    enrol = re.search(r"^enrol = .*$", (made.coordinator / "consortium.toml").read_text(), re.M)
    assert enrol is not None
    for folder in made.lenders.values():
        with (folder / "client.toml").open("a") as file:
            file.write(f"{enrol[0]}\n")
    watched = watched or Watched(made, {})
    processes = watched.running
    try:
        processes["coordinator"] = coordinator_of(made)
        early = [code for code in made.lenders if code not in renewing]
        processes |= {code: lender_of(made, code) for code in early}
        processes["coordinator"].line(180.0)
        for code in renewing:  # the coordinator is up: they could renew from their first second on
            short_lived(made, code, RENEWED_AFTER)
            processes[code] = lender_of(made, code)
        for code in made.lenders:
            processes[code].line(180.0)
        yield watched
    finally:
        statuses = stopped(list(processes.values()))
    assert set(statuses) == {0}


def ends(path: Path) -> datetime:
    """When a certificate ends."""
    return x509.load_der_x509_certificate(der_of(path)).not_valid_after_utc


def coordinator_renews(struck: Struck) -> None:
    """The gate shows the new certificate, over a new key; no process is started again."""
    made = struck.watched.consortium
    before = starts_of(made.coordinator)
    with struck.by("the coordinator's certificates are renewed", "`renew --new-key`; goes on"):
        assert server.cli.main(["renew", str(made.coordinator), "--new-key", "--json"]) == 0
        own = der_of(made.coordinator / "transport.crt")
        awaited(lambda: gate_shows(made, "L01") == own)
    assert starts_of(made.coordinator) == before


def lenders_disk_is_full(struck: Struck, code: str) -> None:
    """What cannot be recorded does not leave; the lender says what to do, and goes on."""
    made = struck.watched.consortium
    folder, start = made.lenders[code], struck.watched.running[code]
    before, outbox = starts_of(folder), folder / "own/outbox.jsonl"
    size = outbox.stat().st_size
    with (
        struck.by("a lender's disk is full", "refuses meanwhile; goes on by itself"),
        full_disk(start.process.pid, size),
    ):
        awaited(told_in(folder / "log/executor.log", "nothing was sent remedy: free space"), 60)
        awaited(told_in(start.log, "free space, or mend the disk"), 60)
        assert outbox.stat().st_size == size
    assert starts_of(folder) == before


def coordinators_disk_is_full(struck: Struck) -> None:
    """No stage is released meanwhile; the log says what to do, and the run goes on by itself."""
    made = struck.watched.consortium
    start, before = struck.watched.running["coordinator"], starts_of(made.coordinator)
    with (
        struck.by("the coordinator's disk is full", "the run waits; goes on by itself"),
        full_disk(start.process.pid, COORDINATOR_BYTES),
    ):
        awaited(told_in(start.log, "free space, or mend the disk"), 60)
    assert starts_of(made.coordinator) == before


def certificate_ends(struck: Struck, code: str, stages: int = 0) -> Status:
    """It is shut out and named with the reason; after so many stages without it the remedy lets it
    back in. The status before that.
    """
    made = struck.watched.consortium

    def why(status: Status) -> str:
        return status.lenders[code].why if code in status.lenders else ""

    with struck.by("a lender's certificates end", "shut out and named; renewed by command"):
        short_lived(made, code, 3.0)
        restarted(made.coordinator, "gate")  # connections that are open show the old one
        watched, told = struck.watched, f"its certificates ended at {datetime.now(UTC):%Y-}"
        status = watched.moved(struck.name, lambda s: s.ended or told in why(s))
        assert told in why(status), status
        awaited(told_in(watched.running[code].log, "transport.crt ended at"), 60.0)
        enough = status.done + stages
        status = watched.moved(struck.name, lambda s: s.ended or s.done >= enough)
        assert client.cli.main(["renew", str(made.lenders[code])]) == 0
    return status


def finished(struck: Struck) -> Status:
    """The run's end."""
    status = struck.watched.moved(struck.name, lambda s: s.ended)
    assert status.state == "finished", status
    return status
