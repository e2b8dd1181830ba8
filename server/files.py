"""Writing a file whole, durable and for its owner only, or not at all; seeing that it changed."""

from __future__ import annotations

import os
from pathlib import Path

PARTIAL = ".partial"
"""Ends the name of what is written before it is put in place; a crash may leave it."""
Stamp = tuple[int, int, int]


def write_durably(path: Path, content: bytes) -> None:
    """Write a file whole, durable and its owner's only, or leave what was there; raises OSError."""
    partial = path.with_name(path.name + PARTIAL)
    partial.unlink(missing_ok=True)  # a crash left it, with whatever mode
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)
    handle = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def stamp_of(path: Path) -> Stamp | None:
    """Differs when the file was changed or replaced; None without one."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
