"""What a lender is told about one subject: bands, without lenders' names.

Invariants:
- The same events give the same answer in any order and however often they were told.
- A lender's own events are not in an answer to it.
- `parse_answer` takes nothing that `pack` does not make.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shared.borrowing.cells import CELLS, PLACE, banded, label
from shared.borrowing.events import Events
from shared.borrowing.tally import Asked, Told, tally
from shared.borrowing.terms import NO_RECORD, TTL_DAYS, UNTOLD
from shared.borrowing.told import told_cells
from shared.errors import PeerError

Bands = NDArray[np.int8]
_VERSION = 1
_BLOCK = 1 << 14  # queries at once: their exact values need 26 MB
PACKED_BYTES = 1 + 4 + len(CELLS)
"""Version, day, one byte for each cell."""

TRIGGERS: tuple[tuple[str, int, int], ...] = (("d7", 3, 3), ("m1", 5, 4), ("m3", 8, 5))
"""Window, distinct lenders from which on somebody should look, and the band that begins there.
Starter values of the domain reference, §3: to be tuned by lift."""


def answers(
    events: Events,
    subject: ArrayLike,
    day: ArrayLike,
    asker: ArrayLike,
    classes: NDArray[np.uint8],
) -> Bands:
    """Bands, (m, CELLS): of each subject (m,), on a day, for an asking lender or NOBODY.

    `day` and `asker`: one for all or (m,); `classes`: of each lender, (lenders,).
    """
    who = np.asarray(subject, dtype=np.int64)
    days, askers = _each(day, who), _each(asker, who)
    told, silent = Told.of(events), _silent(askers, classes)
    bands = np.empty((len(who), len(CELLS)), dtype=np.int8)
    for start in range(0, len(who), _BLOCK):
        block = slice(start, start + _BLOCK)
        asked = Asked(who[block], days[block], askers[block])
        found = banded(tally(told, asked, classes))
        hidden = silent[asked.asker + 1] & ~no_record(found)[:, None]
        bands[block] = np.where(hidden, np.int8(UNTOLD), found)
    return bands


def _silent(askers: NDArray[np.int64], classes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Cells that are not told, (lenders + 1, CELLS), of those who ask; row 0 is NOBODY's."""
    silent = np.ones((len(classes) + 1, len(CELLS)), dtype=bool)
    for asker in np.unique(askers).tolist():
        silent[asker + 1] = ~told_cells(classes, asker)
    return silent


def no_record(bands: Bands) -> NDArray[np.bool_]:
    """Rows of which nobody else has anything, (m,)."""
    return np.asarray((bands == NO_RECORD).all(axis=1))


def triggers(bands: Bands) -> NDArray[np.bool_]:
    """Which of TRIGGERS each answer sets off, (m, 3)."""
    places = [PLACE[f"app_orgnum_{window}_all"] for window, _, _ in TRIGGERS]
    return np.asarray(bands[:, places] >= np.array([band for _, _, band in TRIGGERS]))


@dataclass(frozen=True)
class Answer:
    """One answer: the day it was made (ordinal) and its cells, a band each, in CELLS' order."""

    day: int
    cells: tuple[int, ...]

    def value(self, name: str) -> int:
        """The band of a cell."""
        return self.cells[PLACE[name]]

    def stale(self, today: int) -> bool:
        """Whether it is out of term: to be deleted, and asked for again."""
        return today - self.day > TTL_DAYS

    def words(self) -> dict[str, str]:
        """Every cell in words, by name."""
        return {cell.name: label(cell, band) for cell, band in zip(CELLS, self.cells, strict=True)}

    @property
    def triggered(self) -> tuple[str, ...]:
        """Windows whose trigger it sets off."""
        fired = triggers(np.array([self.cells], dtype=np.int8))[0]
        return tuple(window for (window, _, _), on in zip(TRIGGERS, fired, strict=True) if on)

    def pack(self) -> bytes:
        """PACKED_BYTES bytes."""
        cells = np.array(self.cells, dtype=np.int8).tobytes()
        return bytes([_VERSION]) + self.day.to_bytes(4, "big") + cells


def parse_answer(packed: bytes) -> Answer:
    """Inverse of `pack`; PeerError."""
    if len(packed) != PACKED_BYTES or packed[0] != _VERSION:
        raise PeerError("an answer about borrowing has another length or version")
    cells = np.frombuffer(packed, dtype=np.int8, offset=5)
    if cells.min() < UNTOLD or cells.max() > 5:
        raise PeerError("an answer about borrowing holds a band that there is not")
    return Answer(int.from_bytes(packed[1:5], "big"), tuple(cells.tolist()))


def _each(values: ArrayLike, who: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.ascontiguousarray(np.broadcast_to(np.asarray(values, dtype=np.int64), who.shape))
