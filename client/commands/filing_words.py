"""The words that say what a filing says: the same for `list file` and for a ring's verdict."""

from __future__ import annotations

import argparse


def add_filing(group: argparse._ArgumentGroup) -> None:
    """Codes and dates, all optional here; what is needed is the command's to say."""
    group.add_argument("--severity", metavar="1|2|3", help="3 needs a second institution")
    group.add_argument("--confidence", help="suspected, probable, confirmed or adjudicated")
    group.add_argument("--event-date", metavar="DAY", help="as 2026-01-31")
    group.add_argument("--event-end", metavar="DAY", help="if it went on longer; retention counts")
    group.add_argument("--product", help="what was applied for: consumer, card, mortgage …")
    group.add_argument("--outcome", help="refused or ended: part of the listing test")
    group.add_argument("--amount", help="band: none (usual), under_1k … from_1m")
    group.add_argument("--basis", help="legal basis (usual: legitimate_interest)")
    group.add_argument(
        "--notice", help="how the subject was told, as letter:2026-01-31 or exempt:REASON"
    )
    group.add_argument(
        "--evidence",
        action="append",
        default=[],
        metavar="KIND=FILE",
        help="hashed here, never sent; as often as there are files",
    )
