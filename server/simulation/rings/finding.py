"""The detector over every view of a scenario, and what its findings are worth.

    together   all lenders' contributions at the end: the consortium
    alone      each lender's own rows at the end, with the listed among its own customers
    weekly     the consortium's contributions up to each week: how long a ring goes unseen
    without    all but one kind of edge: what that kind is worth

Invariants:
- A finder is given edges, a week and listed subjects; never the truth.
- Figures hold no subject's number. Beside `measured` they follow from scenario and finder.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from server.simulation.rings.drawn import drawn_ring
from server.simulation.rings.evaluation import (
    Findings,
    by_decoy,
    by_typology,
    innocents_per_1000,
    is_found,
    member_recall,
    precision,
    recall,
    share,
    weeks_to_detect,
)
from server.simulation.rings.lenders import View, alone, customers, together
from server.simulation.rings.scenario import Scenario
from server.simulation.rings.visibility import invisible, meeting_floor
from shared.rings.kinds import Kind

Figures = dict[str, Any]
Finder = Callable[[View, int, Sequence[int]], Findings]
"""Edges, the week that has just ended and listed subjects to what is found."""
HEADLINE = (
    "recall",
    "precision_at_k",
    "precision_strict",
    "member_recall",
    "member_recall_sure",
    "member_recall_ceiling",
    "member_recall_meeting_floor",
    "member_recall_best_single_lender",
    "member_recall_every_lender_alone",
    "innocents_per_1000",
    "innocents_per_1000_sure",
    "invisible_to_single",
)


def detected(view: View, week: int, listed: Sequence[int]) -> Findings:
    """What the project's own detector reports, and whom any lender flags among its customers:
    members and leads, and members alone.
    """
    from shared.rings.detect import detect
    from shared.rings.detection import LEAST_SCORE, flagged_at

    found = detect(view.edges, week=week, seeds=listed, sources=view.sources)
    best = [frozenset(ring.members) for ring in found.rings if ring.score >= LEAST_SCORE]
    flagged: set[int] = set()
    sure: set[int] = set()
    for lender in np.unique(view.sources).tolist():
        customers = set(view.edges.subject[view.sources == lender].tolist())
        flagged |= flagged_at(found, lender, customers, leads=True)
        sure |= flagged_at(found, lender, customers)
    return Findings(tuple(best), frozenset(flagged), frozenset(sure))


def headline(scenario: Scenario, find: Finder = detected) -> Figures:
    """The consortium's figures beside each lender's alone."""
    figures, _ = _headline(scenario, find)
    return figures


def in_full(scenario: Scenario, find: Finder = detected) -> Figures:
    """The headline with typologies, look-alikes, time, ablation and one ring to draw."""
    start = time.process_time()
    truth, traffic = scenario.truth, scenario.traffic
    figures, found = _headline(scenario, find)
    figures |= {
        "by_typology": by_typology(truth, found),
        "by_decoy": by_decoy(truth, found.flagged),
        "weeks_to_detect": _weeks(scenario, find),
        "ablation": {kind.name.lower(): _without(scenario, find, kind) for kind in Kind},
        "drawn": drawn_ring(traffic, truth, found),
    }
    return figures | {"measured": {"cpu": round(time.process_time() - start, 2)}}


def over_seeds(seeds: Sequence[int], figures: Sequence[Figures]) -> Figures:
    """Mean, standard deviation and extremes of the headline over several seeds."""
    known = {name: [one[name] for one in figures if one[name] is not None] for name in HEADLINE}
    known = {name: values for name, values in known.items() if values}
    return {
        "seeds": list(seeds),
        "mean": {name: float(np.mean(values)) for name, values in known.items()},
        "sd": {
            name: float(np.std(values, ddof=1)) if len(values) > 1 else None
            for name, values in known.items()
        },
        "low": {name: float(min(values)) for name, values in known.items()},
        "high": {name: float(max(values)) for name, values in known.items()},
    }


def _headline(scenario: Scenario, find: Finder) -> tuple[Figures, Findings]:
    truth, traffic = scenario.truth, scenario.traffic
    found = find(together(traffic), traffic.weeks - 1, truth.listed)
    apart = [_alone(scenario, find, lender) for lender in range(len(truth.codes))]
    unseen = set(invisible(traffic, truth))
    hidden = [ring for ring in truth.rings if ring.number in unseen]
    recalls = [member_recall(truth.members, truth, one.flagged) or 0.0 for one in apart]
    may = set(meeting_floor(traffic, truth))
    floor = [one for ring in truth.rings if ring.number in may for one in ring.members]
    anybody = frozenset().union(*(one.flagged for one in apart))
    return {
        "planted": len(truth.rings),
        "members": len(truth.members),
        "decoys": len(truth.decoys),
        "subjects": traffic.subjects,
        "weeks": traffic.weeks,
        "reported": len(found.rings),
        "recall": recall(truth.rings, found),
        "precision_at_k": precision(truth, found, k=len(truth.rings)),
        "precision_strict": precision(truth, found, k=len(truth.rings), strict=True),
        "member_recall": member_recall(truth.members, truth, found.flagged),
        "member_recall_sure": member_recall(truth.members, truth, found.members),
        "member_recall_ceiling": member_recall(truth.members, truth, floor),
        "member_recall_meeting_floor": member_recall(floor, truth, found.flagged),
        "member_recall_best_single_lender": max(recalls, default=None),
        "member_recall_every_lender_alone": member_recall(truth.members, truth, anybody),
        "innocents_per_1000": innocents_per_1000(truth, traffic.subjects, found.flagged),
        "innocents_per_1000_sure": innocents_per_1000(truth, traffic.subjects, found.members),
        "invisible_to_single": share(len(hidden), len(truth.rings)),
        "recall_of_invisible": recall(hidden, found),
        "recall_any_single_lender": share(
            sum(any(is_found(ring, one) for one in apart) for ring in truth.rings),
            len(truth.rings),
        ),
        "lenders": [_lender(scenario, place, one, found) for place, one in enumerate(apart)],
    }, found


def _alone(scenario: Scenario, find: Finder, lender: int) -> Findings:
    own = set(customers(scenario.traffic, lender).tolist())
    listed = [one for one in scenario.truth.listed if one in own]
    return find(alone(scenario.traffic, lender), scenario.traffic.weeks - 1, listed)


def _lender(scenario: Scenario, place: int, own: Findings, all_found: Findings) -> Figures:
    truth = scenario.truth
    mine = set(customers(scenario.traffic, place).tolist())
    members = (mine & truth.members) - set(truth.listed)
    return {
        "code": truth.codes[place],
        "customers": len(mine),
        "members": len(members),
        "alone": len(members & own.flagged),
        "together": len(members & all_found.flagged),
        "innocent_alone": len(own.flagged - truth.members),
        "innocent_together": len((mine & all_found.flagged) - truth.members),
    }


def _weeks(scenario: Scenario, find: Finder) -> Figures:
    traffic, truth = scenario.traffic, scenario.truth
    flagged = [
        find(together(traffic, until=week), week, truth.listed).flagged
        for week in range(traffic.weeks)
    ]
    weeks = [weeks_to_detect(ring, flagged) for ring in truth.rings]
    known = sorted(week for week in weeks if week is not None)
    return {
        "median": float(np.median(known)) if known else None,
        "nine_in_ten": float(np.quantile(known, 0.9, method="higher")) if known else None,
        "never": len(weeks) - len(known),
        "by_week": [share(sum(one <= week for one in known), len(weeks)) for week in range(13)],
    }


def _without(scenario: Scenario, find: Finder, kind: Kind) -> Figures:
    traffic, truth = scenario.traffic, scenario.truth
    found = find(together(traffic, without=kind), traffic.weeks - 1, truth.listed)
    return {
        "recall": recall(truth.rings, found),
        "member_recall": member_recall(truth.members, truth, found.flagged),
        "innocents_per_1000": innocents_per_1000(truth, traffic.subjects, found.flagged),
    }
