"""Planted rings in a simulation: what the consortium finds, what each lender would find alone.

Everybody is made up, and the page says beside the figures what they are evidence of.
"""

from __future__ import annotations

from server.report import ring_charts
from server.report.content import Report
from server.report.parts import Picture, Section, Table
from server.report.ring_figures import RingFigures, RingLender
from server.report.wording import MISSING, count, measure, percent, plural

_HEADLINE = (
    ("recall", "Rings found"),
    ("precision_at_k", "Precision among the best"),
    ("precision_strict", "The same, strictly"),
    ("member_recall", "Members flagged"),
    ("member_recall_sure", "The same, without leads"),
    ("member_recall_ceiling", "Members of rings that meet the floor"),
    ("member_recall_meeting_floor", "Members flagged, of those rings"),
    ("member_recall_best_single_lender", "By the best lender alone"),
    ("member_recall_every_lender_alone", "By all lenders, each alone"),
    ("innocents_per_1000", "Innocent people flagged per 1,000"),
    ("innocents_per_1000_sure", "The same, without leads"),
    ("invisible_to_single", "Rings that no lender could see alone"),
)
_SIDES = ("With the others", "Alone")
_TERMS = (
    ("Found", "A reported ring shares at least half of its people with a planted one (Jaccard)."),
    (
        "Precision among the best",
        "Of as many best reported rings as were planted: in how many half of the people or more "
        "belong to one planted ring. Strictly: a Jaccard of one half, as for found rings.",
    ),
    (
        "Could see alone",
        "Three members hang together in one lender's own rows by things that mostly they have.",
    ),
    (
        "Meets the floor",
        "Two strong kinds of things tie it, or it moves money in a pattern. A ring that does not "
        "is never reported, for caution's sake, and stands in the figures all the same.",
    ),
    (
        "Lead",
        "In a ring by one other lender's word: to be looked into, no ground for a listing or a "
        "decline. Flagged are members and leads.",
    ),
    ("Innocent", "In no planted ring, look-alike or not."),
    ("Look-alike", "People planted to share much for an innocent reason."),
)


def ring_section(report: Report) -> Section | None:
    """Figures, a drawing and tables; absent when no rings were planted."""
    found = report.rings
    if found is None:
        return None
    sentence = ring_sentence(found)
    pictures = (_lenders_picture(found), _typologies_picture(found), _drawing(found))
    return Section(
        slug="rings",
        title="Fraud rings across lenders",
        sentence=sentence,
        pictures=tuple(one for one in pictures if one is not None),
        tables=tuple(t for t in (_headline(found), _look_alikes(found)) if t.rows),
        folded_tables=tuple(t for t in (_ablation(found),) if t.rows),
        bullets=_bullets(found),
        terms=_TERMS,
    )


def ring_sentence(found: RingFigures) -> str:
    """The one sentence that screen and page share."""
    return (
        f"Together the lenders find {percent(found.recall, 0)} of "
        f"{plural(found.planted or 0, 'planted ring')} and flag "
        f"{percent(found.member_recall, 0)} of their members "
        f"({percent(found.member_recall_sure, 0)} as members, the others as leads, which rest on "
        f"one lender's word), the best lender alone {percent(found.best_single, 0)}; "
        f"{percent(found.precision_at_k, 0)} of the best reported rings are planted ones, and "
        f"{_rate(found.innocents_per_1000)} of 1,000 innocent people are flagged "
        f"({_rate(found.innocents_per_1000_sure)} as members)."
    )


def ring_lines(found: RingFigures) -> tuple[str, ...]:
    """For the screen: the sentence, then a small table by typology."""
    lines = [f"fraud rings (synthetic people): {ring_sentence(found)}"]
    if found.typologies:
        lines.append(f"  {'typology':<18}{'rings':>6}{'found':>7}{'members':>9}{'flagged':>9}")
    lines += [
        f"  {one.name.replace('_', ' '):<18}{count(one.rings):>6}{percent(one.recall, 0):>7}"
        f"{count(one.members):>9}{percent(one.member_recall, 0):>9}"
        for one in found.typologies
    ]
    return tuple(lines)


def _headline(found: RingFigures) -> Table:
    values = {
        "recall": found.recall,
        "precision_at_k": found.precision_at_k,
        "precision_strict": found.precision_strict,
        "member_recall": found.member_recall,
        "member_recall_sure": found.member_recall_sure,
        "member_recall_ceiling": found.ceiling,
        "member_recall_meeting_floor": found.meeting_floor,
        "member_recall_best_single_lender": found.best_single,
        "member_recall_every_lender_alone": found.every_alone,
        "innocents_per_1000": found.innocents_per_1000,
        "innocents_per_1000_sure": found.innocents_per_1000_sure,
        "invisible_to_single": found.invisible,
    }
    rows = tuple(
        (told, measure(values[name], 3), *(_spread(found, name) if found.seeds else ()))
        for name, told in _HEADLINE
    )
    over = (f"Mean over seeds {', '.join(found.seeds)}", "sd") if found.seeds else ()
    return Table("Rings: headline figures", ("Figure", "This run", *over), rows)


def _spread(found: RingFigures, name: str) -> tuple[str, str]:
    mean, sd = found.spread.get(name, (None, None))
    return measure(mean, 3), measure(sd, 3)


def _lenders_picture(found: RingFigures) -> Picture:
    rows = [
        (one.code, (_of(one.together, one.members), _of(one.alone, one.members)))
        for one in found.lenders
    ]
    table = tuple((one.code, *map(count, _numbers(one))) for one in found.lenders)
    head = ("Lender", "Members", *_SIDES, "Innocent with the others", "Innocent alone")
    told = f"Share of each lender's customers in rings who are flagged. {ring_sentence(found)}"
    return Picture(
        caption="Of each lender's customers in rings: flagged",
        svg=ring_charts.shares("rings-lenders", _SIDES, rows, told),
        table=Table("Flagged customers by lender", head, table),
    )


def _numbers(one: RingLender) -> tuple[int | None, ...]:
    return one.members, one.together, one.alone, one.innocent_together, one.innocent_alone


def _typologies_picture(found: RingFigures) -> Picture | None:
    if not found.typologies:
        return None
    series = ("Rings found", "Members flagged")
    rows = [
        (one.name.replace("_", " "), (one.recall, one.member_recall)) for one in found.typologies
    ]
    table = tuple(
        (
            one.name.replace("_", " "),
            count(one.rings),
            percent(one.recall, 0),
            count(one.members),
            percent(one.member_recall, 0),
        )
        for one in found.typologies
    )
    return Picture(
        caption="By typology, all lenders together",
        svg=ring_charts.shares("rings-typologies", series, rows, "Shares found by typology."),
        table=Table(
            "Rings by typology", ("Typology", "Rings", "Found", "Members", "Flagged"), table
        ),
    )


def _drawing(found: RingFigures) -> Picture | None:
    drawn = found.drawn
    if drawn is None:
        return None
    ties = tuple(
        (f"{place + 1}: {kind.replace('_', ' ')}", _holders(found, place))
        for place, kind in enumerate(drawn.things)
    )
    lenders = len({code for code, _ in drawn.members})
    unseen = "no lender could see it alone" if drawn.invisible else "one lender sees a part"
    name = drawn.typology.replace("_", " ").capitalize()
    told = (
        f"{name}: a ring of {plural(len(drawn.members), 'customer')} of "
        f"{plural(lenders, 'lender')}, tied by {plural(len(drawn.things), 'thing')}; {unseen}."
    )
    return Picture(
        caption=f"{told} Filled circles are flagged.",
        svg=ring_charts.ring(drawn, told),
        table=Table("What ties this ring", ("Thing", "Customers of"), ties),
    )


def _holders(found: RingFigures, place: int) -> str:
    assert found.drawn is not None
    codes = [found.drawn.members[who][0] for who, what in found.drawn.edges if what == place]
    return ", ".join(sorted(codes))


def _look_alikes(found: RingFigures) -> Table:
    rows = tuple(
        (one.name.replace("_", " "), count(one.groups), count(one.people), count(one.flagged))
        for one in found.look_alikes
    )
    return Table("Look-alikes", ("Kind", "Groups", "People", "Flagged"), rows)


def _ablation(found: RingFigures) -> Table:
    rows = tuple(
        (
            one.kind.replace("_", " "),
            percent(one.recall),
            percent(one.member_recall),
            measure(one.innocents_per_1000, 2),
        )
        for one in found.ablation
    )
    head = ("Without", "Rings found", "Members flagged", "Innocent per 1,000")
    return Table("Leaving out one kind of edge", head, rows)


def _bullets(found: RingFigures) -> tuple[str, ...]:
    return (
        "People, things and rings are made up; of the real loans only lender and outcome are "
        "used. The figures show what joining edges over lenders can do for rings like these; they "
        "are no estimate of how many rings there are, nor of how well real ones are found.",
        f"{percent(found.invisible, 0)} of the rings could be seen by no lender alone; of these "
        f"{percent(found.recall_of_invisible, 0)} are found together. "
        f"{percent(found.recall_any_single, 0)} of all rings are found by some lender alone.",
        f"Half of a ring's members are flagged {_weeks(found.weeks_median)} after its third member "
        f"joined (median; nine in ten rings: {_weeks(found.weeks_nine_in_ten)}); "
        f"{plural(found.never or 0, 'ring')} never.",
        "A flag asks a person to look; it never declines anybody. The truth lies in truth.json of "
        "this run, for the researcher only.",
    )


def _weeks(value: float | None) -> str:
    return MISSING if value is None else f"{value:g} week{'' if value == 1 else 's'}"


def _rate(value: float | None) -> str:
    return measure(value, 2)


def _of(part: int | None, whole: int | None) -> float | None:
    return part / whole if part is not None and whole else None
