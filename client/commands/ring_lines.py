"""How flags and rings are said to a person, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len

from client.commands.words import counted, plain

if TYPE_CHECKING:
    from client.rings.filed_before import FiledBefore
    from client.rings.looking import Told
    from client.rings.outcomes import OwnRing
    from client.rings.picture import Picture

LAST = "a ring is a reason for a person to look, never a decision"
_STRENGTH = {
    "strong": "strong: two kinds that stay with people, or a shape of money",
    "single": "single: one kind that stays with people",
    "weak": "weak: only what changes hands or is shared",
}
_DISTANCE = ("in the ring", "one step from it", "two steps from it")
_LEAD = "lead: in a ring by one lender's word that is not yours: look, do not act on it"


def flag_document(told: Told) -> dict[str, Any]:
    """A flag for scripts."""
    return {
        "case": told.case.name,
        "ring": told.flag.ring.hex(),
        "standing": told.standing,
        "distance": told.distance,
        "own_observation": told.own_observation,
        "strength": told.flag.strength,
        "score_band": told.flag.score_band,
        "reasons": list(told.flag.reasons),
        "ties": [
            {"kind": _kind(tie.kind), "week": told.case.monday(tie.week).isoformat()}
            for tie in told.flag.ties
        ],
        "action_hint": told.action_hint,
    }


def flag_lines(told: Told) -> list[str]:
    """The same, a line each."""
    own = "; by this lender's own observations, a lead at most for others"
    where = _LEAD if told.lead else _DISTANCE[told.distance]
    lines = [
        f"ring           {told.flag.ring.hex()}{_how_shown(told)}",
        f"case           {told.case.name}",
        f"standing       {where}{own if told.own_observation else ''}",
        f"reasons        {', '.join(map(plain, told.flag.reasons)) or 'none given'}",
        f"strength       {_STRENGTH[told.flag.strength]}",
        f"score          {told.flag.score_band} of 100",
    ]
    lines += [
        f"tied by        {plain(_kind(tie.kind))}, week of {told.case.monday(tie.week)}"
        for tie in told.flag.ties
    ]
    return lines


def _how_shown(told: Told) -> str:
    """A ring opens for a lender with a member in it; by the applicant, where that is one."""
    if not told.ring_key:
        return ""
    return f"  (ring show {told.flag.ring.hex()[:8]}, or with the applicant's identifier)"


def own_document(ring: OwnRing) -> dict[str, Any]:
    """A ring with own customers for scripts."""
    flag = ring.told[0][1].flag
    return {
        "case": ring.case.name,
        "ring": ring.ring.hex(),
        "members": ring.at("member"),
        "leads": ring.at("lead"),
        "near": ring.at("near"),
        "score_band": flag.score_band,
        "strength": flag.strength,
        "reasons": list(flag.reasons),
        "can_be_shown": ring.key is not None,
    }


def own_line(row: dict[str, Any]) -> str:
    """The same as a line."""
    leads = f"{counted(row['leads'], 'lead')}, " if row["leads"] else ""
    about = f"{counted(row['members'], 'own member')}, {leads}{row['near']} near"
    shown = "" if row["can_be_shown"] else "; only its edge is known here"
    why = ", ".join(map(plain, row["reasons"]))
    return f"{row['ring']}  {row['case']}: {about}, score {row['score_band']}, {why}{shown}"


def picture_document(picture: Picture) -> dict[str, Any]:
    """A ring for scripts."""
    return {
        "ring": picture.ring.hex(),
        "case": picture.case,
        "bulletin": picture.version,
        "score": picture.score,
        "reasons": list(picture.reasons),
        "motifs": list(picture.motifs),
        "exposure_band": picture.exposure,
        "first_week": picture.first.isoformat(),
        "last_week": picture.last.isoformat(),
        "members": [
            {
                "member": one.label,
                "own": one.own,
                "counts": one.counts if one.own else None,
                "standing": one.standing if one.own else None,
                "identifier": one.identifier or None,
                "listed": one.listed,
                "strength": one.strength,
                "lenders": one.lenders,
            }
            for one in picture.members
        ],
        "shared": [
            {
                "what": one.label,
                "kind": one.kind.name.lower(),
                "own": one.own,
                "identifier": one.identifier or None,
                "sharers": one.sharers,
            }
            for one in picture.things
        ],
        "edges": [
            {
                "member": picture.members[one.member].label,
                "what": picture.things[one.thing].label,
                "kind": one.kind.name.lower(),
                "week": one.week.isoformat(),
                "amount": one.amount or None,
                "confirmed": "2+" if one.confirmed > 1 else "1",
                "own_observation": one.own,
                "own_not_sent_yet": one.unsent,
            }
            for one in picture.lines
        ],
        "near": [
            {
                "customer": one.label,
                "standing": one.standing,
                "distance": one.distance,
                "identifier": one.identifier,
                "ties": list(one.ties),
            }
            for one in picture.near
        ],
        "counter_evidence": list(picture.against),
        "decisions": list(picture.decisions),
        "action_hint": "review",
    }


def picture_lines(picture: Picture) -> list[str]:
    """A ring as a page of text."""
    from client.rings.picture import paid_words

    listed = sum(one.listed for one in picture.members)
    shapes = ", ".join(map(plain, picture.motifs)) or "none"
    lines = [
        f"ring {picture.ring.hex()} in case {picture.case}, bulletin {picture.version}",
        f"score {picture.score} of 100; payments seen: {paid_words(picture)}; seen "
        f"{picture.first} to {picture.last}; {listed} of its members on the shared list",
        f"tied by {', '.join(map(plain, picture.reasons)) or '–'}; shapes of money: {shapes}",
        "",
        "what speaks against it",
        *(f"  {one}" for one in picture.against or ("nothing that the desk or this lender knows",)),
    ]
    if picture.decisions:
        lines += ["", "decided here", *(f"  {one}" for one in picture.decisions)]
    return [*lines, "", *_members(picture), "", *_edges(picture), *_near(picture), "", LAST]


def before_document(before: Sequence[FiledBefore]) -> dict[str, Any]:
    """Own members filed before, for scripts."""
    return {
        "filed_before": len(before),
        "members_filed_before": [one.label for one in before],
        "filed_with_other_terms": [
            {"member": one.label, "entry": one.entry.hex(), "other": list(one.other)}
            for one in before
            if one.other
        ],
    }


def before_lines(before: Sequence[FiledBefore]) -> list[str]:
    """The same as lines."""
    if not before:
        return []
    names = ", ".join(one.label for one in before)
    lines = [f"{counted(len(before), 'own member')} filed for that reason before: {names}"]
    for one in before:
        if one.other:
            other = ", ".join(map(plain, one.other))
            lines.append(
                f"{one.label} was filed before with other terms ({other}), which stand; to correct "
                f"them: lianfang-client list file … --supersedes {one.entry.hex()}"
            )
    return lines


def _members(picture: Picture) -> list[str]:
    rows = [("member", "whose", "listed", "strength", "lenders", "identifier")]
    for one in sorted(picture.members, key=lambda one: not one.own):
        whose = "own" if one.counts else f"own, {one.standing} only"
        whose = whose if one.own else "another's"
        listed = "yes" if one.listed else "no"
        rows.append((one.label, whose, listed, f"{one.strength}", one.lenders, one.identifier))
    return _aligned(rows)


def _edges(picture: Picture) -> list[str]:
    from client.rings.picture import own_words

    rows = [("member", "what", "as", "week of", "amount", "confirmed by", "own observation")]
    for one in sorted(picture.lines, key=lambda one: (one.week, one.member, one.thing)):
        rows.append(
            (
                picture.members[one.member].label,
                picture.things[one.thing].label,
                plain(one.kind.name.lower()),
                f"{one.week}",
                one.amount,
                "2 lenders or more" if one.confirmed > 1 else "1 lender",
                own_words(one),
            )
        )
    return _aligned(rows)


def _near(picture: Picture) -> list[str]:
    from client.rings.picture import counts_as

    if not picture.near:
        return []
    rows = [("own customer", "counts here as", "tied by")]
    rows += [(one.label, counts_as(one), "; ".join(one.ties)) for one in picture.near]
    return ["", *_aligned(rows)]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(cell_len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return [
        "  ".join(
            cell + " " * (wide - cell_len(cell)) for cell, wide in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]


def _kind(kind: int) -> str:
    from shared.rings.kinds import Kind

    return Kind(kind).name.lower()
