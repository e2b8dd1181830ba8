"""Certificates that end or are renewed, and disks that are full, while a run of real processes is
under way, at length: `make soak`. With faulty connections in one run: `test_all_faults.py`.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.deployment.consortium import awaited, founded
from tests.deployment.faults_page import rows_section, write_section
from tests.deployment.other_faults import write_not_run, write_row
from tests.deployment.strikes import (
    certificate_ends,
    coordinator_renews,
    coordinators_disk_is_full,
    finished,
    lenders_disk_is_full,
    running,
)
from tests.deployment.struck import Struck, filled, small_disk, told_in

pytestmark = pytest.mark.slow
MEGABYTES = 64
"""Of a small file system."""


@pytest.mark.soak
def test_the_others_finish_without_a_lender_whose_certificates_have_ended(tmp_path: Path) -> None:
    """Four lenders, three are enough: trees go on without it, and a count waits until it renews.
    Positive control: before its certificates end it is in every total. If all held, docs/faults.md
    is written.
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
    assert all(row["held"] for row in struck.rows), struck.rows
    write_section("Certificates and full disks", rows_section(struck.rows, words))


@pytest.mark.soak
@pytest.mark.parametrize("whose", ["coordinator", "L01"])
def test_a_small_file_system_is_full_for_a_while(tmp_path: Path, whose: str) -> None:
    """A real one, every byte taken: nothing is lost, and the run goes on to the same model. If all
    held, its row of docs/faults.md is written; where nothing can be mounted, one that says so.
    """
    fault = f"a real file system is full: {'a lender' if whose == 'L01' else 'the coordinator'}'s"
    with ExitStack() as stack:
        made = founded(tmp_path)
        try:
            stack.enter_context(small_disk(tmp_path / whose, MEGABYTES))
        except OSError as error:
            write_not_run(fault, f"no file system can be mounted here ({error})")
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
    how = f"a tmpfs of {MEGABYTES} MB; goes on by itself with room again, to the same model"
    write_row(fault, how, struck.rows[0]["seconds"])
