"""The name of a lender's rows: what its totals are about, whatever run asks for them.

Invariants:
- The same rows have the same name in any order, from any kind of file, under any agreement.
- The name holds nothing of them that somebody could use: it stays in this lender's own journal.

It is no commitment: two tables of one name would be taken for the same, which is the safe side, and
only the lender itself chooses its rows.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.schema import Table

_DOMAIN = b"lianfang rows 1|"
_ODD = np.uint64(0x9E3779B97F4A7C15)
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))


def name_of_rows(table: Table) -> str:
    """SHA-256, hex, over names of columns and the sorted mixes of all rows' values and labels. Row
    keys are left out: rows with new keys have the same counts.
    """
    columns: dict[str, NDArray[Any]] = dict(sorted(table.values.items()))
    if table.bad is not None:
        columns["|bad"] = table.bad
    if table.time is not None:
        columns["|time"] = table.time
    mixed = np.zeros(table.rows, dtype=np.uint64)
    for values in columns.values():
        mixed = _mix(mixed * _ODD + _bits(values) + _ODD)
    mixed.sort()
    heads = "|".join(columns).encode()
    return sha256(_DOMAIN + heads + b"|" + mixed.astype("<u8").tobytes()).hexdigest()


def _bits(values: NDArray[Any]) -> NDArray[np.uint64]:
    """Numbers as bits, equal ones alike: one zero, one kind of missing."""
    plain = np.asarray(values, dtype=np.float64) + 0.0
    plain[np.isnan(plain)] = np.nan
    return plain.view(np.uint64)


def _mix(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014), modulo 2**64."""
    for shift, factor in zip(_SHIFTS, _MIX, strict=False):
        bits = (bits ^ (bits >> shift)) * factor
    return bits ^ (bits >> _SHIFTS[2])
