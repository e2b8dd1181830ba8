"""Tokens of one epoch, kept encrypted, so that the same book is screened again without a network.

    <folder>/epoch-<n>/key            32 bytes; whoever removes it removes everything else
    <folder>/epoch-<n>/current.json   the token files in their order
    <folder>/epoch-<n>/tokens-*.bin   keyed hash of the input (16) · tag (32) · output (64)
    <folder>/epoch-<n>/book-*.bin     what a book, known by its file's hash, holds: see `book_index`

Invariants:
- No identifier and no PRF input is written, only a keyed hash of it under a key kept beside.
- A number, once given to a token, stays its number: books refer to tokens by it.
- Files are written whole and made durable before `current.json` names them; a crash loses at most
  what was being added, and that is asked for again.
- What does not open is an error and never an answer.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from hashlib import blake2b, sha256
from hmac import compare_digest
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from client.exchange.array_file import DamagedFileError
from client.exchange.sealed_arrays import KEY_BYTES, SealedArrays, write_sealed
from client.exchange.sorted_keys import Numbers, find, prefixes_of
from client.files import keep_private, sync_folder, write_durably
from shared.errors import InternalError, OperatorError
from shared.tokens.tags import OUTPUT_BYTES, TAG_BYTES

CURRENT = "current.json"
HASH_BYTES = 16
_MOST_BOOKS = 16
Bytes = NDArray[np.uint8]
_SortedHashes = tuple[NDArray[np.uint64], Bytes, Numbers]


class TokenCache:
    """The cache of `epoch` in `folder`. Raises OperatorError when the disk does not do its part."""

    def __init__(
        self, folder: Path, epoch: int, random: Callable[[int], bytes] = os.urandom
    ) -> None:
        self._folder, self._random = folder / f"epoch-{epoch}", random
        self.epoch = epoch
        with _told(self._folder):
            keep_private(folder)
            keep_private(self._folder)
            with self._alone():
                self._key = self._kept_key()
        self._hash_key = sha256(b"lianfang/cache-hash/v1\0" + self._key).digest()
        self._files: list[SealedArrays] = []
        self._names: list[str] = []
        self._sorted: dict[str, _SortedHashes] = {}
        self._load()

    def __len__(self) -> int:
        return sum(file.shape("hash")[0] for file in self._files)

    def numbers(self, inputs: Sequence[bytes]) -> Numbers:
        """(m,): the number of each input's token, -1 where there is none."""
        out = np.full(len(inputs), -1, np.int64)
        asked, begin = self._hashes_of(inputs), 0
        for name, file in zip(self._names, self._files, strict=True):
            prefixes, hashes, order = self._sorted_hashes(name, file)
            pairs = find(prefixes, hashes, asked)
            out[pairs.asked] = order[pairs.found] + begin
            begin += len(order)
        return out

    def add(self, inputs: Sequence[bytes], outputs: Bytes, tags: Bytes) -> Numbers:
        """Keep outputs (m, 64) and tags (m, 32) of distinct inputs; returns all their numbers."""
        if outputs.shape != (len(inputs), OUTPUT_BYTES) or tags.shape != (len(inputs), TAG_BYTES):
            raise InternalError("outputs are (m, 64), tags (m, 32)")
        with _told(self._folder), self._alone():
            self._load()
            new = np.flatnonzero(self.numbers(inputs) < 0)
            if new.size:
                hashes = self._hashes_of([inputs[int(at)] for at in new])
                self._append({"hash": hashes, "tag": tags[new], "output": outputs[new]})
        return self.numbers(inputs)

    def tags(self, numbers: Numbers) -> Bytes:
        """(k, 32): the tags of some tokens."""
        return self._taken("tag", TAG_BYTES, numbers)

    def outputs(self, numbers: Numbers) -> Bytes:
        """(k, 64): the outputs of some tokens."""
        return self._taken("output", OUTPUT_BYTES, numbers)

    def _taken(self, part: str, width: int, numbers: Numbers) -> Bytes:
        if len(self._files) == 1:  # the common case, and no copy
            return self._files[0].rows(part, numbers)
        out = np.empty((len(numbers), width), np.uint8)
        begin = 0
        for file in self._files:
            count = file.shape("hash")[0]
            here = (numbers >= begin) & (numbers < begin + count)
            out[here] = file.rows(part, numbers[here] - begin)
            begin += count
        return out

    def keep_book(self, name: bytes, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep what is known of a book, by a name such as its file's hash; the oldest ones go."""
        path = self._book(name)
        with _told(self._folder), self._alone():
            write_sealed(path, self._key, self._purpose(path), arrays, self._random)
            books = sorted(self._folder.glob("book-*"), key=lambda one: one.stat().st_mtime_ns)
            for old in books[:-_MOST_BOOKS]:
                old.unlink(missing_ok=True)

    def book(self, name: bytes) -> SealedArrays | None:
        """What was kept of a book; None: nothing."""
        path = self._book(name)
        return SealedArrays(path, self._key, self._purpose(path)) if path.exists() else None

    def books(self) -> Iterator[SealedArrays]:
        """All that was kept of books."""
        for path in sorted(self._folder.glob("book-*.bin")):
            yield SealedArrays(path, self._key, self._purpose(path))

    def _append(self, arrays: dict[str, Bytes]) -> None:
        """One more file, together with those before it that are no larger: numbers stay, there
        are few files, and a single token does not rewrite a million.
        """
        names, files = list(self._names), list(self._files)
        while files and files[-1].shape("hash")[0] <= len(arrays["hash"]):
            names.pop()
            last = files.pop()
            arrays = {part: np.concatenate([last.read(part), new]) for part, new in arrays.items()}
        name = f"tokens-{self._random(8).hex()}.bin"
        path = self._folder / name
        write_sealed(path, self._key, self._purpose(path), arrays, self._random)
        names.append(name)
        write_durably(self._folder / CURRENT, json.dumps(names).encode())
        for old_path in self._folder.glob("*tokens-*"):
            if old_path.name not in names:
                old_path.unlink(missing_ok=True)
        self._load()

    def _load(self) -> None:
        path = self._folder / CURRENT
        with _told(self._folder):
            for _ in range(3):  # another process may replace the files meanwhile
                names = _read_names(path)
                if names == self._names:
                    return
                if all((self._folder / name).exists() for name in names):
                    break
        kept = dict(zip(self._names, self._files, strict=True))
        files = [
            kept.get(name) or SealedArrays(self._folder / name, self._key, f"{self.epoch}/{name}")
            for name in names
        ]
        self._names, self._files = names, files
        self._sorted = {name: of for name, of in self._sorted.items() if name in names}

    def _sorted_hashes(self, name: str, file: SealedArrays) -> _SortedHashes:
        if name not in self._sorted:
            hashes = file.read("hash")
            prefixes = prefixes_of(hashes)
            order = np.argsort(prefixes)
            self._sorted[name] = prefixes[order], hashes[order], order
        return self._sorted[name]

    def _hashes_of(self, inputs: Sequence[bytes]) -> Bytes:
        start = blake2b(key=self._hash_key, digest_size=HASH_BYTES)
        digests = []
        for one in inputs:
            hashed = start.copy()
            hashed.update(one)
            digests.append(hashed.digest())
        return np.frombuffer(b"".join(digests), np.uint8).reshape(-1, HASH_BYTES)

    def _book(self, name: bytes) -> Path:
        hidden = blake2b(name, key=self._hash_key, digest_size=16, person=b"book").hexdigest()
        return self._folder / f"book-{hidden}.bin"

    def _purpose(self, path: Path) -> str:
        return f"{self.epoch}/{path.name}"

    def _kept_key(self) -> bytes:
        path = self._folder / "key"
        if not path.exists():
            if any(self._folder.glob("*.bin")):
                raise DamagedFileError("its key is missing", remedy="remove the folder")
            write_durably(path, self._random(KEY_BYTES))
        if path.stat().st_mode & 0o077:
            raise OperatorError(f"{path} can be read by others", remedy=f"chmod 600 {path}")
        key = path.read_bytes()
        if len(key) != KEY_BYTES or compare_digest(key, bytes(KEY_BYTES)):
            raise DamagedFileError("its key is not whole", remedy="remove the folder")
        return key

    @contextmanager
    def _alone(self) -> Iterator[None]:
        handle = os.open(self._folder / "lock", os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def wipe(folder: Path, epoch: int) -> None:
    """An epoch has retired: overwrite its key, then remove all that it opened."""
    place = folder / f"epoch-{epoch}"
    with _told(place):
        if not place.exists():
            return
        with suppress(FileNotFoundError), (place / "key").open("r+b") as file:
            file.write(bytes(KEY_BYTES))
            os.fsync(file.fileno())
        for path in place.iterdir():
            path.unlink(missing_ok=True)
        place.rmdir()
        sync_folder(folder)


def _read_names(path: Path) -> list[str]:
    try:
        names = json.loads(path.read_bytes()) if path.exists() else []
        if not isinstance(names, list) or any(Path(str(name)).name != name for name in names):
            raise ValueError("no list of names")
        return names
    except ValueError as error:
        raise DamagedFileError(f"{path.name} is damaged", remedy="remove the folder") from error


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    try:
        yield
    except DamagedFileError as error:
        raise DamagedFileError(
            f"the tokens kept in {folder}: {error.what}",
            remedy=f"remove {folder}: its tokens are asked for anew",
        ) from error
    except OSError as error:
        raise OperatorError(
            f"tokens cannot be kept in {folder} ({error.strerror})",
            remedy="check space and rights of the folder; what was kept before is still there",
        ) from error
