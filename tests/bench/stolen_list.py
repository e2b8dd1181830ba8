"""The offline dictionary on a stolen registry, with a million known identifiers.

    python tests/bench/stolen_list.py [--known 1000000]

The attack of tests/server/exchange_attacks/test_stolen_list.py, ten times as large, with the shares
tried on all of them: about two minutes.
Prints the number of hits, which is to be 0, and ends with status 1 otherwise.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.server.exchange_attacks.test_stolen_list import hits_of, identifiers, steal

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--known", type=int, default=1_000_000)
    known = parser.parse_args().known
    with tempfile.TemporaryDirectory() as name:
        hits = hits_of(steal(Path(name)), identifiers(known), identifiers(known))
    print(f"{hits} hits of {known:,} known identifiers")
    sys.exit(hits > 0)
