"""What the coordinator keeps of the secure sum on disk, so that a killed one goes on with it.

    rounds/counter         of the last set-up that was opened; survives a run started anew, and is
                           looked at by the other runs of this coordinator
    rounds/set-up.json     the finished set-up, and which node each lender was at
    rounds/opened.json     the last RoundOpen
    rounds/closed.round    its survivors and the sum of their masked inputs

Invariants:
- Each is durable before anything that rests on it is sent: the counter before its SetUpOpen, the
  set-up before its first round, a RoundOpen before its Asks, the survivors before they are told.
- A set-up is used only while its counter is the last one: a later one, even unfinished, has made
  lenders forget its keys.
- Nothing here is secret: it is what the coordinator was sent.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from server.coordinator.checkpoint import unwritable, write_durably
from shared.errors import OperatorError, PeerError
from shared.secure_sum.coordinator_round import Closed
from shared.secure_sum.coordinator_side import SetUp
from shared.secure_sum.encoding import read_text, text_of
from shared.secure_sum.statements import RoundOpen, Survivors
from shared.training.fold import Fold

ROUNDS = "rounds"
_COUNTER, _SET_UP, _OPENED, _CLOSED = "counter", "set-up.json", "opened.json", "closed.round"
_MOST_AHEAD = 23 * 3_600_000_000
"""Microseconds: an hour less than lenders take (`lender_checks.opening`), for a whole run and for
lenders whose clocks are behind.
"""
T = TypeVar("T")


class KeptRounds:
    """The files in one run's folder `rounds`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(folder, error) from error

    def began(self) -> bool:
        """Whether a round was opened: from then on lenders may have masked their numbers."""
        return (self._folder / _OPENED).exists()

    def counter(self) -> int:
        """Of the last set-up that was opened; 0 when there was none."""
        content = self._content(_COUNTER)
        if content is None:
            return 0
        if not content.isdigit():
            raise self._damaged(_COUNTER)
        return int(content)

    def next_counter(self, microseconds: int) -> int:
        """A number above all earlier ones of this run, and of those beside it, durable;
        `microseconds` since 1970, so that it stays so where the folder was lost.
        """
        number = max(self.counter() + 1, microseconds, *self._beside(microseconds))
        self._write(_COUNTER, str(number).encode())
        return number

    def _beside(self, microseconds: int) -> Iterator[int]:
        """The next after each other run's: a lender counts over all runs. A counter that is
        too far ahead of the clock is left out: a run by a clock that was years ahead spoils no
        other, and none begins at the end of what lenders take.
        """
        for path in self._folder.parent.parent.glob(f"*/{ROUNDS}/{_COUNTER}"):
            with suppress(OSError, ValueError):
                if (found := int(path.read_bytes())) <= microseconds + _MOST_AHEAD:
                    yield found + 1

    def keep_set_up(self, set_up: SetUp, nodes: dict[int, str]) -> None:
        """A finished set-up, and the code of the lender at each node."""
        where = {str(node): code for node, code in nodes.items()}
        document = {"set_up": text_of(set_up).decode(), "nodes": where}
        self._write(_SET_UP, json.dumps(document).encode())

    def set_up(self) -> tuple[SetUp, dict[int, str]] | None:
        """The set-up that rounds may be opened under, if there is one."""
        content = self._content(_SET_UP)
        if content is None:
            return None
        try:
            document = json.loads(content)
            set_up = self._read(SetUp, _SET_UP, document["set_up"].encode())
            nodes = {int(node): str(code) for node, code in document["nodes"].items()}
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise self._damaged(_SET_UP) from error
        return (set_up, nodes) if set_up.opened.counter == self.counter() else None

    def keep_opened(self, opened: RoundOpen) -> None:
        """A round that is about to be opened."""
        self._write(_OPENED, text_of(opened))

    def opened(self) -> RoundOpen | None:
        """The last round that may have been opened."""
        content = self._content(_OPENED)
        return None if content is None else self._read(RoundOpen, _OPENED, content)

    def keep_closed(self, closed: Closed) -> None:
        """A round whose survivors are settled."""
        shown, told = text_of(closed.opened).decode(), text_of(closed.survivors).decode()
        seal = _seal(shown, told, closed.masked)
        about = {"opened": shown, "survivors": told, "seal": seal}
        self._write(_CLOSED, save({"masked": closed.masked}, metadata=about))

    def closed(self, opened: RoundOpen) -> Closed | None:
        """That round with its survivors, if they were settled."""
        if not (self._folder / _CLOSED).exists():
            return None
        try:
            with safe_open(self._folder / _CLOSED, framework="numpy") as file:
                about = file.metadata()
                masked: NDArray[np.uint32] = file.get_tensor("masked")
            shown, told = about["opened"], about["survivors"]
            if about["seal"] != _seal(shown, told, masked):
                raise ValueError("it was edited")
        except (SafetensorError, KeyError, TypeError, ValueError, OSError) as error:
            raise self._damaged(_CLOSED) from error
        if self._read(RoundOpen, _CLOSED, shown.encode()) != opened:
            return None
        return Closed(opened, self._read(Survivors, _CLOSED, told.encode()), masked)

    def _write(self, name: str, content: bytes) -> None:
        try:
            write_durably(self._folder / name, content)
        except OSError as error:
            raise unwritable(self._folder, error) from error

    def _content(self, name: str) -> bytes | None:
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._damaged(name) from error

    def _read(self, kind: type[T], name: str, text: bytes) -> T:
        try:
            return read_text(kind, text)
        except PeerError as error:
            raise self._damaged(name) from error

    def _damaged(self, name: str) -> OperatorError:
        return OperatorError(
            f"{self._folder / name} cannot be used: it was changed or cut short",
            remedy="restore the folder from a copy, or start a new run on new terms",
        )


def open_round_of(folder: Path, run: Fold) -> str | None:
    """What a run's open round waits for, in words; None when none is open. Writes nothing."""
    if not (folder / ROUNDS).is_dir():
        return None
    kept = KeptRounds(folder / ROUNDS)
    opened = kept.opened()
    if opened is None or opened.payload.run.hex() != run.digest:
        return None
    about = f"{opened.payload.stage} is open (slot {opened.slot})"
    closed = kept.closed(opened)
    if closed is None:
        return f"{about}: masked inputs are being collected"
    return f"{about}: the sum of {', '.join(closed.survivors.alive)} waits to be unmasked"


def _seal(opened: str, survivors: str, masked: NDArray[np.uint32]) -> str:
    return hashlib.sha256(f"{opened}|{survivors}|".encode() + masked.tobytes()).hexdigest()
