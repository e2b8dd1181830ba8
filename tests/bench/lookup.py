"""Cost of the local half of screening: looking tags up, and screening a cached book again.

    python tests/bench/lookup.py [--quick]

CPU time (user and system) of one thread, the best of a few runs, because other programs share the
machine. Lists are of random tags; the book is a CSV file of phone numbers, so that hashing the file
and reading what was kept of it are in the figure.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from zlib import crc32

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from client.exchange.book import read_book
from client.exchange.cache import TokenCache
from client.exchange.index import ListIndex
from client.exchange.row_table import RowTable
from client.exchange.screening import Screener, Source
from client.exchange.sorted_keys import prefixes_of
from shared.tokens.identifiers import token_input
from shared.tokens.tags import SEALED_BYTES, tags_of

CONTEXT, TODAY = "bench", date(2026, 1, 1)
_RUNS, _BATCH, _LISTED = 3, 100_000, 1000


def measure(quick: bool) -> dict[str, float]:
    """`lookup_us_1m`, `lookup_us_10m` (µs of a tag against a list of that many),
    `rescreen_1m_cpu_s` (a book of a million cached subjects against a million). `quick`: a tenth
    of all sizes, for a test that the program runs.
    """
    scale = 10 if quick else 1
    rng = np.random.default_rng(1)
    return {
        "lookup_us_1m": _lookup(1_000_000 // scale, rng),
        "lookup_us_10m": _lookup(10_000_000 // scale, rng),
        "rescreen_1m_cpu_s": _rescreen(1_000_000 // scale, rng),
    }


def _lookup(count: int, rng: np.random.Generator) -> float:
    table = random_rows(count, rng)
    half = _BATCH // 2
    asked = np.concatenate([table.tag[rng.integers(0, count, half)], _random(half, 32, rng)])
    asked = asked[rng.permutation(len(asked))]
    found = table.find(asked)
    if len(np.unique(found.asked)) != half:
        raise AssertionError("half of the tags are on the list")
    return _best(lambda: table.find(asked)) / _BATCH * 1e6


def _rescreen(count: int, rng: np.random.Generator) -> float:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        index = ListIndex(folder / "list")
        book = folder / "book.csv"
        numbers = np.char.add("138", np.char.zfill(np.arange(count).astype(str), 8))
        book.write_text("customer_ref,phone\n" + "".join(f"C{n},{n}\n" for n in numbers), "utf-8")
        tags = _fill(folder, book, rng)
        index.replace(random_rows(count, rng, tags[:: count // _LISTED]), 1)
        cached = Source(1, TokenCache(folder / "tokens", 1))
        Screener(CONTEXT, index, [cached], today=TODAY).screen(book)

        def again() -> None:
            """As a command does it: everything is opened anew, nothing is in memory."""
            index = ListIndex(folder / "list")
            source = Source(1, TokenCache(folder / "tokens", 1))
            screening = Screener(CONTEXT, index, [source], today=TODAY).screen(book)
            if (screening.subjects, screening.asked, screening.unreadable) != (count, 0, _LISTED):
                raise AssertionError("all of the book was cached, a thousand of it are listed")

        return _best(again)


def _fill(folder: Path, book: Path, rng: np.random.Generator) -> np.ndarray:
    """Made-up outputs in the cache, as if the key holders had been asked; their tags."""
    subjects = read_book(book, today=TODAY).subjects
    inputs = [token_input(CONTEXT, subject) for subject in subjects]
    outputs = _random(len(inputs), 64, rng)
    tags = tags_of(outputs, 1)
    TokenCache(folder / "tokens", 1).add(inputs, outputs, tags)
    return tags


def random_rows(count: int, rng: np.random.Generator, listed: np.ndarray | None = None) -> RowTable:
    """Random tags, `listed` among them, sorted. The records are zeros, which take no memory;
    opening one fails, and costs what opening costs.
    """
    more = _random(0, 32, rng) if listed is None else listed
    tags = np.concatenate([more, _random(count - len(more), 32, rng)])
    tags = tags[np.argsort(prefixes_of(tags))]
    return RowTable(
        prefixes_of(tags),
        tags,
        np.ones(count, np.uint32),
        np.zeros(count, np.uint8),
        np.full(count, crc32(bytes(SEALED_BYTES)), np.uint32),
        (np.broadcast_to(np.zeros(SEALED_BYTES, np.uint8), (count, SEALED_BYTES)),),
    )


def _random(count: int, width: int, rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 256, (count, width), dtype=np.uint8)


def _best(work: Callable[[], object]) -> float:
    """Least CPU seconds of a few runs."""
    least = float("inf")
    for _ in range(_RUNS):
        start = time.process_time()
        work()
        least = min(least, time.process_time() - start)
    return least


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of all sizes")
    print(json.dumps(measure(parser.parse_args().quick)))
