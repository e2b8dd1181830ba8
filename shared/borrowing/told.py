"""Which classes of lenders an answer may tell: none that would name a lender.

Invariants:
- A told class has at least LEAST_OF_CLASS lenders besides the asker, or none at all.
- So has whatever is left when told classes are taken off one another: where two classes are hidden,
  their difference to the whole is of as many lenders.
- Where it is not known who will read, every class is counted as if one of it did.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared.borrowing.cells import CELLS
from shared.borrowing.tally import NOBODY
from shared.borrowing.terms import CLASSES, LEAST_OF_CLASS, LenderClass

Mask = NDArray[np.bool_]


def told_classes(classes: NDArray[np.uint8], asker: int) -> tuple[str, ...]:
    """Classes told to a lender, or to whoever reads (NOBODY); `classes`: of each lender."""
    sizes = np.bincount(classes, minlength=len(LenderClass))
    readers = np.flatnonzero(sizes) if asker == NOBODY else classes[asker : asker + 1]
    told = [_told(sizes - (np.arange(len(sizes)) == reader)) for reader in readers]
    return tuple(name for name in CLASSES if told and all(name in one for one in told))


def _told(sizes: NDArray[np.int64]) -> set[str]:
    """Classes told to a reader beside whom there are so many lenders of each."""
    everybody = int(sizes.sum())
    if everybody < LEAST_OF_CLASS:
        return set()
    apart = _apart(sizes, everybody)
    told = {"all", *(LenderClass(of).name.lower() for of in apart)}
    if LenderClass.BANK in apart and _enough(everybody - int(sizes[LenderClass.BANK])):
        told.add("nbank")
    return told


def told_cells(classes: NDArray[np.uint8], asker: int) -> Mask:
    """The same of every cell of an answer, (CELLS,)."""
    told = set(told_classes(classes, asker))
    plain = "all" in told
    share = {"bank", "nbank"} <= told
    return np.array(
        [
            cell.of in told if cell.of else (share if cell.scale == "share" else plain)
            for cell in CELLS
        ]
    )


def _apart(sizes: NDArray[np.int64], everybody: int) -> set[int]:
    """Classes that can be told one by one, without naming who is left."""
    told = {of for of in range(len(sizes)) if _enough(int(sizes[of])) and of != LenderClass.NBANK}
    while not _enough(everybody - int(sizes[list(told)].sum())):
        present = [of for of in told if sizes[of]]
        told.discard(min(present, key=lambda of: (of == LenderClass.BANK, int(sizes[of]), of)))
    return told


def _enough(lenders: int) -> bool:
    return lenders <= 0 or lenders >= LEAST_OF_CLASS
