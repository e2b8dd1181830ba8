"""Arrays in one file, mapped into memory, with a digest of each.

    header    8 kB: mark, JSON (version, name → dtype, shape, offset, SHA-256), SHA-256 of both
    arrays    each at a multiple of 4,096 bytes

Invariants:
- A file appears whole and durably or not at all.
- `open_arrays` reads every array that has a digest in full before it hands one out, so a flipped
  byte is found before it is served. Arrays named in `unchecked` have none: whoever reads them
  checks each part (the list's sealed records have their own check numbers).
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from client.files import partial_of, sync_folder, write_all
from shared.errors import OperatorError

_MARK = b"lianfang arrays 1\n"
_HEADER_BYTES, _PAGE = 8192, 4096
_DIGEST = 32

Chunks = Iterable[NDArray[Any]]


@dataclass(frozen=True)
class Column:
    """An array to be written, in chunks along its first axis; `shape` is that of the whole."""

    dtype: str
    shape: tuple[int, ...]
    chunks: Chunks


class DamagedFileError(OperatorError):
    """A file of this lender's own is not as it was written."""


def column(array: NDArray[Any]) -> Column:
    """An array that is in memory already."""
    return Column(array.dtype.str, array.shape, [array])


def write_arrays(
    path: Path, version: int, columns: Mapping[str, Column], *, unchecked: Collection[str] = ()
) -> str:
    """Write a file durably; returns the hex digest of its header, which stands for all of it.

    Raises OSError.
    """
    partial = partial_of(path)
    partial.unlink(missing_ok=True)
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        about: dict[str, Any] = {}
        end = _HEADER_BYTES
        for name, one in columns.items():
            offset = -(-end // _PAGE) * _PAGE
            size, digest = _write(handle, offset, one.chunks, hashed=name not in unchecked)
            about[name] = [one.dtype, list(one.shape), offset, digest]
            end = offset + size
        os.ftruncate(handle, end)
        header = _header({"version": version, "arrays": about, "bytes": end})
        os.lseek(handle, 0, os.SEEK_SET)
        write_all(handle, header)
        os.fsync(handle)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise
    finally:
        os.close(handle)
    os.replace(partial, path)
    sync_folder(path.parent)
    return sha256(header).hexdigest()


def _write(handle: int, offset: int, chunks: Chunks, *, hashed: bool) -> tuple[int, str]:
    os.lseek(handle, offset, os.SEEK_SET)
    size, digest = 0, sha256()
    for chunk in chunks:
        content = np.ascontiguousarray(chunk).reshape(-1).view(np.uint8).data
        write_all(handle, content)
        size += len(content)
        if hashed:
            digest.update(content)
    return size, digest.hexdigest() if hashed else ""


def _header(about: dict[str, Any]) -> bytes:
    body = _MARK + json.dumps(about).encode()
    body = body.ljust(_HEADER_BYTES - _DIGEST, b" ")
    return body + sha256(body).digest()


def open_arrays(path: Path, expected: str = "") -> tuple[int, dict[str, NDArray[Any]]]:
    """Version and read-only arrays by name; `expected`: what `write_arrays` returned.

    Raises DamagedFileError, and FileNotFoundError for no file.
    """
    with _told(path):
        content = np.memmap(path, np.uint8, mode="r")
        header = content[:_HEADER_BYTES].tobytes()
        if expected and sha256(header).hexdigest() != expected:
            raise ValueError("another header")
        about = _read_header(header)
        if about["bytes"] != len(content):
            raise ValueError("another length")
        return about["version"], {
            name: _checked(content, *place) for name, place in about["arrays"].items()
        }


def _read_header(header: bytes) -> dict[str, Any]:
    body, digest = header[:-_DIGEST], header[-_DIGEST:]
    if not body.startswith(_MARK) or sha256(body).digest() != digest:
        raise ValueError("no header")
    about: dict[str, Any] = json.loads(body.removeprefix(_MARK))
    return about


def _checked(
    content: NDArray[np.uint8], dtype: str, shape: list[int], offset: int, digest: str
) -> NDArray[Any]:
    size = np.dtype(dtype).itemsize * int(np.prod(shape))
    part = content[offset : offset + size]
    if digest and sha256(part.data).hexdigest() != digest:
        raise ValueError("another digest")
    return np.asarray(part).view(dtype).reshape(shape)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedFileError(
            f"{path.name} is damaged", remedy="remove it; it is fetched or made anew"
        ) from error
