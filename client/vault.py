"""A lender's vault: the secrets of one set-up, in one file of its own folder.

    own/vault/set-up.bin    header: mark, sizes, SHA-256 of the state
                            state: what LenderSide keeps of the set-up
                            for each slot: SHA-256 of its record, the record

Invariants:
- The file is replaced whole and durably, so state and slots always belong together; one that is cut
  or edited counts as none, a slot's record that is not whole counts as wiped.
- Wiping writes zeros over the record in its place and returns when the disk has them. What is
  replaced is overwritten too.
- The folder and the file are their owner's alone; otherwise they are not used.

What overwriting cannot promise: an SSD, a copy-on-write file system, a snapshot or a backup may
keep the old bytes. Keep the folder on an encrypted disk and out of every backup; after a loss the
next set-up draws new keys, and nothing else is needed.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from struct import Struct

from client.files import partial_of, write_durably
from shared.errors import InternalError, OperatorError

_MARK = b"lianfang vault 1"
_HEADER = Struct(">16s3I32s")
_DIGEST_BYTES = 32
_log = logging.getLogger("lianfang.client")


@dataclass(frozen=True)
class _Layout:
    """Bytes of the state and of a slot's record with its digest; number of slots."""

    state: int
    record: int
    slots: int
    digest: bytes

    @classmethod
    def read(cls, handle: int) -> _Layout | None:
        """Of an open file; None when the file is not as long as its header says."""
        header = os.pread(handle, _HEADER.size, 0)
        if len(header) < _HEADER.size:
            return None
        mark, state, record, slots, digest = _HEADER.unpack(header)
        layout = cls(state, record, slots, digest)
        whole = mark == _MARK and os.fstat(handle).st_size == layout.place(slots)
        return layout if whole else None

    def place(self, number: int) -> int:
        """Where a slot's digest and record begin."""
        return _HEADER.size + self.state + number * self.record

    def record_of(self, handle: int, number: int) -> bytes | None:
        """A slot's record; None when there is no such slot, or the record is not whole."""
        if not 0 <= number < self.slots:
            return None
        content = os.pread(handle, self.record, self.place(number))
        digest, record = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        return record if sha256(record).digest() == digest else None


class Vault:
    """The `SecretStore` of `shared.secure_sum.lender_secrets` in a folder of the lender's own.

    Every method raises OperatorError when the disk does not do its part.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / "set-up.bin"
        with _told(self._path):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _check_private(folder, folder.stat().st_mode)
            _destroy(partial_of(self._path))

    def keep(self, state: bytes, slots: Sequence[bytes]) -> None:
        """Replace everything, durably; all records have one length, more than 0."""
        record = _DIGEST_BYTES + len(slots[0])
        if any(_DIGEST_BYTES + len(slot) != record for slot in slots):
            raise InternalError("records of secrets have different lengths")
        header = _HEADER.pack(_MARK, len(state), record, len(slots), sha256(state).digest())
        records = b"".join(sha256(slot).digest() + slot for slot in slots)
        with _told(self._path), self._opened() as old:
            _destroy(partial_of(self._path))
            write_durably(self._path, header + state + records)
            if old is not None:
                _overwrite(old)

    def state(self) -> bytes | None:
        """The state kept last; None when there is none."""
        with _told(self._path), self._opened() as handle:
            layout = None if handle is None else _Layout.read(handle)
            if handle is None:
                return None
            state = b"" if layout is None else os.pread(handle, layout.state, _HEADER.size)
            if layout is None or sha256(state).digest() != layout.digest:
                _log.warning("%s is damaged: its set-up is not used any more", self._path)
                return None
            return state

    def slot(self, number: int) -> bytes | None:
        """A slot's record; None when it was wiped, or is not whole."""
        return self._records(range(number, number + 1))[0]

    def slots(self, count: int) -> list[bytes | None]:
        """The records of the first `count` slots, as `slot` gives each."""
        return self._records(range(count))

    def _records(self, numbers: range) -> list[bytes | None]:
        with _told(self._path), self._opened() as handle:
            layout = None if handle is None else _Layout.read(handle)
            if handle is None or layout is None:
                return [None] * len(numbers)
            return [layout.record_of(handle, number) for number in numbers]

    def wipe(self, number: int) -> None:
        """Write zeros over a slot's record, durably."""
        with _told(self._path), self._opened() as handle:
            layout = None if handle is None else _Layout.read(handle)
            if handle is None or layout is None or not 0 <= number < layout.slots:
                raise InternalError("a slot is to be wiped that there is not")
            _zero(handle, layout.place(number), layout.record)
            os.fdatasync(handle)

    def destroy(self) -> None:
        """Overwrite and remove everything kept."""
        with _told(self._path):
            _destroy(self._path)

    @contextmanager
    def _opened(self) -> Iterator[int | None]:
        """The file, opened for reading and writing; None when there is none."""
        try:
            handle = os.open(self._path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            yield None
            return
        try:
            _check_private(self._path, os.fstat(handle).st_mode)
            yield handle
        finally:
            os.close(handle)


def _overwrite(handle: int) -> None:
    _zero(handle, 0, os.fstat(handle).st_size)
    os.fdatasync(handle)


def _zero(handle: int, start: int, size: int) -> None:
    while size > 0:
        written = os.pwrite(handle, bytes(size), start)
        start, size = start + written, size - written


def _destroy(path: Path) -> None:
    try:
        handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        _overwrite(handle)
    finally:
        os.close(handle)
    path.unlink()


def _check_private(path: Path, mode: int) -> None:
    if mode & 0o077:
        raise OperatorError(
            f"{path}: others than its owner can use it",
            remedy=f"chmod go= {path}; if anybody may have read it, remove the folder: the next "
            "set-up makes new keys",
        )


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Failures of the disk as the operator's to mend; what they say holds no secret."""
    try:
        yield
    except OSError as error:
        raise OperatorError(
            f"{path}: {error.strerror or type(error).__name__}",
            remedy="free space, or mend the disk or the folder's permissions; nothing was sent",
        ) from error
