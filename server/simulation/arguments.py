"""What may be asked of `simulate.py` on its command line."""

from __future__ import annotations

import argparse
from pathlib import Path

from server.simulation.study import SEEDS

_DEMO = Path(__file__).parents[2] / "configs" / "demo.toml"


def parser(about: str) -> argparse.ArgumentParser:
    """`about`: what is said before the options and, after its first paragraph, behind them."""
    summary, _, examples = about.partition("\n\n")
    parser = argparse.ArgumentParser(
        prog="simulate.py",
        description=summary,
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--config", default=str(_DEMO), metavar="FILE",
        help="the study: table, lenders, model (default: the demo; see docs/simulation.md)",
    )  # fmt: skip
    parser.add_argument(
        "--backend", choices=("inprocess", "ray"), default="inprocess",
        help="inprocess: in this process (default); ray: Flower's simulation engine",
    )  # fmt: skip
    parser.add_argument("--family", choices=("boosted", "network", "blend"), help="model family")
    parser.add_argument("--rounds", type=_positive, metavar="N", help="rounds of training")
    parser.add_argument(
        "--lenders", type=_positive, metavar="N",
        help="how many lenders: that many made, or the N largest of the lender column",
    )  # fmt: skip
    parser.add_argument(
        "--seeds", "--seed", type=_seed, nargs="+", default=[], metavar="S",
        help="seeds of split and training; several give mean ± sd (default: the study's, else 0)",
    )  # fmt: skip
    parser.add_argument(
        "--plain", action="store_true",
        help="NOT SECURE: add up without masks, to compare; the report says so",
    )  # fmt: skip
    parser.add_argument("--out", default="out/demo", metavar="DIR", help="folder of the result")
    parser.add_argument("--json", action="store_true", help="print report.json as the last line")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out")
    parser.add_argument(
        "--no-references", action="store_true", help="skip LightGBM and FedAvg comparisons"
    )
    parser.add_argument("--no-out-of-time", action="store_true", help="skip the second, timed run")
    parser.add_argument("--no-list", action="store_true", help="leave the fraud list out")
    parser.add_argument(
        "--rings", type=_positive, nargs="?", const=60, default=0, metavar="N",
        help="plant N made-up fraud rings (60) over the lenders and see who finds them",
    )  # fmt: skip
    parser.add_argument(
        "--decoys", type=_positive, metavar="M",
        help="with --rings: innocent look-alikes to plant (default: five for each ring)",
    )  # fmt: skip
    parser.add_argument(
        "--ring-habits", choices=("usual", "hard"), default="usual",
        help="with --rings: how rings go about it; hard: with fewer traces (see docs/rings.md)",
    )  # fmt: skip
    parser.add_argument(
        "--borrowing", action="store_true",
        help="add borrowers' loans at other lenders as features, and train without them, too",
    )  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="all three: train, and no more")
    parser.add_argument(
        "--fault", action="append", default=[], metavar="F",
        help="e.g. 'drop L03 trees/5', 'drop L03 trees/5/unmask', 'kill coordinator trees/5'",
    )  # fmt: skip
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return number


def _seed(text: str) -> int:
    number = int(text)
    if not 0 <= number < SEEDS:
        raise argparse.ArgumentTypeError(f"{text} is not within 0 … {SEEDS - 1}")
    return number
