"""Vectors of whole numbers in Flower's records.

Invariants:
- A vector is one flat array under the name "values". Its header is compared, byte for byte, with
  the one packing writes, and never evaluated: it comes from the other side, and numpy's reader of
  it fails in many ways.
- A size is checked before memory is taken for it.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, RecordDict
from numpy.lib import format as npy
from numpy.typing import NDArray

from shared.errors import PeerError
from shared.wire.bounds import MOST_BYTES, MOST_VALUES


def pack_numbers(vector: NDArray[np.int64]) -> ArrayRecord:
    """An int64 vector; 32-bit where every value fits, which a `Question` makes sure of."""
    narrow = vector.astype("<i4")
    fits = np.array_equal(narrow, vector)
    return ArrayRecord({"values": Array(narrow if fits else vector.astype("<i8"))})


def parse_numbers(content: RecordDict, name: str) -> NDArray[np.int64]:
    """Inverse of `pack_numbers`, of the record called `name`; raises PeerError."""
    vector = _parsed(content, name, ("int32", "int64")).astype(np.int64)
    as_packed = pack_numbers(vector)["values"].dtype
    if content.array_records[name]["values"].dtype != as_packed:
        raise PeerError(f"the {name} are wider than their numbers need")
    return vector


def pack_words(values: NDArray[np.uint32]) -> ArrayRecord:
    """A uint32 vector, four bytes each."""
    return ArrayRecord({"values": Array(values.astype("<u4", copy=False))})


def parse_words(content: RecordDict, name: str) -> NDArray[np.uint32]:
    """Inverse of `pack_words`, of the record called `name`; raises PeerError."""
    return _parsed(content, name, ("uint32",)).astype(np.uint32)


def _parsed(content: RecordDict, name: str, dtypes: tuple[str, ...]) -> NDArray[Any]:
    record = content.get(name)
    if not isinstance(record, ArrayRecord) or set(record) != {"values"}:
        raise PeerError(f"a message without its {name}")
    array = record["values"]
    if array.dtype not in dtypes or len(array.shape) != 1 or array.stype != "numpy.ndarray":
        raise PeerError(f"the {name} are not one flat row of whole numbers")
    if array.shape[0] > MOST_VALUES or len(array.data) > MOST_BYTES:
        raise PeerError(f"the {name} are larger than any stage needs")
    return _numbers(array.data, np.dtype(array.dtype), array.shape[0], name)


def _numbers(data: bytes, dtype: np.dtype[Any], count: int, name: str) -> NDArray[Any]:
    expected = BytesIO()
    about = {"descr": dtype.newbyteorder("<").str, "fortran_order": False, "shape": (count,)}
    npy.write_array_header_1_0(expected, about)
    header = expected.getvalue()
    if not data.startswith(header) or len(data) != len(header) + count * dtype.itemsize:
        raise PeerError(f"the {name} are not what their header says")
    return np.frombuffer(data, dtype.newbyteorder("<"), offset=len(header))
