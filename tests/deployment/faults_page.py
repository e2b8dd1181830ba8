"""`docs/faults.md`: what came of killed processes, faulty connections and other faults.

Invariants:
- A soak that ends writes its own section and leaves the others as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any, TypedDict

from tests.bench.machine import machine_line, today
from tests.bench.markdown import table
from tests.deployment.kill_points import TARGETS, Disturbed, Kill

PAGE = Path(__file__).resolve().parents[2] / "docs" / "faults.md"
KILLS, CONNECTIONS = "Processes killed", "Connections"
_HEAD = """\
# What went wrong, and what came of it

Written by the tests that `make soak` runs, each its own section, not by hand.
"""
_WORDS = {
    "run": "the run's process at the coordinator",
    "superlink": "Flower's SuperLink",
    "gate": "the gate",
    "executor of runs": "the executor that carries runs",
    "coordinator": "`lianfang-server start` with all it keeps; started again as systemd would",
    "supernode": "a lender's SuperNode",
    "executor": "a lender's executor",
    "lender": "`lianfang-client start` with all it keeps; started again as systemd would",
}


def document(disturbed: Disturbed) -> dict[str, Any]:
    """JSON-ready: all kills, the models with and without them, seeds, machine."""
    return {
        "machine": machine_line(),
        "date": today(),
        "kills": [asdict(kill) for kill in disturbed.kills],
        "models": disturbed.models,
    }


def summary(about: dict[str, Any]) -> dict[str, Any]:
    """`kill_points`, `resume_s_max`, and `lost`: acknowledged things gone, and other models."""
    kills = about["kills"]
    other = sum(model != undisturbed for model, undisturbed in about["models"])
    return {
        "resume_s_max": max(kill["seconds"] for kill in kills),
        "kill_points": len(kills),
        "lost": sum(len(kill["lost"]) for kill in kills) + other,
    }


class Row(TypedDict):
    """A fault in words, how many times it struck and what was done, whether what had to hold held,
    and the seconds from its beginning to the end of the stage (0: none to tell).
    """

    fault: str
    how: str
    held: bool
    seconds: float


def with_section(page: str, title: str, body: str) -> str:
    """The page with this section put in, in place of the one of that title if there is one."""
    head, *sections = page.split("\n## ") if page.startswith(_HEAD) else [_HEAD]
    known = {section.partition("\n")[0]: section.partition("\n")[2] for section in sections}
    known[title] = f"\n{body}"
    parts = [head.rstrip(), *(f"## {name}\n\n{text.strip()}" for name, text in known.items())]
    return "\n\n".join(parts) + "\n"


def write_section(title: str, body: str, path: Path = PAGE) -> None:
    """Into `docs/faults.md`."""
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    path.write_text(with_section(before, title, body), encoding="utf-8")


def rows_section(rows: Iterable[Row], words: Sequence[str] = ()) -> str:
    """A section's text: where it was measured, paragraphs, a table with a row for each fault."""
    lines = [
        [row["fault"], row["how"], "yes" if row["held"] else "**no**", f"{row['seconds']:.1f}"]
        for row in rows
    ]
    made = table(["fault", "how", "held", "most s"], lines)
    return "\n\n".join([f"{today()}, {machine_line()}.", *words, made])


def kills_section(about: dict[str, Any]) -> str:
    """The section about killed processes, from `document`."""
    kills = [Kill(**kill | {"lost": tuple(kill["lost"])}) for kill in about["kills"]]
    found, runs = summary(about), about["models"]
    same = sum(model == undisturbed for model, undisturbed in runs)
    seeds = ", ".join(str(seed) for seed in sorted({kill.seed for kill in kills}))
    return "\n".join(
        [
            "Written from `tests/deployment/kill_points.py`; the soak kills 200. "
            f"{about['date']}, {about['machine']}.",
            "",
            f"{len(kills)} kills (`kill -9`), {len(runs)} run(s) of real processes on loopback, "
            f"one in each stage, seed(s) {seeds}. {same} of {len(runs)} ended with the model of "
            f"the undisturbed run, byte for byte; {found['lost']} acknowledged things were lost "
            "(stage files, lines of lenders' outboxes, models).",
            "",
            "Seconds are from the kill to the end of the stage it happened in, the stage's own "
            "work included.",
            "",
            table(
                ["killed", "kills", "median s", "most s", "went on by itself", "lost"],
                [_row(target, kills) for target in TARGETS],
            ),
            "",
            "By phase of the stage:",
            "",
            table(["phase", "kills", "median s", "most s"], _phases(kills)),
            "",
            "A stage that came to nothing (void) is resumed by `lianfang-server run resume`; it is "
            "counted as not gone on by itself.",
        ]
    )


def _row(target: str, kills: Iterable[Kill]) -> list[str]:
    own = [kill for kill in kills if kill.target == target]
    alone = sum(kill.how == "by itself" for kill in own)
    lost = sum(len(kill.lost) for kill in own)
    return [_WORDS[target], *_seconds(own), f"{alone} of {len(own)}", str(lost)]


def _phases(kills: Sequence[Kill]) -> list[list[str]]:
    groups: dict[str, list[Kill]] = {}
    for kill in kills:
        groups.setdefault(_phase(kill), []).append(kill)
    return [[name, *_seconds(own)] for name, own in sorted(groups.items())]


def _phase(kill: Kill) -> str:
    if kill.phase.startswith("set-up"):
        return "set-up of keys"
    if kill.phase.endswith("/unmask"):
        return "unmasking"
    return "masked inputs" if kill.phase else "before the first question"


def _seconds(kills: Sequence[Kill]) -> list[str]:
    if not kills:
        return ["0", "–", "–"]
    seconds = [kill.seconds for kill in kills]
    return [str(len(kills)), f"{median(seconds):.1f}", f"{max(seconds):.1f}"]
