"""A book of 100,000 against a list of a million, 3 of 5 holders: a lender's first screening.

The list is there already, as random tags with every seventh of the book's among them; the book is
tokenised as `tokens_work` does. Processor seconds of all threads.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from shared.tokens.fastest import fastest_group
from tests.bench.lookup import random_rows
from tests.bench.tokens_steps import Times, dealt, inputs_of
from tests.bench.tokens_work import STEP, tags


def measure(quick: bool) -> dict[str, float]:
    """`million_lender_cpu_s` and `million_holders_cpu_s` (all three) for the book's tokens,
    `million_match_cpu_s` for looking them up. `quick`: 300 against 20,000.
    """
    items, listed = (300, 20_000) if quick else (100_000, 1_000_000)
    group, times = fastest_group(), Times()
    keys, shares = dealt(group)
    book = tags(group, keys, shares, inputs_of(0, items), times, "book")
    rows = random_rows(listed, np.random.default_rng(1), book[::STEP])
    with times.of("match"):
        found = rows.find(book)
    if not np.array_equal(np.unique(found.asked), np.arange(0, items, STEP)):
        raise AssertionError("the matches are not the book's members on the list")
    spent = {name: sum(parts) / 1e6 for name, parts in times.found.items()}
    return {
        "million_lender_cpu_s": spent["book_lender"],
        "million_holders_cpu_s": spent["book_holders"],
        "million_match_cpu_s": spent["match"],
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="300 against 20,000")
    print(json.dumps(measure(parser.parse_args().quick)))
