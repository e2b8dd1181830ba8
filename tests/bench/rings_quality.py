"""How well fraud rings are found in the simulation, in full over several seeds.

    python tests/bench/rings_quality.py                     seeds 45 to 49, the usual habits
    python tests/bench/rings_quality.py --seeds 50 51 --habits hard

On the demo's rows, as `simulate.py --rings 60 --decoys 300` plants. Beside the headline: member
recall by typology and what lenders find each alone, weeks to detect, and the worth of each kind of
edge, all with their spread over seeds. Writes bench-out/rings_quality.json, and for the usual seeds
and habits docs/rings-quality.md (elsewhere: beside the JSON); no figure in it is typed by hand. The
last line of the output is JSON. About 30 s of processor time for each seed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from tests.bench.machine import machine_line, today
from tests.bench.markdown import mean_sd, table

REPOSITORY = Path(__file__).resolve().parents[2]
SEEDS = (45, 46, 47, 48, 49)
PAGE = "rings-quality.md"
Json = dict[str, Any]

HEAD = """\
# Fraud rings: measured in full

Written by `python tests/bench/rings_quality.py` ({date}); what the figures mean:
[rings.md](rings.md), [simulation.md](simulation.md). Seeds {seeds}, habits *{habits}*:
{planted} rings each, {people:,} people, {lenders} lenders. Mean ± standard deviation over seeds.
"Alone": all lenders, each working by itself, taken together.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure every seed, write JSON and page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS), metavar="N")
    parser.add_argument("--habits", choices=("usual", "hard"), default="usual")
    parser.add_argument("--rings", type=int, default=60, metavar="N")
    parser.add_argument("--decoys", type=int, default=300, metavar="N")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "bench-out", metavar="DIR")
    options = parser.parse_args(arguments)
    measured = []
    for seed in options.seeds:
        measured.append(one_seed(seed, options.habits, options.rings, options.decoys))
        print(f"seed {seed}: {measured[-1]['member_recall']:.3f}", file=sys.stderr, flush=True)
    asked = {"seeds": options.seeds, "habits": options.habits, "date": today()}
    document = asked | {"machine": machine_line(), "figures": measured}
    options.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(document, indent=1, allow_nan=False)
    (options.out / "rings_quality.json").write_text(text + "\n", "utf-8")
    chosen = (tuple(options.seeds), options.habits, options.rings, options.decoys)
    usual = chosen == (SEEDS, "usual", 60, 300)
    ((REPOSITORY / "docs" if usual else options.out) / PAGE).write_text(page(document), "utf-8")
    last = {name: mean_sd(_of(measured, name)) for name in HEADLINES}
    sys.stdout.write(json.dumps(asked | last) + "\n")
    return 0


def one_seed(seed: int, habits: str, rings: int, decoys: int) -> Json:
    """All figures of one seed, and what lenders find alone by typology."""
    from server.simulation.book import book_of
    from server.simulation.rings.evaluation import Findings, by_typology
    from server.simulation.rings.finding import detected, in_full
    from server.simulation.rings.habits import HABITS
    from server.simulation.rings.lenders import alone, customers
    from server.simulation.rings.scenario import Planted, scenario_of_book
    from tests.bench.studies import study_of

    book = book_of(*study_of("demo", seed, "iid", "network"))
    made = scenario_of_book(book, Planted(rings, decoys, habits=HABITS[habits]), seed=seed)
    traffic, truth = made.traffic, made.truth
    flagged: set[int] = set()
    for lender in range(len(truth.codes)):
        own = set(customers(traffic, lender).tolist())
        listed = [one for one in truth.listed if one in own]
        flagged |= detected(alone(traffic, lender), traffic.weeks - 1, listed).flagged
    apart = by_typology(truth, Findings((), frozenset(flagged)))
    figures = in_full(made)
    del figures["drawn"], figures["measured"]
    for name, one in figures["by_typology"].items():
        one["alone"] = apart[name]["member_recall"]
    return figures


HEADLINES = {
    "member_recall": "member recall, with leads",
    "member_recall_sure": "member recall, without leads",
    "member_recall_ceiling": "ceiling by the floor",
    "recall": "ring recall (Jaccard ≥ ½)",
    "precision_at_k": "ring precision@k",
    "innocents_per_1000": "innocents flagged per 1,000, with leads",
    "innocents_per_1000_sure": "innocents flagged per 1,000, without leads",
    "member_recall_best_single_lender": "best single lender's member recall",
    "member_recall_every_lender_alone": "all lenders, each alone",
    "invisible_to_single": "rings invisible to every lender",
}


def page(document: Json) -> str:
    """The page, from the document of the JSON."""
    figures: list[Json] = document["figures"]
    first = figures[0]
    head = HEAD.format(
        date=document["date"],
        seeds=", ".join(map(str, document["seeds"])),
        habits=document["habits"],
        planted=first["planted"],
        people=first["subjects"],
        lenders=len(first["lenders"]),
    )
    headlines = [(text, _spread(_of(figures, name))) for name, text in HEADLINES.items()]
    parts = [
        head,
        "## Headline\n",
        table(("", "mean ± sd"), headlines),
        "\n## Member recall by typology\n",
        table(("typology", "members", "together", "alone"), list(_typologies(figures))),
        "\n## Weeks to detect\n",
        "From the third member's joining until half of those who have joined are flagged.\n",
        table(("", "mean ± sd"), list(_weeks([one["weeks_to_detect"] for one in figures]))),
        "\n## Without one kind of edge\n",
        "Change against all kinds, seed by seed.\n",
        table(("without", "member recall", "innocents per 1,000"), list(_without(figures))),
    ]
    return "\n".join(parts) + "\n"


def _typologies(figures: list[Json]) -> list[tuple[str, ...]]:
    """The best found first; a seed without members of a typology says nothing of it."""
    rows = []
    for name in sorted({name for one in figures for name in one["by_typology"]}):
        seen = [one["by_typology"][name] for one in figures if name in one["by_typology"]]
        together, alone = _of(seen, "member_recall"), _of(seen, "alone")
        members = str(sum(one["members"] for one in seen))
        rows.append((-float(np.mean(together)), (name, members, _spread(together), _spread(alone))))
    return [row for _, row in sorted(rows)]


def _weeks(weeks: list[Json]) -> list[tuple[str, str]]:
    by_week = np.array([one["by_week"] for one in weeks], dtype=np.float64)
    return [
        ("median", _spread(_of(weeks, "median"), 1)),
        ("nine rings in ten of those found", _spread(_of(weeks, "nine_in_ten"), 1)),
        ("rings never found so", _spread(_of(weeks, "never"), 1)),
        *((f"share found within {week}", _spread(by_week[:, week])) for week in (0, 2, 4, 8)),
    ]


def _without(figures: list[Json]) -> list[tuple[str, ...]]:
    names = ("member_recall", "innocents_per_1000")
    rows = []
    for kind in figures[0]["ablation"]:
        changed = [[one["ablation"][kind][name] - one[name] for one in figures] for name in names]
        spread = (_spread(each, sign="+") for each in changed)
        rows.append((float(np.mean(changed[0])), (kind, *spread)))
    return [row for _, row in sorted(rows)]


def _of(figures: Sequence[Json], name: str) -> list[float]:
    return [one[name] for one in figures if one[name] is not None]


def _spread(values: Sequence[float], places: int = 3, sign: str = "") -> str:
    if not len(values):
        return "–"
    mean, sd = mean_sd(values)
    return f"{mean:{sign}.{places}f}" + ("" if sd is None else f" ± {sd:.{places}f}")


if __name__ == "__main__":
    sys.exit(main())
