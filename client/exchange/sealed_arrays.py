"""Arrays in one file, encrypted in blocks, so that a few rows cost a few blocks.

    header   mark, length, JSON (name → dtype, shape, rows per block, offset); a salt of 16 bytes
    blocks   AES-256-GCM (NIST SP 800-38D): ciphertext and 16 bytes of authenticator each

Invariants:
- The key of a file is HKDF-SHA256 (RFC 5869) of the folder's key and the file's own random salt, so
  the counters that serve as nonces never meet twice under one key.
- Every block is bound to the file's purpose, its header, and its place in the file: a flipped,
  moved, swapped or older block does not open, and nothing of it is handed out.
- A file appears whole and durably or not at all.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from numpy.typing import NDArray

from client.exchange.array_file import DamagedFileError
from client.files import write_durably

_MARK = b"lianfang sealed arrays 1\n"
_SALT, _LENGTH, _TAG = 16, 4, 16
_BLOCK_BYTES = 1 << 18
_FEW = 16
KEY_BYTES = 32

Array = NDArray[Any]


class SealedArrays:
    """The arrays of one file. Raises DamagedFileError wherever something does not open."""

    def __init__(self, path: Path, key: bytes, purpose: str) -> None:
        self._path = path
        try:
            self._content = np.memmap(path, np.uint8, mode="r") if path.stat().st_size else None
            self._header, self._about = self._read_header()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise self._damaged() from error
        salt = self._header[-_SALT:]
        self._cipher = _cipher(key, salt)
        self._bound = _bound(purpose, self._header)

    def __contains__(self, name: str) -> bool:
        return name in self._about

    def shape(self, name: str) -> tuple[int, ...]:
        """Of an array, without opening it."""
        return tuple(self._about[name][1])

    def read(self, name: str) -> Array:
        """The whole array."""
        dtype, shape, per_block, _ = self._about[name]
        count = -(-shape[0] // per_block)
        opened = b"".join(self._block(name, number) for number in range(count))
        return np.frombuffer(opened, dtype).reshape(shape)

    def rows(self, name: str, numbers: NDArray[np.int64]) -> Array:
        """Some rows. Where they are few, only the blocks they are in are opened."""
        dtype, shape, per_block, _ = self._about[name]
        if len(numbers) * _FEW > shape[0]:
            whole = self.read(name)
            in_order = len(numbers) == shape[0] and bool((numbers == np.arange(shape[0])).all())
            return whole if in_order else whole[numbers]
        out = np.empty((len(numbers), *shape[1:]), dtype)
        for block in np.unique(numbers // per_block):
            here = numbers // per_block == block
            opened = np.frombuffer(self._block(name, int(block)), dtype).reshape(-1, *shape[1:])
            out[here] = opened[numbers[here] - block * per_block]
        return out

    def _block(self, name: str, number: int) -> bytes:
        dtype, shape, per_block, offset = self._about[name]
        row = np.dtype(dtype).itemsize * int(np.prod(shape[1:]))
        start = offset + number * (per_block * row + _TAG)
        rows = min(per_block, shape[0] - number * per_block)
        sealed = self._content[start : start + rows * row + _TAG]  # type: ignore[index]
        nonce = _nonce([*self._about].index(name), number)
        try:
            return self._cipher.decrypt(nonce, sealed.data, self._bound)
        except InvalidTag as error:
            raise self._damaged() from error

    def _read_header(self) -> tuple[bytes, dict[str, Any]]:
        if self._content is None:
            raise ValueError("nothing")
        start = self._content[: len(_MARK) + _LENGTH].tobytes()
        if not start.startswith(_MARK):
            raise ValueError("another mark")
        length = int.from_bytes(start[len(_MARK) :], "big")
        header = self._content[: len(start) + length + _SALT].tobytes()
        return header, json.loads(header[len(start) : -_SALT])

    def _damaged(self) -> DamagedFileError:
        return DamagedFileError(
            f"{self._path.name} is damaged, or of another key",
            remedy=f"remove {self._path.parent}: its tokens are asked for anew",
        )


def write_sealed(
    path: Path,
    key: bytes,
    purpose: str,
    arrays: Mapping[str, Array],
    random: Callable[[int], bytes],
) -> None:
    """Write arrays (n, …) to a file durably. Raises OSError."""
    about: dict[str, Any] = {}
    offset = 0
    for name, array in arrays.items():
        row = array.dtype.itemsize * int(np.prod(array.shape[1:]))
        per_block = max(1, _BLOCK_BYTES // max(1, row))
        about[name] = [array.dtype.str, array.shape, per_block, offset]
        offset += array.shape[0] * row + -(-array.shape[0] // per_block) * _TAG
    header = _header(about, random(_SALT))
    cipher, bound = _cipher(key, header[-_SALT:]), _bound(purpose, header)
    content = bytearray(header)
    for place, name in enumerate(about):
        array, per_block = np.ascontiguousarray(arrays[name]), about[name][2]
        for number, start in enumerate(range(0, len(array), per_block)):
            block = array[start : start + per_block].tobytes()
            content += cipher.encrypt(_nonce(place, number), block, bound)
    write_durably(path, bytes(content))


def _header(about: dict[str, Any], salt: bytes) -> bytes:
    """Offsets count from the header's end, whose length depends on them: padded to fit."""
    width = len(json.dumps(about)) + 20 * len(about)
    length = len(_MARK) + _LENGTH + width + _SALT
    shifted = {name: [*of[:3], of[3] + length] for name, of in about.items()}
    return _MARK + width.to_bytes(_LENGTH, "big") + json.dumps(shifted).ljust(width).encode() + salt


def _cipher(key: bytes, salt: bytes) -> AESGCM:
    info = b"lianfang/cache/v1"
    return AESGCM(HKDF(SHA256(), KEY_BYTES, salt=salt, info=info).derive(key))


def _bound(purpose: str, header: bytes) -> bytes:
    return sha256(purpose.encode() + b"\0" + header).digest()


def _nonce(array: int, block: int) -> bytes:
    return array.to_bytes(4, "big") + block.to_bytes(8, "big")
