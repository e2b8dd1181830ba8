"""Writing a file whole and for its owner only, or not at all; seeing that it changed."""

from __future__ import annotations

import os
from pathlib import Path

PARTIAL = ".partial"
"""Ends the name of what is written before it is put in place; a crash may leave it."""
Stamp = tuple[int, int, int]


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old one or the new one, never a part; raises OSError.
    For what need not outlive a power cut.
    """
    _put_in_place(path, content, durable=False)


def write_durably(path: Path, content: bytes) -> None:
    """As `write_whole`, and still there after the power fails; raises OSError."""
    _put_in_place(path, content, durable=True)
    handle = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _put_in_place(path: Path, content: bytes, *, durable: bool) -> None:
    partial = path.with_name(path.name + PARTIAL)
    partial.unlink(missing_ok=True)  # a crash left it, with whatever mode
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    os.replace(partial, path)


def stamp_of(path: Path) -> Stamp | None:
    """Differs when the file was changed or replaced; None without one."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
