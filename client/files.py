"""Writing a file whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old one or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(content)
    os.replace(partial, path)


def write_durably(path: Path, content: bytes) -> None:
    """As `write_whole`, readable by its owner only, and still there after the power fails.

    The folder must exist, and nothing be left of an earlier attempt (`partial_of`).
    """
    handle = os.open(partial_of(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        write_all(handle, content)
        os.fsync(handle)
    finally:
        os.close(handle)
    os.replace(partial_of(path), path)
    sync_folder(path.parent)


def partial_of(path: Path) -> Path:
    """What `write_durably` writes before it puts it in place; a crash may leave it."""
    return path.with_name(f".{path.name}.partial")


def write_all(handle: int, content: bytes) -> None:
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
