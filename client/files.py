"""Writing a file whole or not at all, and for its owner only.

Invariants:
- No other user of the machine can read what is written here, whatever the umask: files are made
  with mode 0600, folders with 0700.
"""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old one or the new one, never a part. A folder that
    is missing is made.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _put_in_place(path, content, durable=False)


def write_durably(path: Path, content: bytes) -> None:
    """As `write_whole`, and still there after the power fails. The folder must exist."""
    _put_in_place(path, content, durable=True)
    sync_folder(path.parent)


def _put_in_place(path: Path, content: bytes, *, durable: bool) -> None:
    partial_of(path).unlink(missing_ok=True)  # a crash left it, with whatever mode
    handle = os.open(partial_of(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        write_all(handle, content)
        if durable:
            os.fsync(handle)
    finally:
        os.close(handle)
    os.replace(partial_of(path), path)


def keep_private(folder: Path) -> None:
    """Make a folder, or take it away from all but its owner; raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    mode = folder.stat().st_mode & 0o777
    if mode & 0o077:
        folder.chmod(mode & 0o700)


def partial_of(path: Path) -> Path:
    """What is written before it is put in place; a crash may leave it."""
    return path.with_name(f".{path.name}.partial")


def write_all(handle: int, content: bytes | memoryview) -> None:
    """Write everything: one call of the system may take only a part."""
    view = memoryview(content)
    while view:
        view = view[os.write(handle, view) :]


def sync_folder(folder: Path) -> None:
    """Make the folder's list of names durable: without it a new file may vanish with the power."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
