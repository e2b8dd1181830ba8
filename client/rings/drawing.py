"""A ring's graph as one SVG: people as circles, what they share as boxes, observations as lines.

Invariants:
- Whatever comes from a file or from the desk is escaped; nothing in it points outside it.
- It can be read without colour: own members who count here are filled, another single lender's
  observation is dashed, a listed person has a second ring around.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from client.rings.layout import Points, apart, layout
from client.rings.looking import kind_word
from client.rings.picture import Line, Member, Picture, Thing

_UNIT = 82.0
_MARGIN = 62.0
_RADIUS, _HALO = 15.0, 20.0
_BOX = 24.0
_LETTER = 6.9  # width of a letter of the boxes' text, on average
_LABEL = 18


def drawing(picture: Picture) -> str:
    """The SVG, with a view box and no size of its own."""
    members = len(picture.members)
    ends = [(one.member, members + one.thing) for one in picture.lines]
    place = apart(layout(members + len(picture.things), ends) * _UNIT, _sizes(picture))
    low, high = place.min(axis=0) - _MARGIN, place.max(axis=0) + _MARGIN
    wide, tall = max(high[0] - low[0], 520.0), max(high[1] - low[1], 320.0)
    left, top = (low[0] + high[0] - wide) / 2, (low[1] + high[1] - tall) / 2
    at = [(float(x), float(y)) for x, y in place]
    parts = [
        f'<svg viewBox="{left:.1f} {top:.1f} {wide:.1f} {tall:.1f}" role="img" '
        f'xmlns="http://www.w3.org/2000/svg" aria-label="{escape(_summary(picture))}">',
        *_lines(picture.lines, at, members),
        *(_thing(one, members + no, at[members + no]) for no, one in enumerate(picture.things)),
        *(_member(one, no, at[no]) for no, one in enumerate(picture.members)),
        "</svg>",
    ]
    return "\n".join(parts)


def _sizes(picture: Picture) -> Points:
    """(points, 2): the room that each needs, its name included, on both sides alike."""
    own = 2 * (_RADIUS + 24.0)
    people = [
        (max(2 * _HALO, _LETTER * len(_short(one.label))), own) if one.own else (2 * _HALO + 6,) * 2
        for one in picture.members
    ]
    things = [(_wide(one) + 12, _BOX + 12) for one in picture.things]
    return np.array([*people, *things], np.float64).reshape(-1, 2)


def _wide(one: Thing) -> float:
    return _LETTER * len(one.label) + 14


def _summary(picture: Picture) -> str:
    return (
        f"{len(picture.members)} people, {len(picture.own)} of them this lender's, tied by "
        f"{len(picture.lines)} observations of {len(picture.things)} things; the tables below say "
        "the same"
    )


def _lines(lines: Sequence[Line], at: Sequence[tuple[float, float]], members: int) -> list[str]:
    """Several observations between the same two are bent apart."""
    seen: dict[tuple[int, int], int] = {}
    found = []
    for one in lines:
        ends = one.member, members + one.thing
        nth = seen[ends] = seen.get(ends, -1) + 1
        start, end = at[ends[0]], at[ends[1]]
        bend = 0.14 * ((nth + 1) // 2) * (1 if nth % 2 else -1)
        middle = (
            (start[0] + end[0]) / 2 - bend * (end[1] - start[1]),
            (start[1] + end[1]) / 2 + bend * (end[0] - start[0]),
        )
        whose = "own" if one.own else "other"
        many = "two" if one.confirmed > 1 else "one"
        told = f"{kind_word(one.kind)}, week of {one.week}" + (
            f", {one.amount}" if one.amount else ""
        )
        sure = "two lenders or more" if one.confirmed > 1 else "one lender"
        mine = "; own observation" if one.own else ""
        found.append(
            f'<path class="line {many} {whose}" data-a="n{ends[0]}" data-b="n{ends[1]}" '
            f'd="M{start[0]:.1f} {start[1]:.1f}Q{middle[0]:.1f} {middle[1]:.1f} '
            f'{end[0]:.1f} {end[1]:.1f}"><title>{escape(told)}; {sure}{mine}</title></path>'
        )
    return found


def _member(one: Member, number: int, at: tuple[float, float]) -> str:
    x, y = at
    halo = f'<circle class="halo" cx="{x:.1f}" cy="{y:.1f}" r="{_HALO}"/>' if one.listed else ""
    about = [one.label, one.identifier, "this lender's" if one.own else "another lender's"]
    about += ["on the shared list"] if one.listed else []
    whose = "other" if not one.own else "own" if one.counts else "own doubt"
    inside = "" if one.own else _text(one.label, x, y + 4, "in")
    under = _text(_short(one.label), x, y + _RADIUS + 18, "name") if one.own else ""
    return (
        f'<g class="who {whose}" id="n{number}" tabindex="0">'
        f"<title>{escape('; '.join(filter(None, about)))}</title>"
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{_RADIUS}"/>{halo}{inside}{under}</g>'
    )


def _thing(one: Thing, number: int, at: tuple[float, float]) -> str:
    x, y = at
    wide = _wide(one)
    about = [one.label, one.identifier, f"{one.sharers} people have it"]
    return (
        f'<g class="what {"own" if one.own else "foreign"}" id="n{number}" tabindex="0">'
        f"<title>{escape('; '.join(filter(None, about)))}</title>"
        f'<rect x="{x - wide / 2:.1f}" y="{y - _BOX / 2:.1f}" width="{wide:.1f}" height="{_BOX}" '
        f'rx="5"/>{_text(one.label, x, y + 4.5, "")}</g>'
    )


def _text(text: str, x: float, y: float, style: str) -> str:
    marked = f' class="{style}"' if style else ""
    return f'<text{marked} x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{escape(text)}</text>'


def _short(text: str) -> str:
    return text if len(text) <= _LABEL else text[: _LABEL - 1] + "…"
