"""The work that both deployments are measured with: a network of 100,000 parameters, three lenders.

Invariants:
- Both sides train the same network on as many rows, one pass a round. Ours adds the secure sum and
  the optimiser's moments, which travel with the weights: three numbers for each of plain averaging.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from shared.model.network import Network

CODES = ("L01", "L02", "L03")
ROWS = 700
COLUMNS, FEATURES = 48, 864
"""Number columns, and the features they make: 16 ramps, a step and a missing flag each."""

_HEAD = """\
[consortium]
name = "three lenders with wide tables"
profile = "demo"

[addresses]
gate = "127.0.0.1:{gate}"
enrol = "127.0.0.1:{enrol}"

[terms]
family = "network"
rounds = {rounds}
minimum_lenders = 3

[table]
version = 1
row_key = "loan_id"

[label]
column = "defaulted"
bad = ["1"]
good = ["0"]
"""


def consortium_text(rounds: int) -> str:
    """consortium.toml with {gate} and {enrol} still to be filled in."""
    parts = [f'[[columns]]\nname = "x{i:02d}"\nkind = "number"\n' for i in range(COLUMNS)]
    return _HEAD.replace("{rounds}", str(rounds)) + "\n" + "\n".join(parts)


def book(number: int) -> pd.DataFrame:
    """A lender's table."""
    rng = np.random.default_rng(number)
    x = rng.normal(size=(ROWS, COLUMNS)).round(4)
    risk = x[:, 0] - x[:, 1] + 0.5 * x[:, 2] * x[:, 3] - 0.8
    bad = rng.random(ROWS) < 1 / (1 + np.exp(-risk))
    frame = pd.DataFrame(x, columns=[f"x{i:02d}" for i in range(COLUMNS)])
    frame.insert(0, "loan_id", [f"{number}-{i:05d}" for i in range(ROWS)])
    return frame.assign(defaulted=bad.astype(int))


def parameters(features: int = FEATURES) -> int:
    """Of the network."""
    return sum(one.numel() for one in Network(features, seed=0).parameters())
