"""`docs/faults.md`: what came of killed processes, faulty connections and other faults.

Invariants:
- A soak in which all held writes its own section and leaves the others as they are; one in which
  something did not leaves the page alone. Every word of a section is written by code, from what
  was seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any, TypedDict

from tests.bench.machine import load_now, machine_line, today
from tests.bench.markdown import table
from tests.deployment.kill_points import (
    BY_ITSELF,
    PHASES,
    TARGETS,
    Disturbed,
    Kill,
    phase_of,
    stage_kinds,
)

PAGE = Path(__file__).resolve().parents[2] / "docs" / "faults.md"
KILLS, CONNECTIONS = "Processes killed", "Connections"
SOON = 30.0
"""Seconds within which a run is to go on."""
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
        "load": load_now(),
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
    known = _sections(page) | {title: f"\n{body}"}
    parts = [f"## {name}\n\n{text.strip()}" for name, text in known.items()]
    return "\n\n".join([_HEAD.rstrip(), *parts]) + "\n"


def section_of(page: str, title: str) -> str:
    """A section's text, "" if there is none."""
    return _sections(page).get(title, "")


def _sections(page: str) -> dict[str, str]:
    """Texts by title; none of a page of another form."""
    parts = page.split("\n## ")[1:] if page.startswith(_HEAD) else []
    return {part.partition("\n")[0]: part.partition("\n")[2] for part in parts}


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
    return "\n\n".join([_where(today(), machine_line(), load_now()), *words, made])


def _where(date: str, machine: str, load: float | None) -> str:
    """The line that a section begins with."""
    busy = "" if load is None else f" Load at the end, its own included: {load:.1f}."
    return f"{date}, {machine}.{busy}"


def by_itself(kills: Iterable[Kill]) -> int:
    """After how many the run went on without a command."""
    return sum(kill.how == BY_ITSELF for kill in kills)


def late(kills: Iterable[Kill], seconds: float = SOON) -> list[Kill]:
    """Those after which the run did not go on so soon, whether by itself or by a command."""
    return [kill for kill in kills if kill.seconds > seconds]


def kills_section(about: dict[str, Any]) -> str:
    """The section about killed processes, from `document`."""
    kills = [Kill(**kill | {"lost": tuple(kill["lost"])}) for kill in about["kills"]]
    found, runs = summary(about), about["models"]
    same = sum(model == undisturbed for model, undisturbed in runs)
    struck = {kill.cell for kill in kills}
    return "\n".join(
        [
            _where(about["date"], about["machine"], about.get("load")),
            "",
            f"{len(kills)} kills (`kill -9`), {len(runs)} run(s) of real processes on loopback, "
            f"seeds 1 to {max(kill.seed for kill in kills)} (`tests/deployment/kill_points.py`). "
            f"{same} of {len(runs)} ended with the model of the undisturbed run, byte for byte; "
            f"{found['lost']} acknowledged things were lost (stage files, lines of lenders' "
            "outboxes, models).",
            "",
            f"{len(struck)} of {len(TARGETS) * len(PHASES)} cells of process and phase were "
            f"struck, in stages of these kinds: {', '.join(sorted(stage_kinds(kills)))}.",
            "",
            _went_on(kills),
            "",
            table(
                ["killed", *PHASES, "median s", "most s", "by itself", "lost"],
                [_row(target, kills) for target in TARGETS],
            ),
            "",
            table(["phase", "kills", "median s", "most s", "by itself"], _phases(kills)),
        ]
    )


def _went_on(kills: Sequence[Kill]) -> str:
    alone = [kill for kill in kills if kill.how == BY_ITSELF]
    longest = f", the longest after {max(k.seconds for k in alone):.1f} s" if alone else ""
    soon = sum(kill.seconds <= SOON for kill in alone)
    word = "holds" if soon == len(kills) else "does **not** hold for all"
    void = len(kills) - len(alone)
    resumed = (
        f"After the other {void} the stage came to nothing (void) and was asked again by "
        "`lianfang-server run resume`. "
    )
    return (
        f"By itself the run went on after {len(alone)} of {len(kills)} kills{longest}; within "
        f"{SOON:.0f} s after {soon} of {len(kills)}: the bound of {SOON:.0f} s {word}. "
        f"{resumed if void else ''}Seconds are from the kill to the end of the stage it happened "
        "in, the stage's own work included; in a set-up, to the first answer in the next exchange."
    )


def _row(target: str, kills: Iterable[Kill]) -> list[str]:
    own = [kill for kill in kills if kill.target == target]
    cells = [str(sum(kill.cell == cell for kill in own)) for cell in product([target], PHASES)]
    lost = sum(len(kill.lost) for kill in own)
    return [_WORDS[target], *cells, *_seconds(own), f"{by_itself(own)} of {len(own)}", str(lost)]


def _phases(kills: Sequence[Kill]) -> list[list[str]]:
    groups = {phase: [k for k in kills if phase_of(k.phase) == phase] for phase in PHASES}
    return [
        [phase, str(len(own)), *_seconds(own), f"{by_itself(own)} of {len(own)}"]
        for phase, own in groups.items()
    ]


def _seconds(kills: Sequence[Kill]) -> list[str]:
    if not kills:
        return ["–", "–"]
    seconds = [kill.seconds for kill in kills]
    return [f"{median(seconds):.1f}", f"{max(seconds):.1f}"]
