"""Rows of a made-up list, a few of them with tags that begin alike."""

import numpy as np

from client.exchange.row_table import RowTable, table_of
from client.exchange.sorted_keys import prefixes_of
from shared.blacklist.rows import Flag, Row
from shared.tokens.tags import SEALED_BYTES


def tag(number: int) -> bytes:
    """32 bytes; numbers with the same quotient by 3 share the first eight."""
    return (number // 3).to_bytes(8, "big") + number.to_bytes(24, "big")


def row(number: int, contributor: int = 0, flags: int = 0) -> Row:
    sealed = bytes([number % 251, contributor]) * (SEALED_BYTES // 2)
    return Row(tag(number), sealed, 1 + number % 2, Flag(flags))


def tags(*numbers: int) -> np.ndarray:
    return np.frombuffer(b"".join(map(tag, numbers)), np.uint8).reshape(-1, 32)


def random_table(count: int, rng: np.random.Generator) -> RowTable:
    """A list of random tags whose records are all the same zeros, which take no memory."""
    drawn = rng.integers(0, 256, (count, 32), dtype=np.uint8)
    drawn = drawn[np.argsort(prefixes_of(drawn))]
    none = table_of([])
    return RowTable(
        prefixes_of(drawn),
        drawn,
        np.ones(count, np.uint32),
        np.zeros(count, np.uint8),
        np.zeros(count, np.uint32),
        (np.broadcast_to(np.zeros(SEALED_BYTES, np.uint8), (count, SEALED_BYTES)),),
        none.place,
    )
