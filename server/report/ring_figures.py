"""What a report says about planted rings, parsed from its key `rings`.

Shares lie in 0..1; None means "could not be measured". `spread` is there when several seeds were
run: (mean, standard deviation) by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from server.report.fields import Fields
from shared.errors import OperatorError


@dataclass(frozen=True)
class RingTypology:
    """One typology's planted rings and members, and the shares found of both."""

    name: str
    rings: int | None
    members: int | None
    recall: float | None
    member_recall: float | None


@dataclass(frozen=True)
class RingDecoy:
    """One kind of look-alike: how many groups, of how many people, how many of those flagged."""

    name: str
    groups: int | None
    people: int | None
    flagged: int | None


@dataclass(frozen=True)
class RingLender:
    """One lender's customers in rings, and how many of them it finds alone and with the others."""

    code: str
    members: int | None
    alone: int | None
    together: int | None
    innocent_alone: int | None
    innocent_together: int | None


@dataclass(frozen=True)
class RingAblation:
    """Figures when one kind of edge is left out."""

    kind: str
    recall: float | None
    member_recall: float | None
    innocents_per_1000: float | None


@dataclass(frozen=True)
class DrawnRing:
    """One found ring: lender and whether flagged of each member, kind of each thing, and
    (member, thing) pairs; `invisible`: no lender could see it alone.
    """

    typology: str
    invisible: bool
    members: tuple[tuple[str, bool], ...]
    things: tuple[str, ...]
    edges: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class RingFigures:
    """Everything about rings; `weeks_*` from the third member's joining until half are flagged."""

    planted: int | None
    members: int | None
    decoys: int | None
    subjects: int | None
    weeks: int | None
    reported: int | None
    recall: float | None
    precision_at_k: float | None
    precision_strict: float | None
    member_recall: float | None
    member_recall_sure: float | None
    ceiling: float | None
    meeting_floor: float | None
    best_single: float | None
    every_alone: float | None
    innocents_per_1000: float | None
    innocents_per_1000_sure: float | None
    invisible: float | None
    recall_of_invisible: float | None
    recall_any_single: float | None
    typologies: tuple[RingTypology, ...]
    look_alikes: tuple[RingDecoy, ...]
    lenders: tuple[RingLender, ...]
    ablation: tuple[RingAblation, ...]
    weeks_median: float | None
    weeks_nine_in_ten: float | None
    never: int | None
    drawn: DrawnRing | None
    seeds: tuple[str, ...]
    spread: Mapping[str, tuple[float | None, float | None]]


def parse_rings(node: Fields) -> RingFigures:
    """OperatorError naming the key that has the wrong kind of value."""
    weeks, seeds = node.child("weeks_to_detect"), node.child("over_seeds")
    mean, sd = seeds.child("mean"), seeds.child("sd")
    return RingFigures(
        planted=node.whole("planted"),
        members=node.whole("members"),
        decoys=node.whole("decoys"),
        subjects=node.whole("subjects"),
        weeks=node.whole("weeks"),
        reported=node.whole("reported"),
        recall=node.number("recall"),
        precision_at_k=node.number("precision_at_k"),
        precision_strict=node.number("precision_strict"),
        member_recall=node.number("member_recall"),
        member_recall_sure=node.number("member_recall_sure"),
        ceiling=node.number("member_recall_ceiling"),
        meeting_floor=node.number("member_recall_meeting_floor"),
        best_single=node.number("member_recall_best_single_lender"),
        every_alone=node.number("member_recall_every_lender_alone"),
        innocents_per_1000=node.number("innocents_per_1000"),
        innocents_per_1000_sure=node.number("innocents_per_1000_sure"),
        invisible=node.number("invisible_to_single"),
        recall_of_invisible=node.number("recall_of_invisible"),
        recall_any_single=node.number("recall_any_single_lender"),
        typologies=_typologies(node.child("by_typology")),
        look_alikes=_look_alikes(node.child("by_decoy")),
        lenders=tuple(_lender(child) for child in node.children("lenders")),
        ablation=_ablation(node.child("ablation")),
        weeks_median=weeks.number("median"),
        weeks_nine_in_ten=weeks.number("nine_in_ten"),
        never=weeks.whole("never"),
        drawn=_drawn(node.child("drawn")) if node.has("drawn") else None,
        seeds=seeds.texts("seeds"),
        spread={name: (mean.number(name), sd.number(name)) for name in mean.names()},
    )


def _typologies(node: Fields) -> tuple[RingTypology, ...]:
    found = ((name, node.child(name)) for name in node.names())
    return tuple(
        RingTypology(
            name,
            one.whole("rings"),
            one.whole("members"),
            one.number("recall"),
            one.number("member_recall"),
        )
        for name, one in found
    )


def _look_alikes(node: Fields) -> tuple[RingDecoy, ...]:
    found = ((name, node.child(name)) for name in node.names())
    return tuple(
        RingDecoy(name, one.whole("groups"), one.whole("people"), one.whole("flagged"))
        for name, one in found
    )


def _lender(node: Fields) -> RingLender:
    return RingLender(
        node.text("code"),
        node.whole("members"),
        node.whole("alone"),
        node.whole("together"),
        node.whole("innocent_alone"),
        node.whole("innocent_together"),
    )


def _ablation(node: Fields) -> tuple[RingAblation, ...]:
    found = ((name, node.child(name)) for name in node.names())
    return tuple(
        RingAblation(
            name,
            one.number("recall"),
            one.number("member_recall"),
            one.number("innocents_per_1000"),
        )
        for name, one in found
    )


def _drawn(node: Fields) -> DrawnRing:
    members = tuple((one.text("lender"), _true(one, "flagged")) for one in node.children("members"))
    things = node.texts("things")
    edges = tuple((round(who), round(what)) for who, what in node.points("edges"))
    if any(not (0 <= who < len(members) and 0 <= what < len(things)) for who, what in edges):
        raise OperatorError(
            "report key 'rings.drawn.edges': an edge leads to no member or thing",
            remedy="write places of 'members' and 'things', from 0",
        )
    return DrawnRing(node.text("typology"), _true(node, "invisible"), members, things, edges)


def _true(node: Fields, key: str) -> bool:
    """Whether the key is there and true."""
    return node.has(key) and node.flag(key)
