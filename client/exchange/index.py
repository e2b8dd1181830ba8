"""The lender's own copy of the list, searched locally and exactly.

    <folder>/current.json            version, and which files hold it
    <folder>/base-<version>.bin      most rows, sorted by tag
    <folder>/overlay-<version>.bin   rows that came since, and which of the base's rows are gone

Invariants:
- A version is there whole or not at all: files are written and made durable first, `current.json`
  is replaced last. A crash leaves the version before it.
- Nothing that is not as it was written is answered from: tags, epochs, flags and check numbers are
  verified when the list is opened, a sealed record when it is read.
- Whole tags of 32 bytes are compared. Nothing about a question leaves this module.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from client.exchange.array_file import DamagedFileError, column, open_arrays
from client.exchange.row_table import RowTable, Tags, gathered, table_of
from client.exchange.sorted_keys import Numbers, Pairs
from client.files import keep_private, write_durably
from shared.blacklist.rows import Changes, Row
from shared.errors import InternalError, OperatorError

CURRENT = "current.json"
_SCRATCH = ".incoming"
_LEAST_MERGE, _MERGE_SHARE = 65_536, 8  # an overlay as large as an eighth of the base is merged
_EMPTY_BASE = RowTable.empty()


@dataclass(frozen=True, eq=False)
class _State:
    """`dropped`: sorted positions of the base's rows that are gone; `files`: name → digest."""

    version: int
    base: RowTable
    overlay: RowTable
    dropped: Numbers
    files: dict[str, str]

    @property
    def alive(self) -> NDArray[np.bool_]:
        """(rows of the base,): which of them are still listed."""
        mask = np.ones(len(self.base), bool)
        mask[self.dropped] = False
        return mask


_NOTHING = _State(0, _EMPTY_BASE, _EMPTY_BASE, np.zeros(0, np.int64), {})


class ListIndex:
    """The list in `folder`, which may be empty (version 0). One writer at a time. `anew`: whatever
    is there is not read, and goes when a version is taken over.
    """

    def __init__(
        self, folder: Path, *, least_merge: int = _LEAST_MERGE, anew: bool = False
    ) -> None:
        self._folder, self._least_merge = folder, least_merge
        with _told(folder):
            keep_private(folder)
            self._state = _NOTHING if anew else _opened(folder)

    @property
    def version(self) -> int:
        """The version of the list that answers; 0: none yet."""
        return self._state.version

    def __len__(self) -> int:
        state = self._state
        return len(state.base) - len(state.dropped) + len(state.overlay)

    def find(self, tags: Tags) -> Pairs:
        """Every listed row of each tag (m, 32), as pairs of question and row number."""
        state = self._state
        base, overlay = state.base.find(tags), state.overlay.find(tags)
        gone = np.isin(base.found, state.dropped) if state.dropped.size else None
        if gone is not None:
            base = Pairs(base.asked[~gone], base.found[~gone])
        asked = np.concatenate([base.asked, overlay.asked])
        found = np.concatenate([base.found, overlay.found + len(state.base)])
        order = np.argsort(asked, kind="stable")
        return Pairs(asked[order], found[order])

    def row(self, number: int) -> Row:
        """The row of a number that `find` gave. Raises DamagedFileError."""
        state = self._state
        beyond = number - len(state.base)
        return state.base.row(number) if beyond < 0 else state.overlay.row(beyond)

    def rows(self) -> list[Row]:
        """All rows in their one order: what a checkpoint of the version is computed over."""
        state = self._state
        base = [state.base.row(int(at)) for at in np.flatnonzero(state.alive)]
        return sorted(base + [state.overlay.row(at) for at in range(len(state.overlay))])

    def group(self, number: int) -> list[Row]:
        """The rows whose tags begin with these 12 bits, in order. Raises DamagedFileError."""
        state = self._state
        first, end = state.base.group(number)
        gone = {*state.dropped[slice(*np.searchsorted(state.dropped, (first, end)))].tolist()}
        base = [state.base.row(at) for at in range(first, end) if at not in gone]
        return sorted(base + [state.overlay.row(at) for at in range(*state.overlay.group(number))])

    def replace(self, rows: Iterable[Row] | RowTable, version: int) -> None:
        """Take over a whole list, read in one pass and not held in memory.

        Whatever reading the rows raises, nothing is changed. Raises OperatorError when the disk
        does not do its part.
        """
        if isinstance(rows, RowTable):
            self._keep(_State(version, rows, _EMPTY_BASE, _NOTHING.dropped, {}))
            return
        scratch = self._folder / _SCRATCH
        try:
            with _told(self._folder):
                table = gathered(rows, scratch)
            self._keep(_State(version, table, _EMPTY_BASE, _NOTHING.dropped, {}))
        finally:
            scratch.unlink(missing_ok=True)

    def apply(self, changes: Changes, version: int) -> None:
        """Go from this version to a later one: rows of dropped tags go, then the added ones come.

        Raises OperatorError when the disk does not do its part.
        """
        state = self._state
        if version <= state.version:
            raise InternalError(f"the list is at version {state.version}, not before {version}")
        dropped = _tags(changes.dropped)
        gone = np.union1d(state.dropped, state.base.find(dropped).found)
        overlay = state.overlay.without(state.overlay.find(dropped).found)
        overlay = overlay.merged(table_of(changes.added))
        after = _State(version, state.base, overlay, gone, state.files)
        if len(overlay) + len(gone) > max(self._least_merge, len(state.base) // _MERGE_SHARE):
            merged = state.base.without(gone).merged(overlay)
            after = _State(version, merged, _EMPTY_BASE, _NOTHING.dropped, {})
        self._keep(after)

    def _keep(self, state: _State) -> None:
        """Write what is new, then point at it, then read it back from the files."""
        with _told(self._folder):
            files = {n: d for n, d in state.files.items() if n.startswith("base-")}
            if not files:
                name = self._unused(f"base-{state.version}")
                files[name] = state.base.write(self._folder / name, state.version)
            if len(state.overlay) or state.dropped.size:
                name = self._unused(f"overlay-{state.version}")
                gone = {"dropped": column(state.dropped)}
                files[name] = state.overlay.write(self._folder / name, state.version, gone)
            write_durably(self._folder / CURRENT, _pointer(state.version, files))
            for old in self._folder.glob("*.bin*"):
                if old.name not in files:
                    with suppress(OSError):
                        old.unlink()
            self._state = _opened(self._folder)

    def _unused(self, stem: str) -> str:
        """A file name that the list as it stands does not need."""
        names = (f"{stem}{mark}.bin" for mark in ("", "-1"))
        return next(name for name in names if name not in self._state.files)


def _tags(tags: Sequence[bytes]) -> Tags:
    return np.frombuffer(b"".join(tags), np.uint8).reshape(-1, 32)


def _pointer(version: int, files: dict[str, str]) -> bytes:
    body = json.dumps({"version": version, "files": files}, sort_keys=True)
    return json.dumps({"list": body, "digest": sha256(body.encode()).hexdigest()}).encode()


def _opened(folder: Path) -> _State:
    """What `current.json` points at, verified. Read again when another process replaced it."""
    for attempt in range(3):
        try:
            return _read(folder)
        except FileNotFoundError:
            if attempt == 2:
                raise
    raise InternalError("not reached")


def _read(folder: Path) -> _State:
    path = folder / CURRENT
    if not path.exists():
        return _NOTHING
    version, files = _read_pointer(path)
    base, overlay, dropped = _EMPTY_BASE, _EMPTY_BASE, _NOTHING.dropped
    for name, digest in files.items():
        written, arrays = open_arrays(folder / name, digest)
        if name.startswith("base-"):
            base = RowTable.of_arrays(arrays, name)
        elif written == version:
            dropped, overlay = arrays["dropped"], RowTable.of_arrays(arrays, name)
    return _State(version, base, overlay, dropped, files)


def _read_pointer(path: Path) -> tuple[int, dict[str, str]]:
    try:
        kept = json.loads(path.read_bytes())
        if sha256(kept["list"].encode()).hexdigest() != kept["digest"]:
            raise ValueError("another digest")
        about = json.loads(kept["list"])
        return about["version"], about["files"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedFileError(f"{path.name} is damaged", remedy=_REMEDY) from error


_REMEDY = (
    "sync again: lianfang-client list sync takes it whole; if that does not mend it, remove the "
    "folder first: the registry has all of it"
)


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    try:
        yield
    except DamagedFileError as error:
        raise DamagedFileError(f"the list in {folder}: {error.what}", remedy=_REMEDY) from error
    except FileNotFoundError as error:
        raise DamagedFileError(f"the list in {folder} is incomplete", remedy=_REMEDY) from error
    except OSError as error:
        raise OperatorError(
            f"the list in {folder} cannot be kept ({error.strerror})",
            remedy="check space and rights of the folder; the version before is still there",
        ) from error
