"""Certificates that end or are renewed, and disks that are full, while a run of real processes is
under way: it goes on to the very model of the undisturbed run.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

import client.cli
import server.cli
from server.coordinator.status import Status
from tests.deployment.consortium import (
    Consortium,
    Running,
    awaited,
    coordinator_of,
    founded,
    lender_of,
    stopped,
)
from tests.deployment.faults_page import rows_section, write_section
from tests.deployment.struck import (
    Struck,
    der_of,
    filled,
    full_disk,
    gate_shows,
    restarted,
    short_lived,
    small_disk,
    starts_of,
    told_in,
)
from tests.deployment.watched_run import Watched

pytestmark = pytest.mark.slow
RENEWED_AFTER = 40.0
"""Seconds that the certificates last which a lender renews by itself: due when a third is left."""
COORDINATOR_BYTES = 16_384
"""More than its logs have, less than the SuperLink's database."""


@contextmanager
def running(made: Consortium, renewing: Sequence[str] = ()) -> Iterator[Watched]:
    """All processes of a consortium. `renewing`: lenders whose certificates end soon."""
    enrol = re.search(r"^enrol = .*$", (made.coordinator / "consortium.toml").read_text(), re.M)
    assert enrol is not None
    for folder in made.lenders.values():
        with (folder / "client.toml").open("a") as file:
            file.write(f"{enrol[0]}\n")
    processes: dict[str, Running] = {}
    watched = Watched(made, processes)
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
        short_lived(made, code, 6.0)
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


def test_a_run_outlives_ended_certificates_and_full_disks(tmp_path: Path) -> None:
    """One lender's certificates are renewed by itself and nobody notices; another's end, the
    coordinator's are renewed, and a lender's and the coordinator's disk are full for a while: the
    run ends with the model of the undisturbed one, and nothing acknowledged was lost.
    """
    made = founded(tmp_path)
    with running(made, renewing=["L02"]) as watched:
        watched.command("start", "first", "--rounds", "5", "--detach")
        struck = Struck(watched, "first")
        watched.moved("first", lambda s: s.done >= 1)
        before = starts_of(made.lenders["L02"])
        coordinator_renews(struck)
        lenders_disk_is_full(struck, "L01")
        coordinators_disk_is_full(struck)
        certificate_ends(struck, "L03")
        status = finished(struck)
        awaited(lambda: ends(made.lenders["L02"] / "transport.crt") > _in_days(300), 60.0)
        assert status.lenders["L02"].missed == 0
        assert starts_of(made.lenders["L02"]) == before
    assert all(row["held"] for row in struck.rows), struck.rows
    assert status.model == watched.undisturbed("first")


@pytest.mark.soak
def test_the_others_finish_without_a_lender_whose_certificates_have_ended(tmp_path: Path) -> None:
    """Four lenders, three are enough: trees go on without it, and a count waits until it renews.
    Positive control: before its certificates end it is in every total. Writes docs/faults.md.
    """
    made = founded(tmp_path, ("L01", "L02", "L03", "L04"), (61, 60, 59, 58))
    with running(made, renewing=["L02"]) as watched:
        watched.command("start", "first", "--rounds", "14", "--detach")
        struck = Struck(watched, "first")
        status = watched.moved("first", lambda s: s.stage == "trees/1")
        assert status.lenders["L04"].missed == 0
        coordinator_renews(struck)
        lenders_disk_is_full(struck, "L01")
        coordinators_disk_is_full(struck)
        without_it = certificate_ends(struck, "L04", stages=3)
        assert without_it.lenders["L04"].missed >= 1
        assert "certificates ended" in without_it.lenders["L04"].why
        status = finished(struck)
        assert status.lenders["L02"].missed == 0
    words = (
        "Written from `tests/deployment/test_certificates_and_disk.py`: four lenders, of whom "
        "three are enough. A disk is full where the system lets no file grow beyond a size "
        "(RLIMIT_FSIZE). Another lender's certificates were renewed by itself meanwhile: it is in "
        "every total.",
    )
    write_section("Certificates and full disks", rows_section(struck.rows, words))
    assert all(row["held"] for row in struck.rows), struck.rows


@pytest.mark.soak
@pytest.mark.parametrize("whose", ["coordinator", "L01"])
def test_a_small_file_system_is_full_for_a_while(tmp_path: Path, whose: str) -> None:
    """A real one, every byte taken: nothing is lost, and the run goes on to the same model."""
    with ExitStack() as stack:
        made = founded(tmp_path)
        try:
            stack.enter_context(small_disk(tmp_path / whose, 64))
        except OSError as error:
            pytest.skip(f"no file system can be mounted here: {error}")
        watched = stack.enter_context(running(made))
        watched.command("start", "first", "--rounds", "3", "--detach")
        struck = Struck(watched, "first")
        watched.moved("first", lambda s: s.done >= 1)
        log = watched.running[whose].log
        with struck.by("full", "freed"), filled(tmp_path / whose):
            awaited(told_in(log, "No space left on device"), 60.0)
            if whose == "coordinator":
                words = ["-m", "server.cli", "run", "status", str(made.coordinator), "first"]
                told = subprocess.run(
                    [sys.executable, *words], capture_output=True, text=True, check=False
                )
                assert "free space" in told.stderr
        status = finished(struck)
        assert all(row["held"] for row in struck.rows), struck.rows
        assert status.model == watched.undisturbed("first")


def _in_days(days: float) -> datetime:
    return datetime.now(UTC) + timedelta(days=days)
