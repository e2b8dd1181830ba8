"""Certificates that end and disks that are full, at one process tree of a consortium that runs.

Invariants:
- A disk is "full" for the processes of one `start` alone: the system lets none of their files grow
  beyond a size (RLIMIT_FSIZE), and they hear so as an error of writing. It needs no rights, and is
  taken back at once. With the right to mount, `small_disk` gives a folder a real one.
"""

from __future__ import annotations

import os
import resource
import secrets
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

from server.authority import issue, issue_transport
from server.consortium.members import note_end
from server.keys import read_private
from shared.identity.certificate import public_of
from shared.identity.pem import certificate_from_pem, certificate_to_pem
from shared.identity.transport import transport_public_of
from tests.bench.process_tree import descendants
from tests.deployment.consortium import Consortium, awaited, processes
from tests.deployment.faults_page import Row
from tests.deployment.watched_run import Acknowledged, Watched


@dataclass
class Struck:
    """A run that is struck by one fault after another; `rows` says what came of each."""

    watched: Watched
    name: str
    rows: list[Row] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.seen = Acknowledged(self.watched.consortium, self.watched.place(self.name))

    @contextmanager
    def by(self, fault: str, how: str) -> Iterator[None]:
        """One fault, which the body brings and takes away; then the run goes on by a stage."""
        before, began = self.watched.status(self.name).done, time.monotonic()
        self.seen.look()
        yield
        self.watched.moved(self.name, lambda s: s.ended or s.done > before)
        seconds, lost = round(time.monotonic() - began, 1), self.seen.look()
        alive = all(one.process.poll() is None for one in self.watched.running.values())
        self.rows.append(Row(fault=fault, how=how, held=alive and not lost, seconds=seconds))


def short_lived(consortium: Consortium, code: str, seconds: float) -> None:
    """Give a lender certificates over its own keys that end so soon."""
    folder, now = consortium.lenders[code], datetime.now(UTC)
    last = now + timedelta(seconds=seconds)
    public = public_of(read_private(folder / "own/identity.key"))
    transport = transport_public_of((folder / "own/transport.key").read_bytes())
    about = {"days": 1, "now": now, "random": secrets.token_bytes}
    given = {"_last": lambda now, days: last, "_EARLY": timedelta(seconds=1)}
    with patch.multiple("server.authority", **given):
        authority = consortium.authority
        made = {
            "certificate.crt": issue(authority, code, "lender", public, **about),
            "transport.crt": issue_transport(authority, code, "lender", transport, **about),
        }
    for name, certificate in made.items():
        (folder / name).write_bytes(certificate_to_pem(certificate))
    note_end(consortium.coordinator, code, last)
    (consortium.coordinator / "renewals" / f"{code}.json").unlink(missing_ok=True)


def gate_shows(consortium: Consortium, code: str) -> bytes:
    """The certificate (DER) that the gate shows to this lender."""
    folder = consortium.lenders[code]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(folder / "authority.crt")
    context.load_cert_chain(folder / "transport.crt", folder / "own/transport.key")
    host, port = consortium.gate.split(":")
    with (
        socket.create_connection((host, int(port)), 10) as plain,
        context.wrap_socket(plain) as spoken,
    ):
        return spoken.getpeercert(binary_form=True) or b""


def der_of(path: Path) -> bytes:
    """A certificate's file."""
    return certificate_from_pem(path.read_bytes())


@contextmanager
def full_disk(process: int, most: int) -> Iterator[None]:
    """No file of this process and of those below it grows beyond `most` bytes meanwhile."""
    _limit(process, most)
    try:
        yield
    finally:
        _limit(process, resource.RLIM_INFINITY)


def _limit(process: int, most: int) -> None:
    for number in [process, *descendants(process)]:
        with suppress(ProcessLookupError):
            resource.prlimit(number, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))


def starts_of(folder: Path) -> dict[str, int]:
    """The processes that a supervisor keeps, by name; equal where none was started again."""
    return processes(folder)


def restarted(folder: Path, name: str) -> None:
    """End one of the processes of a `start`, and wait for its next."""
    old = processes(folder)[name]
    os.kill(old, 15)
    awaited(lambda: processes(folder).get(name, old) != old, 60.0)


def told_in(path: Path, words: str) -> Callable[[], bool]:
    """Whether a log holds these words."""
    return lambda: words in path.read_text(errors="replace")


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[None]:
    """The folder, with what it holds, on a file system of its own of this size; OSError without the
    right to mount.
    """
    held = folder.with_name(f"{folder.name}-held")
    shutil.copytree(folder, held, symlinks=True)
    words = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "tmpfs", str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(done.stderr.strip())
    try:
        shutil.copytree(held, folder, symlinks=True, dirs_exist_ok=True)
        folder.chmod(0o700)
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """Every byte of the folder's file system is taken meanwhile."""
    path = folder / "ballast"
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(1 << 16))
    with path.open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"\0")
    try:
        yield
    finally:
        path.unlink()
