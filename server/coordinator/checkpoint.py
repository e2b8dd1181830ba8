"""Released totals on disk, one file a stage: all that is needed to resume or audit a run.

Invariants:
- A stage is handed out only after its file is durable (written aside, fsync, renamed, folder
  fsync), so a killed coordinator resumes with exactly what lenders may have seen.
- Files are their owner's alone, and so are folders made here.
- Files are numbered without gaps; each holds the run's digest after it and a seal over that and its
  own record. A missing, cut or edited file is found on loading and named, never served.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from server.files import PARTIAL
from server.files import write_durably as write_durably
from shared.errors import OperatorError, PeerError

if TYPE_CHECKING:  # it brings torch, and who only reads records has no use of that
    from shared.training.fold import Fold

SUFFIX = ".stage"


@dataclass(frozen=True)
class StageRecord:
    """What happened in a stage: who is in the total, who is not and why, bytes both ways, seconds.

    `bytes_up` is what all lenders sent together, `bytes_down` what they were sent. Of a secure sum
    also: the payload's `kind`, the `round` by name, the members' signatures over it (`agreed`), and
    messages, bytes up and bytes down of the set-ups that were made for it (`set_up`), and
    who of the members did not help to open the total, and why (`lost`).
    """

    stage: str
    members: tuple[str, ...]
    missing: tuple[str, ...]
    messages: int
    bytes_up: int
    bytes_down: int
    seconds: float
    kind: str = ""
    round: bytes = b""
    agreed: tuple[tuple[str, bytes], ...] = ()
    set_up: tuple[int, int, int] = (0, 0, 0)
    lost: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """JSON-ready; bytes in hex."""
        agreed = [[code, signature.hex()] for code, signature in self.agreed]
        return asdict(self) | {"round": self.round.hex(), "agreed": agreed}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> StageRecord:
        """Inverse of `to_dict`; ValueError, TypeError or KeyError for anything else."""
        round_, agreed = bytes.fromhex(fields.pop("round", "")), fields.pop("agreed", ())
        lists = {name: tuple(fields.pop(name)) for name in ("members", "missing")}
        lists["lost"] = tuple(fields.pop("lost", ()))
        up = tuple(fields.pop("set_up", (0, 0, 0)))
        signatures = tuple((str(code), bytes.fromhex(signed)) for code, signed in agreed)
        return cls(**fields, **lists, round=round_, agreed=signatures, set_up=up)  # type: ignore[arg-type]


class Checkpoints:
    """The numbered stage files in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(folder, error) from error

    def paths(self) -> list[Path]:
        """Stage files in order."""
        return sorted(self._folder.glob(f"*{SUFFIX}"))

    def clear(self) -> None:
        """Forget everything: a new run starts in this folder."""
        for path in [*self._folder.glob(f"*{SUFFIX}"), *self._folder.glob(f"*{PARTIAL}")]:
            path.unlink()

    def write(
        self, number: int, total: NDArray[np.int64], record: StageRecord, digest: str
    ) -> None:
        """Make stage `number` durable; `digest` is the run's after it.

        OperatorError when the disk does not take it: then it must not be handed out.
        """
        text = json.dumps(record.to_dict())
        about = {"record": text, "digest": digest, "seal": _seal(text, digest)}
        content = save({"total": np.ascontiguousarray(total)}, metadata=about)
        path = self._folder / f"{number:05d}{SUFFIX}"
        try:
            write_durably(path, content)
        except OSError as error:
            raise unwritable(self._folder, error) from error

    def replay(self, run: Fold) -> tuple[list[NDArray[np.int64]], list[StageRecord]]:
        """Fold all stages into `run`: their totals and records. OperatorError names a bad file."""
        totals: list[NDArray[np.int64]] = []
        records: list[StageRecord] = []
        for number, path in enumerate(self.paths()):
            if path.name != f"{number:05d}{SUFFIX}":
                raise _damaged(path, f"stage {number} is missing before it")
            total, record, digest = _read(path)
            if run.finished or run.question().stage != record.stage:
                raise _damaged(path, f"it holds stage {record.stage!r}, which is not due")
            try:
                run.absorb(total)
            except PeerError as error:
                raise _damaged(path, error.what) from error
            if run.digest != digest:
                raise _damaged(path, "its digest does not fit the run")
            totals.append(total)
            records.append(record)
        return totals, records


def records_in(folder: Path) -> list[StageRecord]:
    """The records of a folder's stages, in order, without folding their totals; reads only.
    OperatorError names a bad file.
    """
    return [_record_of(path) for path in sorted(folder.glob(f"*{SUFFIX}"))]


def unwritable(folder: Path, error: OSError) -> OperatorError:
    """What to tell an operator whose disk does not take a run's file."""
    return OperatorError(
        f"{folder} cannot be written to: {error.strerror or type(error).__name__}",
        remedy="free space or mend the disk's permissions, then run the same command with --resume",
    )


def _seal(record: str, digest: str) -> str:
    return hashlib.sha256(f"{record}|{digest}".encode()).hexdigest()


def _record_of(path: Path) -> StageRecord:
    with _damage_named(path), safe_open(path, framework="numpy") as file:
        return _sealed_record(file.metadata())


def _read(path: Path) -> tuple[NDArray[np.int64], StageRecord, str]:
    with _damage_named(path), safe_open(path, framework="numpy") as file:
        about = file.metadata()
        return file.get_tensor("total"), _sealed_record(about), about["digest"]


def _sealed_record(about: dict[str, str]) -> StageRecord:
    if about["seal"] != _seal(about["record"], about["digest"]):
        raise ValueError("the record was edited")
    return StageRecord.from_dict(json.loads(about["record"]))


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    try:
        yield
    except (SafetensorError, KeyError, TypeError, ValueError, OSError) as error:
        raise _damaged(path, type(error).__name__) from error


def _damaged(path: Path, why: str) -> OperatorError:
    return OperatorError(
        f"checkpoint {path} cannot be used: {why}",
        remedy="restore the folder from a copy, or delete it and start the run again",
    )
