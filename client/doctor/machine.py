"""The machine that the node is to run on: versions, disk, locks, and who can read the folder."""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement

from client.doctor.advice import Advice, attention, ok, wrong
from client.joining import BEGUN, SETTINGS

LEAST_PYTHON = (3, 11)
LEAST_FREE, ENOUGH_FREE = 1 << 30, 5 << 30
"""Bytes: a long run's journal and logs take some hundred megabytes."""
_LOOSE = 0o077


def versions(version_of: Callable[[str], str] = version) -> Iterator[Advice]:
    """What is installed against what this package asks for."""
    if sys.version_info < LEAST_PYTHON:
        told = ".".join(map(str, sys.version_info[:3]))
        yield wrong("versions", f"Python {told} is too old", "install Python 3.11 or newer")
    found = [bad for bad in map(_misfit, _asked(), [version_of] * 99) if bad]
    if found:
        yield wrong(
            "versions",
            f"installed otherwise than asked for: {'; '.join(found)}",
            "pip install --upgrade lianfang, in this environment",
        )
    else:
        yield ok("versions", f"lianfang {version_of('lianfang')}, flwr {version_of('flwr')}")


def _asked() -> list[Requirement]:
    try:
        every = [Requirement(text) for text in requires("lianfang") or ()]
    except PackageNotFoundError:
        return []
    return [one for one in every if one.marker is None or one.marker.evaluate({"extra": ""})]


def _misfit(asked: Requirement, version_of: Callable[[str], str]) -> str:
    try:
        there = version_of(asked.name)
    except PackageNotFoundError:
        return f"{asked.name} is missing"
    fits = asked.specifier.contains(there, prereleases=True)
    return "" if fits else f"{asked.name} {there}, asked for {asked.specifier}"


def folder(place: Path) -> Advice | None:
    """What is wrong with a folder that has not joined; None for a lender's."""
    if (place / SETTINGS).is_file():
        return None
    if (place / BEGUN).is_file():
        remedy = "give lianfang-client join again, with the same invitation or the answer's file"
        return wrong("settings", f"{place}: joining was begun here and is not finished", remedy)
    remedy = "name the lender's folder; to make one: lianfang-client join -h"
    if not place.is_dir():
        return wrong("settings", f"there is no folder {place}", remedy)
    return wrong("settings", f"{place} is no lender's folder: it has no {SETTINGS}", remedy)


def disk(folder: Path) -> Advice:
    """Space where the folder lies."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return wrong("disk", f"{folder}: {error.strerror}", "name the lender's folder")
    told = f"{free / (1 << 30):.1f} GB free"
    remedy = "free space: when the disk is full your side stops answering, and loses nothing"
    if free < LEAST_FREE:
        return wrong("disk", told, remedy)
    return attention("disk", told, remedy) if free < ENOUGH_FREE else ok("disk", told)


def locks(folder: Path) -> Advice:
    """Whether files can be written, made durable and locked there: the vault needs all three."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
            file.flush()
            os.fsync(file.fileno())
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return wrong(
            "locks",
            f"{folder}: a file cannot be written, made durable and locked ({error.strerror})",
            "put the folder on a local disk that the node's user may write to",
        )
    return ok("locks", "files can be written, made durable and locked")


def privacy(folder: Path) -> Advice:
    """Whether other users of the machine can read what is the lender's own."""
    own = folder / "own"
    if not own.is_dir():
        return wrong("privacy", f"{own} is missing", "join first: lianfang-client join -h")
    keys = [path for path in sorted(own.glob("*.key")) if path.stat().st_mode & _LOOSE]
    if keys:
        return wrong(
            "privacy",
            f"{keys[0]}: others than its owner can read it",
            f"chmod 600 {keys[0]}; if anybody may have copied it, join again under another code",
        )
    if own.stat().st_mode & _LOOSE:
        return attention("privacy", f"{own} is open to others", f"chmod 700 {own}")
    if own.stat().st_uid != os.geteuid():
        return wrong("privacy", f"{own} is another user's", "run this as the node's own user")
    return ok("privacy", "own/ and its keys are their owner's alone")
